"""`ordo demo --brokers`: a whole day over real brokers' own protocols, which `ordo sandbox` serves on this machine."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode, urlsplit

from ordo_cli.cli.exits import LOGIN, UNKNOWN
from ordo_cli.cli.tour import Page, Scene, Tour, Unmet
from ordo_cli.machine import SystemClock

BACK = "http://127.0.0.1:8021"  # where login pages send the browser; nothing listens there, the tour reads the address
SANDBOX = 30.0  # seconds that the sandbox may take to open its ports
TWICE = 2.5  # seconds between two looks at a book without tags: an order counts as found when both show it
CAST = {
    "alice": ("zerodha", "user_id", "api_key", "api_secret"),
    "farah": ("fyers", "app_id", "app_secret", "redirect_uri"),
    "hari": ("hdfc", "user_id", "password", "api_key", "api_secret"),
    "mina": ("mstock", "client_id", "password", "api_key"),
}
FIELDS = {
    "user_id": "user",
    "client_id": "user",
    "password": "password",
    "api_key": "api_key",
    "app_id": "api_key",
    "api_secret": "api_secret",
    "app_secret": "api_secret",
}
"""Which fact of a sandbox account each credential is."""


class BrokersTour(Tour):
    """The scenes of a day. The brokers are ordo's own sandbox; adapters, wire and commands are the real ones."""

    def __init__(self, home: str, page: Page) -> None:
        super().__init__(home, page)
        self._sandbox: subprocess.Popen[str] | None = None
        self._port = 0
        self._people: dict[str, dict[str, Any]] = {}

    def walk(self) -> str | None:
        try:
            return super().walk()
        finally:
            self._close()

    def open(self) -> None:
        """Four brokers open on this machine, each with its own protocol"""
        self._sandbox = subprocess.Popen(
            [sys.executable, "-m", "ordo_cli", "sandbox", "--port", "0"],
            env=self.environment() | {"ORDO_HOME": os.path.join(self.home, "brokers")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._port = self._first_port()
        for broker, facts in self._control("GET", "")["brokers"].items():
            self.page.line(f"{broker:<8} {facts['base_url']}")
            self._people[broker] = facts["accounts"][0] | {"base_url": facts["base_url"]}
            self._control("POST", "redirect", {"broker": broker, "url": BACK})
        self.expect("four brokers answer", len(self._people) == len(CAST))

    def set_up(self) -> None:
        """Four accounts, one at each; their secrets go to an encrypted vault"""
        self.prepare([["init", "--secrets", "vault"]])
        for name, (broker, *fields) in CAST.items():
            person = self._people[broker]
            secrets = {field: BACK if field == "redirect_uri" else person[FIELDS[field]] for field in fields}
            words = ("account", "add", name, "--broker", broker, "--group", "family", "--base-url", person["base_url"])
            self.run(*words, "--secrets-file", "-", given=json.dumps(secrets))
        rows = self.run("account", "list", quietly=True)
        self.expect("all are shown as what they are: a sandbox", {row["mode"] for row in rows} == {"sandbox"})

    def login(self) -> None:
        """The morning: every broker asks in its own way"""
        states = self.run("login", "--no-input", expect=LOGIN)
        asked = {state["account"]: state["challenge"] for state in states if state["challenge"]}
        self.expect("each account says what it waits for", set(asked) == set(CAST))
        for name, challenge in asked.items():
            self.page.line(f"{name:<6} {challenge['kind']:<9} {challenge['prompt'][:80]}")
            self.run("login", "otp", name, "--otp-stdin", given=self._answer(name, challenge))
        live = [state["session"] for state in self.run("login", "status")]
        self.expect("all are live", live == ["live"] * len(CAST))

    def lists(self) -> None:
        """Each broker's own list of instruments, which came with the login of the day"""
        found = self.run("instrument", "show", "NSE:INFY", "--account", "farah")
        self.page.line(f"NSE:INFY is one share at all of them: ISIN {found['isin']}, lot {found['lot']}")
        self.expect("one name for it everywhere", found["instrument"] == "NSE:INFY")

    def send(self) -> None:
        """One order to all of them; one broker's answer gets lost on the way"""
        self._control("POST", "faults", {"rule": "hdfc:place:accept-then-dropx1"})
        order = ("buy", "NSE:INFY", "--qty", "3", "--limit", self.price(), "--to", "@family", "--yes")
        fan_out = self.run(*order, expect=UNKNOWN)
        self._fan_out = fan_out["id"]
        states = self.show_legs(fan_out)
        self.expect("hari's is unknown: nobody may send it again", states["hari"] == "unknown")
        others = {states[name] for name in CAST if name != "hari"}
        self.expect("the other three are in", not others & {"unknown", "rejected", "not_sent"})

    def settle(self) -> None:
        """The brokers' books settle it: by its tag, and at hari's, whose book has none, by what was there before"""
        self.run("fanout", "reconcile", self._fan_out)
        SystemClock().wait(TWICE)
        self.run("fanout", "reconcile", self._fan_out)
        legs = {leg["account"]: leg for leg in self.run("fanout", "show", self._fan_out)["legs"]}
        hari = legs["hari"]
        self.page.line(f"hari   {hari['state']}, order {hari['broker_order_id']}, known by {hari['evidence']}")
        found = hari["state"] == "filled" and self._arrived("hdfc") == 1
        self.expect("hari's order is found, and it is there once", found)
        self.expect("everybody holds three", {leg["filled_quantity"] for leg in legs.values()} == {3})

    def kill(self) -> None:
        """One command stops everything, cancels and closes, at every broker"""
        order = (
            "buy",
            "NSE:INFY",
            "--qty",
            "1",
            "--limit",
            self.price("0.98"),
            "--to",
            "@family",
            "--yes",
            "--confirm",
        )
        resting = self.run(*order)
        self.show_legs(resting)
        pressed = self.run("kill", "--flatten", "--reason", "end of the day")
        self.page.line(f"engaged; quiet confirmed in {pressed['quiet_ms']} ms")
        left = [row for row in self.run("positions")["rows"] if row["quantity"]]
        self.expect("nobody holds anything", left == [])
        working = [row for row in self.run("orders")["rows"] if row["state"] in ("open", "pending", "partial")]
        self.expect("no order is working", working == [])

    def audit(self) -> None:
        """All of it is written down, and no broker ever got an order twice"""
        found = self.run("audit", "verify")
        self.page.line(f"{found['rows']} facts, {found['state']}")
        twice = [tag for tag in self._control("GET", "tags")["tags"] if tag["accepted"] > 1]
        self.expect("the chain is whole, and nothing was sent twice", found["state"] == "whole" and twice == [])

    SCENES: tuple[Scene, ...] = (open, set_up, login, lists, send, settle, kill, audit)

    def _answer(self, name: str, challenge: Mapping[str, Any]) -> str:
        """What a person would answer: the code of the message, or where the browser ended."""
        person = self._people[CAST[name][0]]
        if challenge["kind"] == "redirect":
            page = re.search(r"https?://\S+", challenge["prompt"])
            return _browse(page[0] if page else "", person, self._code(person, "totp"))
        return self._code(person, "otp")

    def _code(self, person: Mapping[str, Any], kind: str) -> str:
        asked = urlencode({"broker": person["broker"], "account": person["user"]})
        (row,) = self._control("GET", f"otp?{asked}")["codes"]
        return str(row[kind])

    def _arrived(self, broker: str) -> int:
        account = f"{broker}-{self._people[broker]['user'].lower()}"
        return sum(tag["accepted"] for tag in self._control("GET", "tags")["tags"] if tag["account"] == account)

    def _first_port(self) -> int:
        """The port of the first broker, as the sandbox says it. Raises Unmet when it says none in time."""
        assert self._sandbox is not None
        assert self._sandbox.stdout is not None
        signal.signal(signal.SIGALRM, lambda *_: self._close())
        signal.setitimer(signal.ITIMER_REAL, SANDBOX)
        try:
            for line in self._sandbox.stdout:
                if (found := re.search(r"http://127\.0\.0\.1:(\d+)", line)) is not None:
                    return int(found[1])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        raise Unmet("the sandbox did not open")

    def _control(self, method: str, path: str, body: object = None) -> Any:
        given = None if body is None else json.dumps(body)
        answer, text = _ask(f"http://127.0.0.1:{self._port}/_sandbox/{path}", method, given, "application/json")
        if answer.status != 200:
            raise Unmet(f"the sandbox said {answer.status} to {path}: {text[:200]}")
        return json.loads(text)

    def _close(self) -> None:
        if self._sandbox is not None and self._sandbox.poll() is None:
            self._sandbox.terminate()
            try:
                self._sandbox.wait(10)
            except subprocess.TimeoutExpired:
                self._sandbox.kill()


def _browse(page: str, person: Mapping[str, Any], code: str) -> str:
    """Log in on a broker's page as a person would; the address that the browser is sent back to."""
    _, form = _ask(page, "GET", None, "")
    hidden = {name: html.unescape(value) for name, value in re.findall(r'type=hidden name=(\w+) value="([^"]*)"', form)}
    typed = {name: person.get(name) or person["user"] for name in re.findall(r"<input name=(\w+)", form)}
    action = re.search(r'action="([^"]*)"', form)
    place = urlsplit(page)
    filled = urlencode({**hidden, **typed, **({"totp": code} if "totp" in typed else {})})
    target = f"{place.scheme}://{place.netloc}{action[1] if action else ''}"
    answer, _ = _ask(target, "POST", filled, "application/x-www-form-urlencoded")
    return answer.getheader("location") or ""


def _ask(url: str, method: str, body: str | None, kind: str) -> tuple[HTTPResponse, str]:
    place = urlsplit(url)
    line = HTTPConnection(place.hostname or "", place.port, timeout=20)
    try:
        target = f"{place.path}?{place.query}" if place.query else place.path
        line.request(method, target, body, {"Content-Type": kind} if body is not None else {})
        answer = line.getresponse()
        return answer, answer.read().decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        raise Unmet(f"the sandbox cannot be reached: {error}") from None
    finally:
        line.close()
