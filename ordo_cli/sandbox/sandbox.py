"""The whole sandbox: its brokers' counters over one exchange, each at a port of its own, until it is told to stop."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import import_module

from ordo_cli.brokers.paper.exchange import Rules
from ordo_cli.brokers.paper.hours import Hours
from ordo_cli.domain.errors import NotFound
from ordo_cli.domain.money import shown
from ordo_cli.domain.seams import Clock
from ordo_cli.domain.values import dataclass
from ordo_cli.sandbox.accounts import SandboxAccount, make_accounts
from ordo_cli.sandbox.chance import SeededChance
from ordo_cli.sandbox.clock import SandboxClock
from ordo_cli.sandbox.control import PREFIX, Control
from ordo_cli.sandbox.desk import Desk
from ordo_cli.sandbox.dispatch import Counter
from ordo_cli.sandbox.faults import Faults
from ordo_cli.sandbox.floor import Floor
from ordo_cli.sandbox.gateway import Gateway
from ordo_cli.sandbox.record import Record
from ordo_cli.sandbox.server import Handle, Listener, Manner
from ordo_cli.sandbox.wire import Reply, Request

GATEWAYS = ("zerodha", "mstock", "fyers", "hdfc")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a sandbox is set up. `port` is the first broker's, the others follow; 0 takes free ones."""

    folder: str
    brokers: tuple[str, ...] = GATEWAYS
    port: int = 8100
    seed: int = 1
    accounts: int = 2
    faults: tuple[str, ...] = ()
    exchange_hours: bool = False
    redirect: str | None = None  # where login pages send the browser; None for each broker's default


def gateway(name: str) -> Gateway:
    """The gateway of one broker. Raises NotFound for a name that none has."""
    if name not in GATEWAYS:
        raise NotFound(f"the sandbox has no broker {shown(name)}", hint="it has: " + " ".join(GATEWAYS))
    found: Gateway = import_module(f"ordo_cli.sandbox.{name}").GATEWAY
    return found


class Sandbox:
    """Everything that runs, before a port is open."""

    def __init__(self, settings: Settings, clock: Clock, tell: Callable[[str], None]) -> None:
        chance = SeededChance(settings.seed)
        self.settings = settings
        self.clock = SandboxClock(clock)
        self.record = Record()
        self.faults = Faults(chance, settings.brokers)
        for rule in settings.faults:
            self.faults.add(rule)
        gateways = [gateway(name) for name in settings.brokers]
        rules = Rules(seed=settings.seed, hours=Hours(exchange=settings.exchange_hours))
        self.floor = Floor(settings.folder, self.clock, rules)
        self.desks = {
            each.name: Desk(
                broker=each.name,
                accounts=make_accounts(each.name, settings.accounts, chance),
                limits=each.limits,
                echoes=each.echoes,
                floor=self.floor,
                clock=self.clock,
                chance=chance,
                tell=tell,
            )
            for each in gateways
        }
        for desk in self.desks.values():
            desk.redirect = settings.redirect or desk.redirect
        self.counters = {each.name: Counter(each, self.desks[each.name], self.faults, self.record) for each in gateways}
        self._control = Control(self)

    def handler(self, broker: str) -> Handle:
        counter = self.counters[broker]

        async def handle(request: Request) -> tuple[Reply, Manner]:
            if request.path.startswith(PREFIX):
                return self._control.answer(request), Manner.WHOLE
            return await counter.take(request)

        return handle

    def reset(self) -> None:
        """As at the start: a new exchange, no session, no rule but those of the start, nothing received."""
        self.floor.reset()
        self.record.clear()
        self.faults.clear()
        for rule in self.settings.faults:
            self.faults.add(rule)
        for desk in self.desks.values():
            desk.reset()


@asynccontextmanager
async def serving(settings: Settings, clock: Clock, tell: Callable[[str], None]) -> AsyncIterator[Sandbox]:
    """A sandbox that takes requests. Raises Busy for a port that is taken."""
    os.makedirs(settings.folder, mode=0o700, exist_ok=True)
    sandbox = Sandbox(settings, clock, tell)
    listeners: list[Listener] = []
    try:
        for place, broker in enumerate(settings.brokers):
            listener = Listener(sandbox.handler(broker))
            await listener.start(settings.port + place if settings.port else 0)
            listeners.append(listener)
            sandbox.desks[broker].port = listener.port
        yield sandbox
    finally:
        for listener in listeners:
            await listener.close()
        sandbox.floor.close()


def _second(account: SandboxAccount) -> str:
    return f"totp secret {account.totp_secret}" if account.has_totp else "codes are sent, and told here"


def table(sandbox: Sandbox) -> Sequence[str]:
    """What whoever runs it needs: where each broker is, whom it knows, and how ordo gets to know them."""
    lines = []
    for desk in sandbox.desks.values():
        each = sandbox.counters[desk.broker].gateway
        base = f"http://127.0.0.1:{desk.port}"
        lines += [f"{desk.broker:<9}{base}  {each.title}", f"         login pages redirect to {desk.redirect}"]
        for account in desk.accounts:
            name = account.user.lower()
            lines += [
                f"  {account.user}  key {account.api_key}  secret {account.api_secret}",
                f"      password {account.password}  pin {account.pin}  {_second(account)}",
                f"      ordo account add {name} --broker {desk.broker} --base-url {base}",
            ]
            page = each.login_address(desk, account)
            if page is not None:
                lines.append(f"      login page {base}{page}")
    lines.append("what brokers received, faults, clock, codes: GET and POST /_sandbox/ at any of these ports")
    return lines
