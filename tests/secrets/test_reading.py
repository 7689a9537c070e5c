"""Reading secrets from a loop: a vault is opened once for everybody, and no keyring ever holds the loop up."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import SecretsUnavailable
from ordo_cli.secrets import Secrets

NAMES = [AccountId(f"alice{number}") for number in range(20)]


class Place:
    """Somewhere that tells which threads it was opened and read in."""

    title = "a place"

    def __init__(self, *, near: bool) -> None:
        self._near = near
        self.opened: list[int] = []
        self.read_in: set[int] = set()
        self.trouble: list[Exception] = []

    def open(self) -> bool:
        self.opened.append(threading.get_ident())
        if self.trouble:
            raise self.trouble.pop()
        return self._near

    def read(self, account: str, field: str) -> str | None:
        self.read_in.add(threading.get_ident())
        return f"{field} of {account}"

    def write(self, account: str, field: str, value: str) -> None: ...

    def erase(self, account: str, field: str) -> None: ...


def secrets_in(place: Place) -> Secrets:
    nothing = cast(Any, None)
    secrets = Secrets(nothing, nothing, nothing, nothing)
    secrets._place = place
    return secrets


async def read_all(secrets: Secrets) -> list[Any]:
    asked = [secrets.reading(lambda name=name: secrets.every(name, ["pin"])) for name in NAMES]  # type: ignore[misc]
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_a_place_that_is_near_is_opened_once_elsewhere_and_then_read_at_once() -> None:
    place, here = Place(near=True), threading.get_ident()
    secrets = secrets_in(place)
    assert await read_all(secrets) == [{"pin": f"pin of {name}"} for name in NAMES]
    await read_all(secrets)
    assert len(place.opened) == 1
    assert place.opened[0] != here
    assert place.read_in == {here}


async def test_a_place_that_may_wait_is_never_read_in_the_loop() -> None:
    place, here = Place(near=False), threading.get_ident()
    secrets = secrets_in(place)
    assert await read_all(secrets) == [{"pin": f"pin of {name}"} for name in NAMES]
    assert here not in {*place.opened, *place.read_in}


async def test_a_place_that_does_not_open_says_so_to_all_and_is_tried_again() -> None:
    place = Place(near=True)
    place.trouble = [SecretsUnavailable("the key is wrong")]
    secrets = secrets_in(place)
    told = await read_all(secrets)
    assert [str(each) for each in told] == ["the key is wrong"] * len(NAMES)
    assert not place.read_in
    assert await secrets.reading(lambda: secrets.get(NAMES[0], "pin")) == "pin of alice0"


async def test_whoever_gives_up_does_not_take_the_opening_from_the_others() -> None:
    place = Place(near=True)
    held = threading.Event()
    opening = place.open

    def slowly() -> bool:
        held.wait(5)
        return opening()

    place.open = slowly  # type: ignore[method-assign]
    secrets = secrets_in(place)
    first, second = (asyncio.ensure_future(secrets.reading(lambda: 1)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    held.set()
    assert await second == 1
    assert len(place.opened) == 1
