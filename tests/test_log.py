"""The log: one line a fact, no secret in any of them, shared by many processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli import log
from ordo_cli.log import LOOK, REDACTED, ROTATE_AT, is_secret, redacted
from ordo_cli.machine import SystemClock
from tests.fakes import FakeClock

SECRET = "hunter2-Zx9"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    log.configure(str(tmp_path), SystemClock(), "info")
    return tmp_path


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "ordo.log").read_text().splitlines()]


@pytest.mark.parametrize(
    "said",
    [
        {"password": SECRET},
        {"api_key": SECRET},
        {"apiSecret": SECRET},
        {"ACCESS_TOKEN": SECRET},
        {"request": {"headers": {"Authorization": f"Bearer {SECRET}"}}},
        {"rows": [{"totp_seed": SECRET}]},
        {"note": f"Authorization: Bearer {SECRET}"},
        {"url": f"https://x.example/?api_key={SECRET}&a=1"},
        {"url": f"https://user:{SECRET}@x.example/"},
        {"body": f'{{"pin": "{SECRET}"}}'},
        {"body": f"password={SECRET}; path=/"},
        {"token_of_ours": f"ordo_abc_{SECRET}"},
        {"raw": f"Cookie: {SECRET}".encode()},
        {"jwt_in_text": "eyJhbGciOi.eyJzdWIiOi.hunter2-Zx9"},
        {"anywhere": f"xx {SECRET} yy"},
    ],
)
def test_no_secret_reaches_the_log(logs: Path, said: dict[str, object]) -> None:
    if "anywhere" in said:
        log.hide(SECRET)
    log.get("test").warning("something", **said)
    assert SECRET not in (logs / "ordo.log").read_text()
    assert REDACTED in (logs / "ordo.log").read_text()


@pytest.mark.parametrize(
    "name", ["key", "tag", "leg", "monkey", "pinned", "spinner", "instrument", "account", "authored"]
)
def test_innocent_fields_stay_readable(name: str) -> None:
    assert not is_secret(name)
    assert redacted({name: "value-1"}) == {name: "value-1"}


@pytest.mark.parametrize(
    "text", ["a token was refused", "key=batch-20261123", "order 26112300000001", "GET /orders?page=2"]
)
def test_innocent_text_stays_readable(text: str) -> None:
    assert redacted(text) == text


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_value_can_neither_end_a_line_nor_begin_one(
    tmp_path_factory: pytest.TempPathFactory, event: str, text: str
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log.configure(str(folder), SystemClock(), "info")
    log.get("test").info(event, message=text)
    raw = (folder / "ordo.log").read_bytes()
    assert raw.count(b"\n") == 1
    assert raw.strip().isascii()
    assert json.loads(raw)["module"] == "test"


def test_a_line_says_when_how_grave_and_who(logs: Path) -> None:
    log.get("ordo_cli.services.sending").error("adapter_failed", leg="f-1")
    (line,) = lines(logs)
    assert line["timestamp"].endswith("+00:00")
    assert (line["level"], line["event"], line["module"], line["leg"]) == (
        "error",
        "adapter_failed",
        "ordo_cli.services.sending",
        "f-1",
    )


def test_an_exception_is_told_without_the_values_of_its_variables(logs: Path) -> None:
    def fail(password: str) -> None:
        raise ValueError("wrong")

    try:
        fail(SECRET)
    except ValueError:
        log.get("test").exception("bug")
    (line,) = lines(logs)
    assert "ValueError: wrong" in line["exception"]
    assert SECRET not in line["exception"]


def test_below_its_level_nothing_is_written_nor_imported(tmp_path: Path) -> None:
    program = (
        "import sys; from ordo_cli import log; from ordo_cli.machine import SystemClock\n"
        "log.get('x').error('before anybody said where to')\n"
        f"log.configure({str(tmp_path)!r}, SystemClock())\n"
        "log.get('x').info('too quiet'); log.get('x').debug('too quiet')\n"
        "assert 'structlog' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1])
    assert not (tmp_path / "ordo.log").exists()


def test_a_long_value_is_cut(logs: Path) -> None:
    log.get("test").info("body", text="x" * 100_000)
    assert len((logs / "ordo.log").read_text()) < 3_000


def test_the_file_is_its_owners_alone(logs: Path) -> None:
    log.get("test").info("x")
    assert (logs / "ordo.log").stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_moved_aside_and_old_ones_go(logs: Path) -> None:
    clock = FakeClock()
    log.configure(str(logs), clock, "info")
    for _ in range(8):
        log.get("test").info("x")
        os.truncate(logs / "ordo.log", ROTATE_AT)
        clock.pass_(LOOK)  # the file itself is looked at this often, and not at every line
    log.get("test").info("last")
    assert [line["event"] for line in lines(logs)] == ["last"]
    kept = sorted(path.name for path in logs.iterdir() if path.name != "ordo.log.lock")
    assert kept == ["ordo.log", *(f"ordo.log.{number}" for number in range(1, 6))]


def test_after_another_process_moved_the_file_writing_goes_on_in_the_new_one(logs: Path) -> None:
    clock = FakeClock()
    log.configure(str(logs), clock, "info")
    log.get("test").info("first")
    os.replace(logs / "ordo.log", logs / "ordo.log.1")
    clock.pass_(LOOK)
    log.get("test").info("second")
    assert [line["event"] for line in lines(logs)] == ["second"]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log.configure(str(tmp_path / "file" / "logs"), SystemClock(), "info")
    log.get("test").info("nowhere to go")


def test_many_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    program = (
        "import sys; from ordo_cli import log; from ordo_cli.machine import SystemClock\n"
        f"log.configure({str(tmp_path)!r}, SystemClock(), 'info')\n"
        "[log.get('x').info('line', who=sys.argv[1], number=n, filler='y' * 500) for n in range(200)]"
    )
    root = Path(__file__).parents[1]
    running = [subprocess.Popen([sys.executable, "-c", program, str(who)], cwd=root) for who in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    found = lines(tmp_path)
    assert len({(line["who"], line["number"]) for line in found}) == 800
