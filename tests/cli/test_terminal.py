"""What somebody at a terminal sees: colours, the live table, questions, Ctrl-C. Real processes on a pseudo-terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.cli.conftest import Run
from tests.house.tree import ROOT

WITH_LIVE = """
import sys
from ordo_cli import brokers
brokers.MODULES["acme"] = "tests.cli.livepaper"
from ordo_cli.__main__ import main
main()
"""
Spawn = Callable[..., "Terminal"]
FLAT = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One command on a terminal of 100 columns, and what its screen shows."""

    def __init__(self, home: Path, words: str, **more: str) -> None:
        env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "TERM")}
        env |= {"ORDO_HOME": str(home), "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}
        self.child = pexpect.spawn(
            sys.executable,
            ["-c", WITH_LIVE, *words.split()],
            env=env,
            dimensions=(30, 100),
            encoding="utf-8",
            timeout=15,
        )
        self.raw = ""

    def wait_for(self, pattern: str) -> None:
        self.child.expect(pattern)
        self.raw += self.child.before + self.child.after

    def end(self) -> int:
        """Read to the end; the exit code."""
        self.child.expect(pexpect.EOF)
        self.raw += self.child.before
        self.child.close()
        assert self.child.exitstatus is not None, f"ended by signal {self.child.signalstatus}"
        return int(self.child.exitstatus)

    @property
    def screen(self) -> str:
        """What is left on the screen, as a person reads it."""
        screen = pyte.Screen(100, 60)
        pyte.Stream(screen).feed(self.raw)
        return "\n".join(line.rstrip() for line in screen.display).strip()

    @property
    def cursor_hidden(self) -> bool:
        return self.raw.rfind("\x1b[?25l") > self.raw.rfind("\x1b[?25h")


@pytest.fixture
def terminal(homed: Path) -> Iterator[Spawn]:
    opened: list[Terminal] = []

    def spawn(words: str, **more: str) -> Terminal:
        opened.append(Terminal(homed, words, **more))
        return opened[-1]

    yield spawn
    for each in opened:
        each.child.close(force=True)


def test_the_live_table_shows_each_leg_and_makes_room_for_the_result(terminal: Spawn) -> None:
    seen = terminal("buy NSE:INFY --qty 1 --to alice --to bob --to carol")
    assert seen.end() == 7, seen.screen
    assert "\x1b[?25l" in seen.raw, "nothing was live"
    assert not seen.cursor_hidden
    screen = seen.screen
    assert "PAPER 3 accounts (alice, bob, carol)" in screen
    assert re.search(r"fan-out \w+ key [\w-]+", screen)
    rows = [line for line in screen.splitlines() if line.startswith(("alice ", "bob ", "carol "))]
    assert [row.split()[0] for row in rows] == ["alice", "bob", "carol"], "the live table stayed beside the final one"
    assert [row.split()[2] for row in rows] == ["filled", "rejected", "unknown"]
    assert "3 legs: 1 accepted, 1 refused, 1 unknown" in screen


def test_states_have_their_colours(terminal: Spawn) -> None:
    seen = terminal("order list")
    assert seen.end() == 0, seen.screen
    assert "\x1b[32mfilled" in seen.raw
    assert "\x1b[36mopen" in seen.raw
    assert re.search(r"\x1b\[1;35munknown", seen.raw)


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "TERM=dumb"])
def test_who_wants_no_colours_gets_none(terminal: Spawn, more: dict[str, str]) -> None:
    for words in ("order list", "--help", "order --help", "postions"):
        seen = terminal(words, **more)
        seen.end()
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]m|\x1b\[9", seen.raw), words
        if "TERM" in more:
            assert "\x1b" not in seen.raw, words


def test_a_narrow_terminal_is_not_overrun(terminal: Spawn) -> None:
    seen = terminal("order list", COLUMNS="60")
    assert seen.end() == 0, seen.screen
    assert max(len(FLAT.sub("", line).rstrip()) for line in seen.raw.splitlines()) <= 60


def test_help_is_coloured_for_a_person(terminal: Spawn) -> None:
    seen = terminal("--help")
    assert seen.end() == 0, seen.screen
    assert "\x1b[1m" in seen.raw
    assert "ordo buy NSE:INFY" in seen.screen


@pytest.fixture
def live(cli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    from ordo_cli import brokers
    from ordo_cli.domain.accounts import BrokerName

    monkeypatch.setitem(brokers.MODULES, BrokerName("acme"), "tests.cli.livepaper")
    assert cli("account add erin --broker acme").code == 0
    assert cli("instrument price NSE:INFY 1500").code == 0
    return cli


def placed(cli: Run) -> int:
    return len(cli("orders erin --json").told["rows"])


def test_a_live_order_shows_its_legs_and_asks(live: Run, terminal: Spawn) -> None:
    asked = terminal("buy NSE:INFY --qty 3 --to erin")
    asked.wait_for(r"Send this\? \[y/N\] ")
    assert "LIVE 1 account (erin)" in asked.screen
    assert re.search(r"erin +acme +3", asked.screen)
    assert placed(live) == 0
    asked.child.sendline("y")
    assert asked.end() == 0, asked.screen
    assert placed(live) == 1


@pytest.mark.parametrize(
    ("said", "code"), [("n\r", 3), ("\r", 3), ("\x04", 2), ("\x03", 130)], ids=["no", "enter", "^D", "^C"]
)
def test_anything_but_yes_sends_nothing(live: Run, terminal: Spawn, said: str, code: int) -> None:
    asked = terminal("buy NSE:INFY --qty 3 --to erin")
    asked.wait_for(r"Send this\? \[y/N\] ")
    asked.child.send(said)
    assert asked.end() == code
    assert placed(live) == 0


def test_yes_and_no_input_never_ask(live: Run, terminal: Spawn) -> None:
    assert terminal("buy NSE:INFY --qty 3 --to erin --yes").end() == 0
    refused = terminal("buy NSE:INFY --qty 3 --to erin --no-input")
    assert refused.end() == 2
    assert "--yes" in refused.screen


def test_an_unknown_leg_is_settled_as_absent_only_by_its_accounts_name(
    cli: Run, terminal: Spawn, names: dict[str, str]
) -> None:
    words = f"leg resolve {names['fanout']}-2 --absent --reason checked"
    assert cli("account edit carol --behaviour lagging=3600").code == 0  # a book that does not show it
    wrong = terminal(words)
    wrong.wait_for("Type the account's name")
    assert "Order book of carol" in wrong.screen
    assert "Positions of carol" in wrong.screen
    wrong.child.sendline("alice")
    assert wrong.end() == 2
    assert cli(f"order show {names['fanout']}-2 --json").told["state"] == "unknown"
    right = terminal(words)
    right.wait_for("Type the account's name")
    right.child.sendline("carol")
    assert right.end() == 0
    told = cli(f"order show {names['fanout']}-2 --json").told
    assert (told["state"], told["evidence"]) == ("absent", "operator")


@pytest.fixture
def slow(cli: Run) -> Run:
    for words in ("slow1 --behaviour latency=900", "slow2 --behaviour silent=20", "slow3 --behaviour latency=900"):
        assert cli(f"account add {words} --broker paper --group slow").code == 0
    return cli


def test_the_first_ctrl_c_starts_nothing_more_and_tells_what_is_out(slow: Run, terminal: Spawn) -> None:
    seen = terminal("buy NSE:INFY --qty 1 --to @slow")
    seen.wait_for("sending.*sending")
    begun = time.monotonic()
    seen.child.sendintr()
    seen.wait_for("stopping: nothing more is started")
    assert seen.end() == 7, seen.screen
    assert time.monotonic() - begun < 12
    assert not seen.cursor_hidden
    states = {leg["account"]: leg["state"] for leg in slow("fanout list --json").told[0]["legs"]}
    assert states == {"slow1": "filled", "slow2": "unknown", "slow3": "filled"}


def test_the_second_ctrl_c_leaves_at_once_and_the_next_start_finds_what_was_out(slow: Run, terminal: Spawn) -> None:
    seen = terminal("buy NSE:INFY --qty 1 --to @slow")
    seen.wait_for("sending.*sending")
    seen.child.sendintr()
    seen.wait_for("stopping")
    begun = time.monotonic()
    seen.child.sendintr()
    assert seen.end() == 130
    assert time.monotonic() - begun < 2
    assert not seen.cursor_hidden
    assert "ordo fanout reconcile" in seen.screen
    assert {leg["state"] for leg in slow("fanout list --json").told[0]["legs"]} == {"unknown"}
    time.sleep(1)  # the orders were on their way, and arrive
    assert slow("fanout reconcile").code == 6  # dave cannot be read
    assert {leg["state"] for leg in slow("fanout list --json").told[0]["legs"]} == {"filled"}


def test_a_terminate_signal_counts_as_the_first_ctrl_c(slow: Run, terminal: Spawn) -> None:
    seen = terminal("buy NSE:INFY --qty 1 --to slow1")
    seen.wait_for("sending")
    seen.child.kill(signal.SIGTERM)
    assert seen.end() == 0, seen.screen
    assert "stopping" in seen.screen


def test_ctrl_c_leaves_what_only_reads(slow: Run, terminal: Spawn, names: dict[str, str]) -> None:
    seen = terminal(f"fanout watch {names['resting']}")
    seen.wait_for("open")
    seen.child.sendintr()
    assert seen.end() in (8, 130)


def test_a_login_asks_for_what_the_broker_asks_unseen_and_again_after_a_mistake(
    cli: Run, homed: Path, terminal: Spawn
) -> None:
    for name in ("olga", "otto"):
        assert cli(f"account add {name} --broker paper --behaviour otp").code == 0
    seen = terminal("login olga otto")
    typed = []
    for name in ("olga", "otto"):
        seen.wait_for(f"otp of {name}: ")
        code = (homed / "paper-phone" / f"{name}.txt").read_text().splitlines()[-1]
        typed += ["wrong-code", code]
        seen.child.waitnoecho()
        seen.child.sendline("wrong-code")
        seen.wait_for("2 more tries")
        seen.wait_for(f"otp of {name}: ")
        seen.child.waitnoecho()
        seen.child.sendline(code)
    assert seen.end() == 0, seen.screen
    assert not [text for text in typed if text in seen.raw]
    assert re.search(r"otto +paper +live", seen.screen)


def test_who_leaves_a_login_leaves_the_question_behind(cli: Run, terminal: Spawn) -> None:
    assert cli("account add olga --broker paper --behaviour otp").code == 0
    seen = terminal("login olga")
    seen.wait_for("otp of olga: ")
    seen.child.waitnoecho()
    seen.child.sendintr()
    assert seen.end() == 130, seen.screen
    assert cli("login status olga --json").told[0]["session"] == "waiting"
