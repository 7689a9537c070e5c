"""A trader's day at a real terminal: four accounts at four brokers' protocols, everything typed and read by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pexpect
import pytest

from ordo_cli.cli.demo_brokers import BACK, CAST, FIELDS, _browse
from tests.house.tree import ROOT

LIMIT = 60  # seconds that a command may take on a busy machine


class Brokers:
    """`ordo sandbox` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        env = os.environ | {"ORDO_HOME": str(folder), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "ordo_cli", "sandbox", "--port", "0"]
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        found = next(m for line in self.process.stdout if (m := re.search(r"http://127\.0\.0\.1:\d+", line)))
        self._http = httpx.Client(base_url=f"{found[0]}/_sandbox/", trust_env=False)
        facts = self.ask("")["brokers"]
        self.people = {name: each["accounts"][0] | {"url": each["base_url"]} for name, each in facts.items()}
        for name in self.people:
            self.tell("redirect", broker=name, url=BACK)

    def ask(self, name: str, **query: str) -> Any:
        return self._http.get(name, params=query).raise_for_status().json()

    def tell(self, name: str, **given: object) -> None:
        self._http.post(name, json=given).raise_for_status()

    def code(self, person: dict[str, Any], kind: str) -> str:
        (row,) = self.ask("otp", broker=person["broker"], account=person["user"])["codes"]
        return str(row[kind])

    def close(self) -> None:
        self._http.close()
        self.process.terminate()
        self.process.communicate(timeout=20)


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Brokers]:
    opened = Brokers(tmp_path / "brokers")
    try:
        yield opened
    finally:
        opened.close()


class Typist:
    """Somebody at a pseudo-terminal, over SSH as it were, who reads and answers what is asked."""

    def __init__(self, home: Path) -> None:
        env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "DISPLAY")}
        more = {"ORDO_HOME": str(home), "PYTHONPATH": str(ROOT), "TERM": "dumb", "SSH_TTY": "/dev/pts/0"}
        self.env, self.said = env | more, list[str]()

    def __call__(self, words: str, *answers: tuple[str, str | Callable[[str], str]], code: int = 0) -> str:
        """Type one command and the answers to its questions; everything that was to be seen."""
        child = pexpect.spawn(
            sys.executable,
            ["-m", "ordo_cli", *words.split()],
            env=self.env,
            dimensions=(50, 250),
            encoding="utf-8",
            timeout=LIMIT,
        )
        seen = ""
        try:
            for question, answer in answers:
                child.expect(question)
                seen += child.before + child.after
                child.sendline(answer if isinstance(answer, str) else answer(seen))
            child.expect(pexpect.EOF)
            seen += child.before
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            raise AssertionError(f"ordo {words}: {error}\n{seen}{child.before}") from None
        finally:
            child.close()
        self.said.append(seen)
        assert "Traceback" not in seen
        assert child.exitstatus == code, f"ordo {words} ended with {child.exitstatus}:\n{seen}"
        return str(seen)


@pytest.fixture
def at_terminal(tmp_path: Path) -> Typist:
    return Typist(tmp_path / "home")


def test_a_day_with_four_brokers_typed_at_a_terminal(at_terminal: Typist, brokers: Brokers, tmp_path: Path) -> None:
    at_terminal("init --secrets vault --no-input")
    secrets: list[str] = []
    for name, (broker, *fields) in CAST.items():
        person = brokers.people[broker]
        given = {field: BACK if field == "redirect_uri" else str(person[FIELDS[field]]) for field in fields}
        secrets += [value for field, value in given.items() if field in ("api_secret", "app_secret", "password")]
        order = at_terminal(f"broker show {broker}")
        asked = sorted(given, key=lambda field: order.index(field))
        seen = at_terminal(
            f"account add {name} --broker {broker} --group family --base-url {person['url']}",
            *[(f"{field}[^\r\n]*: ", given[field]) for field in asked],
        )
        assert f"added {name}, sandbox at {broker}" in seen

    def landing(broker: str) -> Callable[[str], str]:
        def answer(seen: str) -> str:
            page = re.findall(r"https?://\S+", seen)[-1]
            person = brokers.people[broker]
            return _browse(page, person, brokers.code(person, "totp"))

        return answer

    def otp(broker: str) -> Callable[[str], str]:
        return lambda seen: brokers.code(brokers.people[broker], "otp")

    seen = at_terminal(
        "login",
        ("redirect of alice: ", landing("zerodha")),
        ("redirect of farah: ", landing("fyers")),
        ("otp of hari: ", otp("hdfc")),
        ("otp of mina: ", otp("mstock")),
    )
    assert len(re.findall(r"^\w+ +\w+ +live", seen, re.MULTILINE)) == 4, seen
    at_terminal("instrument sync")

    price = at_terminal("quote NSE:INFY").splitlines()[1].split()[3]
    brokers.tell("faults", rule="hdfc:place:accept-then-dropx1")
    seen = at_terminal(f"buy NSE:INFY --qty 3 --limit {price} --to @family --yes", code=7)
    assert "SANDBOX 4 accounts (alice, farah, hari, mina)" in seen
    assert re.search(r"4 legs: 3 accepted, 1 unknown", seen)
    (fan_out,) = set(re.findall(r"fan-out (\w+) key", seen))

    refused = at_terminal(f"buy NSE:INFY --qty 4 --limit {price} --to hari --yes", code=3)
    assert "nobody knows yet" in refused
    at_terminal(f"fanout reconcile {fan_out}")
    for _ in range(3):  # a book without tags is believed when it says the same twice, two seconds apart
        settled = at_terminal(f"fanout show {fan_out} --json")
        if '"unknown": 0' in settled:
            break
        at_terminal(f"fanout reconcile {fan_out}")
    assert '"unknown": 0' in settled, settled

    resting = at_terminal(f"buy NSE:INFY --qty 1 --limit {float(price) * 0.98:.1f}0 --to @family --yes --confirm")
    (other,) = set(re.findall(r"fan-out (\w+) key", resting))
    at_terminal(f"order cancel {other}-1")
    assert "cancelled" in at_terminal(f"order show {other}-1")

    seen = at_terminal("kill --flatten")
    assert re.search(r"ENGAGED, quiet confirmed", seen)
    assert len(re.findall(r"^\w+ +ok ", seen, re.MULTILINE)) == 4, seen
    assert '"quantity": 3' not in at_terminal("positions --json")
    assert "kill" in at_terminal("buy NSE:INFY --qty 1 --to alice --yes", code=9)
    at_terminal("audit verify")
    twice = [tag for tag in brokers.ask("tags")["tags"] if tag["accepted"] > 1]
    assert twice == []
    # What a broker's secrets are, and what logging in made of them, is nowhere but in the vault and under its seal.
    tokens = {row["token"] for row in brokers.ask("sessions")["sessions"]}
    assert len(secrets) >= 4
    assert len(tokens) >= 4
    hidden = [*secrets, *tokens]
    assert not [secret for secret in hidden if any(secret in text for text in at_terminal.said)]
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file() and not path.is_socket()]
    assert files
    for path in files:
        held = path.read_bytes()
        assert not [secret for secret in hidden if len(secret) > 6 and secret.encode() in held], path
