"""Masters: the brokers' lists of instruments, fetched and indexed side by side, and how old each of them is."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

from ordo_cli import log
from ordo_cli.brokers.indexed import ENDING, name_of
from ordo_cli.domain import market
from ordo_cli.domain.accounts import Account, AccountId, BrokerName, Target
from ordo_cli.domain.errors import Busy, Invalid, NoAnswer, NotFound, OrdoError, SessionNeeded, StoreFailed
from ordo_cli.domain.legs import Problem
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.urls import is_this_machine
from ordo_cli.domain.values import dataclass
from ordo_cli.services.targets import chosen

if TYPE_CHECKING:
    from ordo_cli.brokers.fetching import Bounds
    from ordo_cli.brokers.masters import MasterFile, MasterSource
    from ordo_cli.desk import Desk

STALE = "MASTER_STALE"
UNDER_WAY = "busy"  # somebody else is fetching that list
FILES_AT_ONCE = 3  # of one broker
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one broker's list is."""

    name: str  # of the list: the broker, and a mark where it is of another address
    step: str  # fetching, indexing, done or failed
    done: int = 0  # bytes, then rows
    total: int | None = None  # bytes, where the servers tell


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of one broker's list. `rows` are the instruments in it, `left_out` the lines that were none."""

    name: str
    broker: BrokerName
    base_url: str | None
    day: date | None  # the trading day that it is of now
    rows: int = 0
    left_out: int = 0
    received: int = 0  # bytes
    seconds: float = 0.0
    problem: Problem | None = None

    @property
    def title(self) -> str:
        """Whose list it is, for people."""
        return self.broker if self.base_url is None else f"{self.broker} at {self.base_url}"


@dataclass(frozen=True, slots=True)
class Age:
    """How old the list is that some accounts' orders are judged by. `day` is None when there is none."""

    name: str
    broker: BrokerName
    accounts: tuple[str, ...]
    day: date | None
    stale: bool

    @property
    def title(self) -> str:
        """Whose list it is, for people: a broker's, or that of another address that some accounts have."""
        return self.broker if self.name == self.broker else f"{self.broker} for {', '.join(self.accounts)}"


Watch = Callable[[Progress], None]


def stale(desk: Desk, account: Account) -> Problem | None:
    """What speaks against orders of this account: its broker's list is missing, or of an earlier trading day."""
    if desk.spec(account).master is None:
        return None
    day = desk.lines.tools(account).master.day
    if day is not None and day >= market.last_trading_day(desk.clock.now()):
        return None
    what = "is not on this machine" if day is None else f"is of {day:%d %b %Y}"
    return Problem(
        STALE, f"the list of {account.broker}'s instruments {what}", f"ordo instrument sync --account {account.id}"
    )


def ages(desk: Desk, accounts: Sequence[Account]) -> list[Age]:
    """How old every list is that these accounts need."""
    found = []
    for name, some in _by_list(desk, accounts).items():
        day = desk.lines.tools(some[0]).master.day
        names = tuple(str(each.id) for each in some)
        found.append(Age(name, some[0].broker, names, day, stale(desk, some[0]) is not None))
    return found


def whole(desk: Desk, name: str) -> bool:
    """Whether every byte of a list's index is as it was written."""
    from ordo_cli.index.reading import open_index

    index = open_index(os.path.join(desk.home.instruments, name + ENDING))
    return index is not None and index.whole()


async def sync(
    desk: Desk,
    *,
    account: str | None = None,
    broker: str | None = None,
    watch: Watch = lambda progress: None,
    bounds: Bounds | None = None,
) -> list[Synced]:
    """Fetch and index the lists of all brokers that have accounts here, or of one; each has its own outcome.

    Raises NotFound when no account's broker has a list, Invalid for an account or a broker that needs none.
    """
    desk.rights.require(TokenScope.ADMIN)
    wanted = await _wanted(desk, account, broker)
    lists = _by_list(desk, wanted)
    if not lists:
        raise _nothing_to_do(account, broker)
    return await _all(desk, lists, watch, bounds)


async def freshen(
    desk: Desk, names: Collection[AccountId], watch: Watch = lambda progress: None, bounds: Bounds | None = None
) -> list[Synced]:
    """Fetch what these accounts' orders need and have not: lists that are missing, or of an earlier trading day."""
    desk.rights.require(TokenScope.ADMIN)
    accounts = [each for each in await desk.store.accounts.all() if each.id in names and stale(desk, each) is not None]
    return await _all(desk, _by_list(desk, accounts), watch, bounds)


async def _all(desk: Desk, lists: Mapping[str, list[Account]], watch: Watch, bounds: Bounds | None) -> list[Synced]:
    return list(await asyncio.gather(*(_alone(desk, name, some, watch, bounds) for name, some in lists.items())))


async def _wanted(desk: Desk, account: str | None, broker: str | None) -> list[Account]:
    if account is not None and broker is not None:
        raise Invalid("--account and --broker exclude each other")
    if account is not None:
        return await chosen(desk, [Target(account)])
    accounts = [each for each in await desk.store.accounts.all() if each.enabled]
    if broker is None:
        return accounts
    desk.find(broker)  # NotFound for a name that no broker has
    found = [each for each in accounts if each.broker == broker]
    if not found:
        raise NotFound(f"no account is at {broker}", hint=f"add one: ordo account add NAME --broker {broker}")
    return found


def _nothing_to_do(account: str | None, broker: str | None) -> OrdoError:
    if account is None and broker is None:
        return NotFound("no account's broker keeps a list of instruments to fetch", hint="see: ordo account list")
    return Invalid(f"{account or broker} needs no list of instruments")


def _by_list(desk: Desk, accounts: Sequence[Account]) -> dict[str, list[Account]]:
    """The accounts that share a list, by its name: those of one broker at one address."""
    found: dict[str, list[Account]] = {}
    for each in accounts:
        if desk.spec(each).master is not None:
            found.setdefault(name_of(each), []).append(each)
    return found


async def _alone(desk: Desk, name: str, accounts: list[Account], watch: Watch, bounds: Bounds | None) -> Synced:
    """One list. Nothing that goes wrong with it keeps the others from coming."""
    began = desk.clock.elapsed()
    first = accounts[0]
    try:
        async with desk.locks.only_one(f"instruments-{name}"):
            done = await _one(desk, name, accounts, watch, bounds)
            watch(Progress(name, "done", done.rows))
            return done
    except Busy:
        problem = Problem(UNDER_WAY, f"another ordo is already fetching the list of {name}", "wait for it to end")
    except OrdoError as error:
        problem = Problem.of(error)
    except Exception as error:  # an adapter's bug must not keep the other lists from coming
        log.get(__name__).exception("sync_failed", name=name)
        problem = Problem("bug", f"its list could not be read ({type(error).__name__})", "report it: a bug in ordo")
    watch(Progress(name, "failed"))
    day, seconds = desk.lines.tools(first).master.day, desk.clock.elapsed() - began
    return Synced(name, first.broker, first.base_url, day, seconds=round(seconds, 3), problem=problem)


async def _one(desk: Desk, name: str, accounts: list[Account], watch: Watch, bounds: Bounds | None) -> Synced:
    from ordo_cli.brokers.fetching import USUAL  # httpx, 60 ms
    from ordo_cli.brokers.taking import take

    began, bounds, first = desk.clock.elapsed(), bounds or USUAL, accounts[0]
    source = desk.spec(first).master
    if source is None:
        raise Invalid(f"{first.broker} needs no list of instruments")
    asking, files, headers = await _asking(desk, source, accounts)
    # Of the day on which it was asked for: what is published while it comes may be missing in it.
    day = market.last_trading_day(desk.clock.now())
    folder = os.path.join(desk.home.instruments, name)
    fetched = await _fetched(desk, name, asking, files, headers, folder, watch, bounds)
    loop = asyncio.get_running_loop()

    def told(rows: int) -> None:
        loop.call_soon_threadsafe(watch, Progress(name, "indexing", rows))

    try:
        places = [(file.name, path) for file, (path, _) in zip(files, fetched, strict=True)]
        taken = await asyncio.to_thread(take, source, places, day, told, bounds)
    except ValueError as error:
        for path, _ in fetched:  # asked for anew the next time, whatever its server says of its age
            with suppress(OSError):
                os.unlink(path + ".json")
        raise NoAnswer(f"the list of {name} cannot be read: {str(error)[:200]}", hint="try again later") from error
    path = os.path.join(desk.home.instruments, name + ENDING)
    try:
        _sweep(desk.home.instruments, name + ENDING)
        await asyncio.to_thread(desk.disk.write, path, taken.index)
    except OSError as error:
        raise StoreFailed(f"the list of {name} cannot be written: {error.strerror}", hint="make room") from error
    return Synced(
        name=name,
        broker=first.broker,
        base_url=first.base_url,
        day=day,
        rows=taken.rows,
        left_out=taken.left_out,
        received=sum(received for _, received in fetched),
        seconds=round(desk.clock.elapsed() - began, 3),
    )


async def _asking(
    desk: Desk, source: MasterSource, accounts: list[Account]
) -> tuple[Account, Sequence[MasterFile], Mapping[str, str]]:
    """The account that asks, its files, and what goes along with secret ones; for these it is one with a session."""
    missing: SessionNeeded | None = None
    for account in accounts:
        files = source.files(account)
        _check(account, files)
        if not any(file.secret for file in files):
            return account, files, {}
        try:
            token: Mapping[str, str] = {}
            if desk.spec(account).login(account) is not None:
                kept = await desk.sessions.row(account.id)
                token = (await desk.sessions.opened(kept)).token
        except SessionNeeded as error:
            missing = missing or error
            continue
        return account, files, source.headers(await desk.lines.credentials(account), token)
    raise missing or NotFound("there is nobody to ask")


def _check(account: Account, files: Sequence[MasterFile]) -> None:
    names = [file.name for file in files]
    if not files or len(set(names)) < len(names) or not all(map(FILE.fullmatch, names)):
        raise Invalid(f"{account.broker} names its files in a way that ordo cannot keep")
    if account.base_url is not None and is_this_machine(account.base_url):
        strange = next((file.name for file in files if not is_this_machine(file.url)), None)
        if strange is not None:
            raise Invalid(f"{account.id} is a sandbox on this machine, and its {strange} would be fetched elsewhere")


async def _fetched(
    desk: Desk,
    name: str,
    account: Account,
    files: Sequence[MasterFile],
    headers: Mapping[str, str],
    folder: str,
    watch: Watch,
    bounds: Bounds,
) -> list[tuple[str, int]]:
    """Where each file lies now, and how many bytes came for it; a few at once, over the account's own way out."""
    from ordo_cli.brokers.fetching import fetch
    from ordo_cli.brokers.opening import way_to

    room, transport = asyncio.Semaphore(FILES_AT_ONCE), desk.lines.tools(account).transport
    come: dict[str, tuple[int, int | None]] = {}

    async def one(file: MasterFile) -> tuple[str, int]:
        def told(done: int, total: int | None) -> None:
            come[file.name] = done, total
            totals = [total for _, total in come.values()]
            known = [total for total in totals if total is not None]
            whole = sum(known) if len(known) == len(files) else None
            watch(Progress(name, "fetching", sum(done for done, _ in come.values()), whole))

        async with room:
            fetched = await fetch(
                file,
                folder,
                way_to(account, file.url),
                headers=headers if file.secret else {},
                clock=desk.clock,
                chance=desk.chance,
                bounds=bounds,
                told=told,
                transport=transport,
            )
        return fetched.path, fetched.received

    watch(Progress(name, "fetching"))
    done = await asyncio.gather(*map(one, files), return_exceptions=True)
    trouble = next((each for each in done if isinstance(each, BaseException)), None)
    if trouble is not None:
        raise trouble
    return [each for each in done if not isinstance(each, BaseException)]


def _sweep(folder: str, name: str) -> None:
    """Take away what a crash left of an earlier index that was being written; nobody else writes this one now."""
    for left in os.listdir(folder):
        if left.startswith(f"{name}.new-"):
            with suppress(OSError):
                os.unlink(os.path.join(folder, left))
