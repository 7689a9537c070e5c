"""The doctor looks at Redis too, calls nothing of it a failure, and tells nobody its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordo_cli.home import Home, find_home, make
from ordo_cli.services import doctor
from ordo_cli.services.doctor import Level, Verdict
from tests.cache.server import Server, free_port, pretender
from tests.cache.test_trouble import HELLO, PASSWORD, saying, silence


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = find_home({"ORDO_HOME": str(tmp_path / "home")})
    make(found)
    return found


async def found(home: Home, monkeypatch: pytest.MonkeyPatch, url: str) -> Verdict:
    monkeypatch.setenv("ORDO_REDIS__URL", url)
    verdicts = await doctor.examine(home)
    assert PASSWORD not in repr(verdicts)
    return next(each for each in verdicts if each.check == "redis")


async def test_where_none_is_configured_nothing_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORDO_REDIS__URL", raising=False)
    assert [each for each in await doctor.examine(home) if each.check == "redis"] == []


async def test_one_that_is_well(home: Home, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    verdict = await found(home, monkeypatch, url)
    assert verdict.verdict is Level.OK
    assert "version" in verdict.message


async def test_one_that_is_not_there(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = await found(home, monkeypatch, f"redis://:{PASSWORD}@127.0.0.1:{free_port()}")
    assert (verdict.verdict, "refused" in verdict.message.lower()) == (Level.WARN, True)
    assert "ORDO_REDIS__URL" in (verdict.mend or "")


async def test_one_that_refuses_the_password(home: Home, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    server.tell("CONFIG", "SET", "requirepass", "another")
    verdict = await found(home, monkeypatch, f"redis://:{PASSWORD}@127.0.0.1:{server.port}")
    assert (verdict.verdict, "WRONGPASS" in verdict.message) == (Level.WARN, True)


async def test_one_that_never_answers(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordo_cli.cache.line.OPENING", 0.05)
    async with pretender(silence) as url:
        verdict = await found(home, monkeypatch, url)
    assert (verdict.verdict, "no answer in time" in verdict.message) == (Level.WARN, True)


@pytest.mark.parametrize("version", [b"6.2.1", b"junk!", b"\xff\xfe\xfd\xfc\xfb"])
async def test_one_that_is_too_old_or_of_no_known_version(
    home: Home, monkeypatch: pytest.MonkeyPatch, version: bytes
) -> None:
    greeting = HELLO.replace(b"7.0.0", version)
    async with pretender(saying(greeting, b"*2\r\n$1\r\n1\r\n$1\r\n1\r\n")) as url:  # type: ignore[arg-type]
        verdict = await found(home, monkeypatch, url)
    assert (verdict.verdict, "is version" in verdict.message) == (Level.WARN, True)


async def test_one_whose_clock_is_off(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pretender(saying(HELLO, b"*2\r\n$1\r\n1\r\n$1\r\n1\r\n")) as url:  # type: ignore[arg-type]
        verdict = await found(home, monkeypatch, url)
    assert (verdict.verdict, "the clock of" in verdict.message) == (Level.WARN, True)


@pytest.mark.parametrize(
    "answer", [b":1\r\n", b"_\r\n", b"*2\r\n$1\r\nx\r\n$1\r\n1\r\n", b"*1\r\n$1\r\n1\r\n", b"-NO\r\n"]
)
async def test_one_that_tells_no_time(home: Home, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    async with pretender(saying(HELLO, answer)) as url:  # type: ignore[arg-type]
        verdict = await found(home, monkeypatch, url)
    assert verdict.verdict is Level.WARN
