"""Batches: judge a file of orders as a whole before anything is sent, then send its rows one after the other, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from ordo_cli.domain import checks, market
from ordo_cli.domain.accounts import Account, AccountId, BrokerName, Target, choose
from ordo_cli.domain.allocation import allocate
from ordo_cli.domain.batch import Fault, Row, keys_of
from ordo_cli.domain.errors import KillEngaged, OrdoError, StoreFailed
from ordo_cli.domain.fanouts import FanOut, Mode
from ordo_cli.domain.instruments import Instrument, InstrumentId
from ordo_cli.domain.journal import DayUse
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.legs import Block, Problem
from ordo_cli.domain.limits import Limits
from ordo_cli.domain.orders import OrderIntent
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import dataclass, field, replace
from ordo_cli.services import cached, masters, orders
from ordo_cli.services.planning import PlaceRequest

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.domain.capabilities import Capabilities

VERB = "batch"
OF_THE_MOMENT = frozenset({"LTP_UNKNOWN", "LTP_STALE"})  # a file is judged without a price; the send judges with one
UNUSED = DayUse(0, Decimal(0), 0)


class Halt(StrEnum):
    """Why a run ended before its last row."""

    KILLED = "killed"
    INTERRUPTED = "interrupted"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Judged:
    """A file that was looked at as a whole: what it would do to whom, and everything that is wrong with it."""

    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]
    accounts: tuple[Account, ...] = ()
    mode: Mode = Mode.PAPER
    copies: tuple[tuple[int, int], ...] = ()  # lines that repeat an earlier one


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row: its fan-out, or the problem that kept it from having one."""

    row: Row
    key: str
    fan_out: FanOut | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Report:
    batch: str
    results: tuple[Result, ...]
    halt: Halt | None = None


async def judge(desk: Desk, rows: Sequence[Row], faults: Sequence[Fault]) -> Judged:
    """Hold the rows against the accounts, their brokers and their limits; the faults of reading are kept."""
    desk.rights.require(TokenScope.TRADE)
    desk.config.require_trusted()
    bench = _Bench(desk, await desk.store.accounts.all())
    found = list(faults)
    for row in rows:
        found.extend(await bench.faults(row))
    modes = {desk.spec(account).mode for account in bench.seen.values()}
    mode = next((mode for mode in (Mode.LIVE, Mode.SANDBOX) if mode in modes), Mode.PAPER)
    found.sort(key=lambda fault: fault.line)
    return Judged(tuple(rows), tuple(found), tuple(bench.seen.values()), mode, _copies(rows))


async def run(
    desk: Desk,
    rows: Sequence[Row],
    batch: str,
    tell: Callable[[Result], None] = lambda result: None,
    *,
    allow_duplicate: bool = False,
    confirmed: bool = False,
) -> Report:
    """Send every row in the order of the file, one run at a time.

    A row that was sent before under its key repeats its answer and sends nothing. The kill switch, a journal that
    cannot be written and a stop by the user end the run; what one row meets does not keep the next from going.
    """
    desk.rights.require(TokenScope.TRADE)
    keys = keys_of(rows, batch, market.trading_day(desk.clock.now()))
    results: list[Result] = []
    async with desk.locks.only_one("batch"):
        for row, key in zip(rows, keys, strict=True):
            result, halt = await _send(desk, row, key, allow_duplicate=allow_duplicate, confirmed=confirmed)
            results.append(result)
            tell(result)
            if halt is not None:
                rest = zip(rows[len(results) :], keys[len(results) :], strict=True)
                results += [Result(row, key, problem=NOT_REACHED[halt]) for row, key in rest]
                return Report(batch, tuple(results), halt)
    return Report(batch, tuple(results))


async def _send(
    desk: Desk, row: Row, key: str, *, allow_duplicate: bool, confirmed: bool
) -> tuple[Result, Halt | None]:
    if desk.stopping.is_set():
        return Result(row, key, problem=NOT_REACHED[Halt.INTERRUPTED]), Halt.INTERRUPTED
    request = PlaceRequest(
        row.intent, row.targets, row.split, key, VERB, allow_duplicate=allow_duplicate, confirmed=confirmed
    )
    try:
        fan_out = await orders.place(desk, request)
    except OrdoError as error:
        problem = Problem.of(error)
        return Result(row, key, problem=problem), Halt.STORE if isinstance(error, StoreFailed) else _halt(desk, None)
    return Result(row, key, fan_out), _halt(desk, fan_out)


def _halt(desk: Desk, fan_out: FanOut | None) -> Halt | None:
    """Whether to go on after a row. A switch on one account or broker stops its own legs and not the file."""
    try:
        desk.gate.stamps([GLOBAL])
    except KillEngaged:
        return Halt.KILLED
    legs = fan_out.legs if fan_out is not None and not fan_out.replayed else ()
    if any(leg.problem is not None and leg.problem.code == Block.STORE for leg in legs):
        return Halt.STORE
    return Halt.INTERRUPTED if desk.stopping.is_set() else None


NOT_REACHED = {
    Halt.KILLED: Problem(Block.KILL, "not started: the kill switch was engaged", "ordo kill status"),
    Halt.INTERRUPTED: Problem(
        Block.INTERRUPTED, "not started: the run was stopped", "run the file again to send the rest"
    ),
    Halt.STORE: Problem(Block.STORE, "not started: the journal could not be written", "ordo doctor"),
}


def _copies(rows: Sequence[Row]) -> tuple[tuple[int, int], ...]:
    """Each line that asks for exactly what an earlier one did, with that earlier line."""
    first: dict[object, int] = {}
    pairs = ((row.line, first.setdefault(row.order, row.line)) for row in rows)
    return tuple((line, earlier) for line, earlier in pairs if line != earlier)


@dataclass
class _Bench:
    """Judges rows and remembers what it asked, so that ten thousand rows ask each broker once for an instrument."""

    desk: Desk
    accounts: Sequence[Account]
    seen: dict[AccountId, Account] = field(default_factory=dict)
    _chosen: dict[tuple[Target, ...], list[tuple[Account, int | None]] | OrdoError] = field(default_factory=dict)
    _instruments: dict[tuple[BrokerName, InstrumentId], Instrument | OrdoError | None] = field(default_factory=dict)
    _terms: dict[AccountId, tuple[Capabilities, Limits, bool]] = field(default_factory=dict)

    async def faults(self, row: Row) -> list[Fault]:
        """Everything against one row that can be known without a price and before its turn."""
        chosen = self._choose(row.targets)
        if isinstance(chosen, OrdoError):
            return [Fault(row.line, chosen.message, "to", chosen.hint)]
        for account, _ in chosen:
            self.seen.setdefault(account.id, account)
        if len({self._of(account)[2] for account, _ in chosen}) > 1:
            return [Fault(row.line, "one order cannot go to live and paper accounts together", "to")]
        instruments = {account.id: await self._instrument(account, row.intent.instrument) for account, _ in chosen}
        lots = {found.lot for found in instruments.values() if isinstance(found, Instrument)}
        weights = {account.id: account.weight for account, _ in chosen}
        own = {account.id: quantity for account, quantity in chosen if quantity is not None}
        try:
            shares = allocate(row.intent.quantity, weights, row.split, own, min(lots, default=1)).shares
        except OrdoError as error:
            return [Fault(row.line, error.message, "qty", error.hint)]
        legs = [(account, shares[account.id]) for account, _ in chosen if account.id in shares]
        return _gathered(row.line, (self._objections(row, *leg, instruments[leg[0].id]) for leg in legs))

    def _choose(self, targets: tuple[Target, ...]) -> list[tuple[Account, int | None]] | OrdoError:
        if targets not in self._chosen:
            try:
                found = choose(self.accounts, targets)
                self.desk.rights.require_accounts(account for account, _ in found)
                self._chosen[targets] = found
            except OrdoError as error:
                self._chosen[targets] = error
        return self._chosen[targets]

    async def _instrument(self, account: Account, name: InstrumentId) -> Instrument | OrdoError | None:
        """The instrument as this broker trades it; an error when it could not be asked, no fault of the row."""
        asked = account.broker, name
        if asked not in self._instruments:
            try:
                self._instruments[asked] = await cached.instrument(self.desk, account, name)
            except OrdoError as error:
                self._instruments[asked] = error
        return self._instruments[asked]

    def _of(self, account: Account) -> tuple[Capabilities, Limits, bool]:
        if account.id not in self._terms:
            spec = self.desk.spec(account)
            paper = spec.mode is Mode.PAPER
            limits = self.desk.config.limits.for_account(account, paper)
            self._terms[account.id] = spec.capabilities(account), limits, paper
        return self._terms[account.id]

    def _objections(
        self, row: Row, account: Account, quantity: int, instrument: Instrument | OrdoError | None
    ) -> tuple[AccountId, list[Problem]]:
        if isinstance(instrument, OrdoError):
            return account.id, []
        able, limits, paper = self._of(account)
        case = checks.Case(
            account=account,
            intent=row.intent if quantity == row.intent.quantity else _share(row, quantity),
            able=able,
            instrument=instrument,
            quote=None,
            limits=limits,
            book=self.desk.config.limits,
            paper=paper,
            use=UNUSED,
            opposite=(),
            now=self.desk.clock.now(),
            stale=masters.stale(self.desk, account),
        )
        against = (each.problem for each in checks.objections(case) if not each.soft)
        return account.id, [problem for problem in against if problem.code not in OF_THE_MOMENT]


def _share(row: Row, quantity: int) -> OrderIntent:
    disclosed = row.intent.disclosed
    return replace(row.intent, quantity=quantity, disclosed=disclosed and min(disclosed, quantity))


def _gathered(line: int, found: Iterable[tuple[AccountId, list[Problem]]]) -> list[Fault]:
    """One fault for each problem, however many accounts have it."""
    who: dict[Problem, list[AccountId]] = {}
    for account, problems in found:
        for problem in problems:
            who.setdefault(problem, []).append(account)
    return [Fault(line, f"{', '.join(names)}: {it.message}", None, it.hint) for it, names in who.items()]
