"""The client for asyncio. `sync.py` is made of this file; change this one, then run `python -m tests.client.making`."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import httpx

from ordo_cli.client import calls, nouns
from ordo_cli.client.address import Address
from ordo_cli.client.aioline import PATIENCE, TIMEOUT, Line
from ordo_cli.client.calls import Call
from ordo_cli.client.models import read
from ordo_cli.client.patience import IN_FLIGHT
from ordo_cli.domain.keys import new_key
from ordo_cli.domain.seams import Chance, Clock
from ordo_cli.machine import SystemChance, SystemClock


class AsyncOrdo:
    """An `ordo serve`, from Python.

    ```python
    from ordo_cli.client import AsyncOrdo

    async with AsyncOrdo("http://127.0.0.1:8020", token=os.environ["ORDO_TOKEN"]) as ordo:
        placed = await ordo.orders.place(side="buy", instrument="NSE:INFY", quantity=10, to=["alice", "@family"])
        async for change in ordo.fanouts.events(placed.id):
            print(change.kind, change.data)
        await ordo.kill.engage(reason="enough for today")
    ```

    `url` is https anywhere, http on this machine only, or `unix:///path`. What the server refuses is raised as the
    error of `ordo_cli.domain.errors` that the same operation raises in its own process. `patience` is how many seconds
    a call that may be repeated is repeated for; an order is repeated by its key and never without.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        verify: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        chance: Chance | None = None,
    ) -> None:
        self._address = Address(url)
        clock, chance = clock or SystemClock(), chance or SystemChance()
        line = Line(self._address, token, timeout, patience, verify, transport, clock, chance)
        self._line = line
        self.orders, self.fanouts, self.legs = Orders(line), FanOuts(line), Legs(line)
        self.accounts, self.kill = Accounts(line), Kill(line)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._line.close()

    def __repr__(self) -> str:
        return f"AsyncOrdo({self._address.url!r})"

    async def positions(self, *targets: str) -> nouns.Positions:
        """Net positions of the day; `failures` names every account that could not be read."""
        return await _read(self._line, nouns.Positions, calls.consolidated("positions", targets))

    async def holdings(self, *targets: str) -> nouns.Holdings:
        """Shares held."""
        return await _read(self._line, nouns.Holdings, calls.consolidated("holdings", targets))

    async def funds(self, *targets: str) -> nouns.Funds:
        """Money free and used."""
        return await _read(self._line, nouns.Funds, calls.consolidated("funds", targets))

    async def trades(self, *targets: str) -> nouns.Trades:
        """Today's trades."""
        return await _read(self._line, nouns.Trades, calls.consolidated("trades", targets))

    async def quotes(self, *instruments: str, account: str | None = None) -> list[nouns.Quote]:
        """Prices now; an instrument that nobody knows is missing."""
        return await _read(self._line, list[nouns.Quote], calls.quotes(instruments, account))

    async def status(self) -> nouns.Status:
        """Kill switch, accounts, unknown legs, last calls; asks no broker."""
        return await _read(self._line, nouns.Status, calls.status())

    async def audit(
        self,
        *,
        kind: str | None = None,
        fan_out: str | None = None,
        leg: str | None = None,
        since: str | None = None,
        limit: int = 50,
    ) -> list[nouns.AuditRow]:
        """The latest rows of the audit that fit, oldest first."""
        call = calls.audit(kind=kind, fan_out=fan_out, leg=leg, since=since, limit=limit)
        return await _read(self._line, list[nouns.AuditRow], call)


class Orders:
    """Orders: place one on many accounts, see what one would do, read the brokers' books."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def place(
        self,
        *,
        side: str,
        instrument: str,
        quantity: int,
        to: str | Iterable[str],
        limit_price: Decimal | str | int | None = None,
        trigger_price: Decimal | str | int | None = None,
        product: str = "cnc",
        validity: str = "day",
        after_market: bool = False,
        disclosed: int | None = None,
        label: str | None = None,
        split: str = "each",
        on_partial: str = "keep",
        allow_duplicate: bool = False,
        confirm: bool = False,
        key: str | None = None,
        wait: bool = True,
    ) -> nouns.FanOut:
        """Send one order to one or many accounts, and say what each broker answered.

        Without `key` one is made; it is `key` of the answer, and in the hint of the error when none came: asking again
        with the same key never sends twice. With `wait=False` the answer comes once the order is written down.

        ```python
        placed = await ordo.orders.place(
            side="buy", instrument="NSE:INFY", quantity=10, limit_price="1500.05", to="@family", key="rebalance-17"
        )
        assert placed.outcome in ("success", "partial", "refused", "unknown", "blocked")
        ```
        """
        body = calls.order_body(
            side=side,
            instrument=instrument,
            quantity=quantity,
            to=to,
            limit_price=limit_price,
            trigger_price=trigger_price,
            product=product,
            validity=validity,
            after_market=after_market,
            disclosed=disclosed,
            label=label,
            split=split,
            on_partial=on_partial,
            allow_duplicate=allow_duplicate,
            confirm=confirm,
        )
        chosen = new_key(self._line.clock.now(), self._line.chance) if key is None else key
        call = calls.place(body, chosen, asynchronous=not wait)
        reply = await self._line.ask(call)
        if reply.status == IN_FLIGHT:  # an earlier try with this key is under way
            begun = await _read(self._line, nouns.FanOut, calls.at(reply.headers["location"]))
            return begun.model_copy(update={"replayed": True})
        return read(nouns.FanOut, call, reply)

    async def preview(
        self,
        *,
        side: str,
        instrument: str,
        quantity: int,
        to: str | Iterable[str],
        limit_price: Decimal | str | int | None = None,
        trigger_price: Decimal | str | int | None = None,
        **more: Any,
    ) -> nouns.Preview:
        """What the order would do and what speaks against it; nothing is sent. Takes the options of `place`."""
        body = calls.order_body(
            side=side,
            instrument=instrument,
            quantity=quantity,
            to=to,
            limit_price=limit_price,
            trigger_price=trigger_price,
            **more,
        )
        return await _read(self._line, nouns.Preview, calls.preview(body))

    async def books(self, *targets: str) -> nouns.Books:
        """The order books of the brokers, each order with the leg of ours that it is."""
        return await _read(self._line, nouns.Books, calls.consolidated("orders", targets))


class FanOuts:
    """Fan-outs: one order sent to many accounts; listed, watched, cancelled, settled. Ids may be shortened."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def list(self, *, limit: int = 20, account: str | None = None) -> list[nouns.FanOut]:
        """The newest ones first."""
        return await _read(self._line, nouns.ListOfFanOuts, calls.fan_outs(limit, account))

    async def get(self, fan_out_id: str) -> nouns.FanOut:
        """One with its legs."""
        return await _read(self._line, nouns.FanOut, calls.fan_out(fan_out_id))

    async def events(
        self, fan_out_id: str, *, until: str = "terminal", last: str | None = None
    ) -> AsyncIterator[nouns.Change]:
        """Every change of a leg as it happens, until it is `accepted`, `filled` or nothing more will happen.

        The last change is the whole fan-out; a leg that nobody can tell about keeps it from coming until somebody has
        settled it, and closing the iterator ends the stream before. A lost connection is taken up where it was lost;
        `last` is the `id` of the last change that is already known.
        """
        async for event in self._line.follow(calls.events(fan_out_id, until), last):
            yield nouns.change(event)

    async def cancel(self, fan_out_id: str) -> nouns.ListOfCancelled:
        """Cancel every leg that still works. The kill switch never stops this."""
        return await _read(self._line, nouns.ListOfCancelled, calls.cancel_fan_out(fan_out_id))

    async def reconcile(self, fan_out_id: str) -> nouns.Reconciled:
        """Look in the brokers' books what became of its unsettled legs. Sends nothing."""
        return await _read(self._line, nouns.Reconciled, calls.reconcile(fan_out_id))


class Legs:
    """Legs: the order of one account inside a fan-out."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def get(self, leg_id: str) -> nouns.Order:
        """One leg with what was asked for, and how its broker's book shows it now."""
        return await _read(self._line, nouns.Order, calls.leg(leg_id))

    async def modify(
        self,
        leg_id: str,
        *,
        quantity: int | None = None,
        limit_price: Decimal | str | int | None = None,
        trigger_price: Decimal | str | int | None = None,
        confirm: bool = False,
    ) -> nouns.Order:
        """Change what still works of it. Asked once: after silence look before you ask again."""
        call = calls.modify(
            leg_id, quantity=quantity, limit_price=limit_price, trigger_price=trigger_price, confirm=confirm
        )
        return await _read(self._line, nouns.Order, call)

    async def cancel(self, leg_id: str) -> nouns.CancelledOut:
        """Cancel what still works of it. The kill switch never stops this."""
        return await _read(self._line, nouns.CancelledOut, calls.cancel_leg(leg_id))


class Accounts:
    """Accounts: who orders can be for, and their logins."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def list(self) -> list[nouns.Account]:
        """Every account that this token may see."""
        return await _read(self._line, nouns.ListOfAccounts, calls.accounts())

    async def logins(self, *targets: str) -> nouns.ListOfLogins:
        """How each account stands with its broker's login: those named, or all."""
        return await _read(self._line, nouns.ListOfLogins, calls.logins(targets))

    async def login(self, account: str) -> nouns.Login:
        """Log the account in, unless it is live; a `challenge` in the answer waits for `answer`. Asked once."""
        return await _read(self._line, nouns.Login, calls.login(account))

    async def answer(self, account: str, answer: str, challenge: str | None = None) -> nouns.Login:
        """Answer what its broker asks. Asked once: a second wrong answer could lock the account."""
        return await _read(self._line, nouns.Login, calls.login_answer(account, answer, challenge))

    async def log_out(self, account: str) -> nouns.Login:
        """End its session, at the broker too."""
        return await _read(self._line, nouns.Login, calls.log_out(account))


class Kill:
    """The kill switch: press it, see how it stands, release it."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def engage(
        self,
        scope: str = "global",
        level: str = "block",
        reason: str = "",
        *,
        include_protective: bool = False,
        foreign: bool = False,
    ) -> nouns.Pressed:
        """Stop: nothing new leaves after this returns. Pressed again and again until the server confirms it.

        `level` is `block`, `cancel` (open orders too) or `flatten` (positions too).

        ```python
        pressed = await ordo.kill.engage("account:alice", reason="wrong size")
        assert pressed.engaged and pressed.quiet
        ```
        """
        call = calls.kill(scope, level, reason, include_protective=include_protective, foreign=foreign)
        return await _read(self._line, nouns.Pressed, call)

    async def status(self) -> nouns.KillState:
        """How the switch stands for every scope and account."""
        return await _read(self._line, nouns.KillState, calls.kill_status())

    async def release(self, scope: str, reason: str, *, acknowledge: Iterable[str] = ()) -> nouns.Switch:
        """Let a scope send again; needs a token with `kill:release`. Asked once: a press in between must win."""
        return await _read(self._line, nouns.Switch, calls.release(scope, reason, acknowledge))


async def _read[T](line: Line, kind: type[T], call: Call) -> T:
    return read(kind, call, await line.ask(call))
