"""A press where the journal is in PostgreSQL: the file first as ever, then the row, or the note of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordo_cli import arming, press
from ordo_cli.desk import open_desk
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.home import Home, home_at, make
from ordo_cli.services import accounts, presses
from ordo_cli.services.setup import arm_new
from tests import backends, postgres
from tests.backends import POSTGRESQL, Backend
from tests.pgproxy import Proxy


@pytest.fixture
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    yield from backends.lent(POSTGRESQL, request.node.nodeid, monkeypatch)


@pytest.fixture
def home(tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Home:
    found = home_at(str(tmp_path / "home"))
    make(found)
    monkeypatch.setenv("ORDO_HOME", found.data)
    monkeypatch.setenv("ORDO_DATABASE__URL", backend.where(Path(found.database)))

    async def furnish() -> None:
        async with open_desk(found, actor="test") as desk:
            await arm_new(desk, (GLOBAL,))
            await accounts.add(desk, "alice", "paper", accounts.Wishes(groups=("family",)), {})

    asyncio.run(furnish())
    return found


def no_clean_up(words: list[str], outcome: press.Outcome) -> int:
    raise AssertionError("a block needs none")


def row(backend: Backend, home: Home, kind: str) -> list[tuple[object, ...]]:
    return backend.fetch(
        Path(home.database), f"SELECT engaged, level, reason FROM switches WHERE kind = '{kind}' AND engaged = 1"
    )


@pytest.mark.parametrize("given", ["environment", "settings"])
def test_the_row_is_written_there(
    home: Home, backend: Backend, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], given: str
) -> None:
    if given == "settings":
        Path(home.config_file).write_text(f'[database]\nurl = "{os.environ["ORDO_DATABASE__URL"]}"\n', encoding="utf-8")
        monkeypatch.delenv("ORDO_DATABASE__URL")
    assert press.main(["kill", "--reason", "enough"], no_clean_up) == 0
    assert capfd.readouterr().out.startswith("ENGAGED, quiet confirmed")
    assert row(backend, home, "global") == [(1, 1, "enough")]
    assert list(press.pending(home.run)) == []


def test_an_account_that_does_not_exist_is_said_and_one_that_does_is_stopped(home: Home, backend: Backend) -> None:
    assert press.main(["kill", "--scope", "account:alcie"], no_clean_up) == 2
    assert press.main(["kill", "--scope", "account:alice"], no_clean_up) == 0
    assert row(backend, home, "account") == [(1, 1, None)]


@pytest.mark.parametrize("trouble", ["held", "gone", "silent"])
def test_a_database_that_does_not_take_the_row_delays_nothing_else(
    home: Home,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    trouble: str,
) -> None:
    url = os.environ["ORDO_DATABASE__URL"]
    if trouble == "gone":
        monkeypatch.setenv("ORDO_DATABASE__URL", "postgresql+asyncpg://ordo:hunter2@127.0.0.1:1/ordo")
        assert press.main(["kill", "--reason", "enough"], no_clean_up) == 0
    elif trouble == "silent":
        monkeypatch.setattr(press, "RECORD_S", 0.1)
        with Proxy(url) as proxy:
            proxy.silent = True
            monkeypatch.setenv("ORDO_DATABASE__URL", proxy.url)
            assert press.main(["kill", "--reason", "enough"], no_clean_up) == 0
    else:
        monkeypatch.setattr(press, "RECORD_S", 0.1)

        async def pressed() -> int | None:
            async with backend.held(Path(home.database)):
                return await asyncio.to_thread(press.main, ["kill", "--reason", "enough"], no_clean_up)

        assert asyncio.run(pressed()) == 0
    said = capfd.readouterr()
    assert said.out.startswith("ENGAGED (files)")
    assert "the next ordo writes it" in said.err
    assert "hunter2" not in said.err
    assert not os.path.exists(arming.path_of(home.run, "global", ""))
    monkeypatch.setenv("ORDO_DATABASE__URL", url)

    async def next_start() -> None:
        async with open_desk(home, actor="test") as desk:
            await presses.write_down(desk)

    asyncio.run(next_start())
    ((engaged, level, reason),) = row(backend, home, "global")
    assert (engaged, level) == (1, 1)
    assert str(reason).startswith("enough")
    assert list(press.pending(home.run)) == []
    assert postgres.FAMILY in os.environ
