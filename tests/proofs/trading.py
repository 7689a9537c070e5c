"""A day at the sandbox, for proofs: its clock, customers of four brokers, their logins, and what goes wrong."""

from __future__ import annotations

import html
import os
import random
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from ordo_cli.brokers.hdfc.codes import reference_of
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.orders import Tag
from ordo_cli.domain.sessions import ChallengeKind, LoginState, Standing
from ordo_cli.domain.values import dataclass
from ordo_cli.home import Home
from ordo_cli.machine import SystemClock
from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.sandbox import Sandbox
from ordo_cli.services import accounts, login, masters, setup
from ordo_cli.services.totp import code_of

NAMES = {"zerodha": "alice", "fyers": "farah", "hdfc": "hari", "mstock": "mina"}
MORNING = datetime(2026, 11, 23, 3, 50, tzinfo=UTC)  # Monday, 09:20 in India
BACK = "http://127.0.0.1:8021"
READ_TIMEOUT = 0.5  # seconds; a broker's answer on this machine takes a hundredth of it

# What can go wrong with an order, by how often; {late} is a little longer than ordo waits.
PLACE = {
    "accept-then-drop": 5,
    "drop-before": 4,
    "reset-after-head": 3,
    "latency={late}": 2,
    "latency=40": 1,
    "late-answer={late}": 2,
    "status=500": 1,
    "status=502": 1,
    "status=503": 1,
    "status=504": 1,
    "status=429": 2,
    "status=400": 1,
    "accept-then-status=408": 1,  # not 400 or 429: what some brokers answer then is documented to be a refusal
    "accept-then-status=409": 1,
    "accept-then-status=500": 1,
    "accept-then-status=502": 1,
    "accept-then-status=503": 1,
    "accept-then-status=504": 1,
    "unacknowledged": 2,
    "truncate": 3,
    "html": 3,
    "empty": 3,
    "not-json": 3,
    "duplicate-answer": 3,
    "session-death": 2,
    "ip-refused": 2,
}
# And with what is read. Those that last hold until the rules are cleared, the others for one to three questions.
READS = ("book", "book", "book", "trades", "positions", "funds", "margin", "quotes")
READ = {
    "drop-before": 1,
    "accept-then-drop": 1,
    "reset-after-head": 1,
    "truncate": 1,
    "html": 1,
    "empty": 1,
    "not-json": 1,
    "status=500": 1,
    "status=429": 1,
    "latency={late}": 1,
    "duplicate-answer": 1,
    "session-death": 1,
}
LASTING = {"book-lag={lag}": 6, "book-shrink": 2, "unknown-status": 3}


class DayClock:
    """The time of day of ordo and the sandbox alike. It runs as the machine's does, and long sleeps are skipped.

    What is short, such as a rest between two attempts, is really slept: connections and their time-outs are real.
    """

    def __init__(self, start: datetime) -> None:
        self._machine, self._start = SystemClock(), start
        self._began = self._machine.elapsed()
        self._skipped = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed() - self._began)

    def elapsed(self) -> float:
        return self._machine.elapsed() + self._skipped

    async def sleep(self, seconds: float) -> None:
        until = self.elapsed() + seconds
        await self._machine.sleep(seconds if seconds < 1 else 0.01)
        self._skipped += max(0.0, until - self.elapsed()) if seconds >= 1 else 0.0

    def skip(self, seconds: float) -> None:
        self._skipped += max(0.0, seconds)


@dataclass(frozen=True, slots=True)
class Customer:
    """One account of ordo's and the sandbox's customer behind it."""

    name: AccountId
    broker: str
    at: SandboxAccount
    base_url: str

    @property
    def secrets(self) -> Mapping[str, str]:
        at = self.at
        return {
            "zerodha": {"user_id": at.user, "api_key": at.api_key, "api_secret": at.api_secret},
            "fyers": {"app_id": at.api_key, "app_secret": at.api_secret, "redirect_uri": BACK},
            "hdfc": {"api_key": at.api_key, "api_secret": at.api_secret, "user_id": at.user, "password": at.password},
            "mstock": {"client_id": at.user, "password": at.password, "api_key": at.api_key},
        }[self.broker]

    def tag_sent(self, tag: Tag) -> str:
        """What goes out with an order as its tag."""
        return reference_of(tag) if self.broker == "hdfc" else tag


class Door:
    """The sandbox's control API, asked as anybody else would."""

    def __init__(self, http: httpx.AsyncClient, sandbox: Sandbox) -> None:
        self._http = http
        self._base = f"http://127.0.0.1:{next(iter(sandbox.desks.values())).port}/_sandbox/"

    async def ask(self, name: str, **query: str) -> Any:
        answer = await self._http.get(self._base + name, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def change(self, name: str, **given: object) -> Any:
        answer = await self._http.post(self._base + name, json=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def page(self, customer: Customer, address: str, now: datetime) -> str:
        """Log in at the broker's own page, and give the address at which the browser ends."""
        shown = await self._http.get(address)
        hidden = re.findall(r'<input type=hidden name=(\w+) value="([^"]*)"', shown.text)
        at, code = customer.at, code_of(customer.at.totp_secret, int(now.timestamp()) // 30)
        typed = {"user_id": at.user, "fy_id": at.user, "password": at.password, "pin": at.pin, "totp": code}
        form = {name: html.unescape(value) for name, value in hidden}
        form |= {name: typed[name] for name in re.findall(r"<input name=(\w+)", shown.text)}
        action = re.search(r'action="([^"]*)"', shown.text)
        assert action is not None, shown.text
        back = await self._http.post(customer.base_url + action[1], data=form)
        assert back.status_code == 302, back.text
        return back.headers["location"]


def customers(sandbox: Sandbox) -> list[Customer]:
    return [
        Customer(AccountId(NAMES[name]), name, desk.accounts[0], f"http://127.0.0.1:{desk.port}")
        for name, desk in sandbox.desks.items()
    ]


async def prepare(home: Home, clock: DayClock, door: Door, people: Sequence[Customer]) -> None:
    """A home with everybody's account, and this machine's address for the login pages to send the browser to."""
    key = os.path.join(home.config, "vault.key")
    async with open_desk(home, clock=clock) as desk:
        await setup.initialise(desk, setup.propose(desk, "vault", key, None))
    async with open_desk(home, clock=clock) as desk:
        await accounts.set_value(desk, "sending.read_timeout", str(READ_TIMEOUT))
        for each in people:
            wishes = accounts.Wishes(groups=("family",), base_url=each.base_url)
            await accounts.add(desk, each.name, each.broker, wishes, each.secrets)
    for broker in ("zerodha", "fyers"):
        await door.change("redirect", broker=broker, url=BACK)


async def log_in(desk: Desk, door: Door, people: Sequence[Customer]) -> None:
    """Log in whoever is not, as a person would."""
    by_name = {each.name: each for each in people}
    for state in await login.start(desk, [Target(each.name) for each in people]):
        if state.standing is not Standing.LIVE or state.problem is not None:
            await _answer(desk, door, by_name[state.account], state)


async def _answer(desk: Desk, door: Door, customer: Customer, state: LoginState) -> None:
    asked = state.challenge
    assert asked is not None, f"{customer.name}: {state.problem}"
    if asked.kind is ChallengeKind.REDIRECT:
        found = re.search(r"https?://\S+", asked.prompt)
        assert found is not None, asked.prompt
        text = await door.page(customer, found[0], desk.clock.now())
    else:
        codes = await door.ask("otp", broker=customer.broker, account=customer.at.user)
        text = codes["codes"][0]["otp"]
    after = await login.answer(desk, customer.name, text)
    assert after.standing is Standing.LIVE, after


async def fetch_lists(desk: Desk) -> None:
    for done in await masters.sync(desk):
        assert done.problem is None, done


def draw(luck: random.Random, people: Sequence[Customer]) -> dict[str, list[str]]:
    """Rules for one fan-out, by broker: at least one strikes an order or the book that it is looked for in."""
    rules: dict[str, list[str]] = {}
    while not rules:
        for each in people:
            drawn = _drawn(luck, each.broker)
            if drawn:
                rules[each.broker] = drawn
    return rules


def _drawn(luck: random.Random, broker: str) -> list[str]:
    found = []
    if luck.random() < 0.6:
        found.append(f"{broker}:place:{_one(luck, PLACE)}x1")
    if luck.random() < 0.12:
        found.append(f"{broker}:{luck.choice(READS)}:{_one(luck, READ)}x{luck.randint(1, 3)}")
    if luck.random() < 0.2:
        found.append(f"{broker}:book:{_one(luck, LASTING)}")
    return found


def _one(luck: random.Random, kinds: Mapping[str, int]) -> str:
    text = luck.choices(list(kinds), list(kinds.values()))[0]
    return text.format(late=int(READ_TIMEOUT * 1000) + luck.randint(20, 150), lag=luck.choice((5, 30, 90, 240)))
