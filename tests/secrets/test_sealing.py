"""What is sealed opens for exactly what it was sealed for, with a key that the database does not hold."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import SecretsUnavailable
from ordo_cli.machine import SystemChance
from ordo_cli.secrets import Secrets
from ordo_cli.secrets.sealing import FIELD, HEAD, KEPT, KEY_LIFE, OWNER, Seals, Unsealable

ALICE, BOB = AccountId("alice"), AccountId("bob")
TODAY = date(2026, 11, 23)
PLAIN = b'{"token": "marked-secret"}'


class Drawer:
    """A place for secrets in memory."""

    title = "the drawer"

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def open(self) -> bool:
        return True

    def read(self, account: str, field: str) -> str | None:
        return self.kept.get((account, field))

    def write(self, account: str, field: str, value: str) -> None:
        self.kept[account, field] = value

    def erase(self, account: str, field: str) -> None:
        self.kept.pop((account, field), None)


@pytest.fixture
def drawer() -> Drawer:
    return Drawer()


def seals(drawer: Drawer, install: str = "here") -> Seals:
    """As another process would have it: nothing in memory."""
    secrets = Secrets(None, None, None, SystemChance())  # type: ignore[arg-type]  # the place is given
    secrets._place = drawer
    return Seals(secrets, install)


@pytest.fixture
def ours(drawer: Drawer) -> Seals:
    found = seals(drawer)
    assert not found.fresh(TODAY)
    found.make(TODAY)
    return found


def test_what_is_sealed_says_nothing_and_opens_again(ours: Seals, drawer: Drawer) -> None:
    one, two = ours.seal(ALICE, "session", PLAIN), ours.seal(ALICE, "session", PLAIN)
    assert one != two
    assert b"marked" not in one
    assert [seals(drawer).unseal(ALICE, "session", each) for each in (one, two)] == [PLAIN, PLAIN]


def test_it_opens_for_nothing_else(ours: Seals, drawer: Drawer) -> None:
    sealed = ours.seal(ALICE, "session", PLAIN)
    for account, purpose, install in (
        (BOB, "session", "here"),
        (ALICE, "challenge:1", "here"),
        (ALICE, "session", "there"),
    ):
        with pytest.raises(Unsealable):
            seals(drawer, install).unseal(account, purpose, sealed)


def test_no_byte_of_it_can_be_changed(ours: Seals) -> None:
    sealed = ours.seal(ALICE, "session", PLAIN)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(Unsealable):
            ours.unseal(ALICE, "session", changed)
    for length in range(len(sealed)):
        with pytest.raises(Unsealable):
            ours.unseal(ALICE, "session", sealed[:length])


def test_without_the_key_it_stays_shut(ours: Seals, drawer: Drawer) -> None:
    sealed = ours.seal(ALICE, "session", PLAIN)
    drawer.kept.clear()
    with pytest.raises(Unsealable, match="the drawer has no key any more"):
        seals(drawer).unseal(ALICE, "session", sealed)
    drawer.kept[OWNER, FIELD] = "nonsense"
    with pytest.raises(SecretsUnavailable):
        seals(drawer).unseal(ALICE, "session", sealed)


def test_a_key_is_replaced_when_it_is_old_and_opens_what_it_sealed_a_while_longer(ours: Seals, drawer: Drawer) -> None:
    sealed, day = [ours.seal(ALICE, "session", PLAIN)], TODAY
    for _ in range(KEPT):
        assert ours.fresh(day)
        day += KEY_LIFE
        assert not ours.fresh(day)
        ours.make(day)
        sealed.append(ours.seal(ALICE, "session", PLAIN))
    assert len({each[1:HEAD] for each in sealed}) == KEPT + 1
    later = seals(drawer)
    assert [later.unseal(ALICE, "session", each) for each in sealed[1:]] == [PLAIN] * KEPT
    with pytest.raises(Unsealable):
        later.unseal(ALICE, "session", sealed[0])


def test_a_key_that_another_process_made_is_found(ours: Seals, drawer: Drawer) -> None:
    other = seals(drawer)
    assert other.fresh(TODAY)
    other.make(TODAY + timedelta(days=1))
    assert ours.unseal(ALICE, "session", other.seal(ALICE, "session", PLAIN)) == PLAIN


def test_all_keys_fit_where_the_smallest_keyring_keeps_them(drawer: Drawer) -> None:
    ours = seals(drawer)
    for number in range(KEPT + 2):
        ours.make(TODAY + timedelta(days=number))
    assert len(drawer.kept[OWNER, FIELD]) < 1000


def test_keys_are_not_shown(ours: Seals, drawer: Drawer) -> None:
    text = drawer.kept[OWNER, FIELD].rpartition(":")[2]
    assert text not in repr(ours._keys)
