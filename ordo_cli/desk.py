"""The desk: the tools that every service works with, opened together and closed together. It has no behaviour."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ordo_cli import brokers, log
from ordo_cli.brokers.base import Broker, BrokerSpec, Tools
from ordo_cli.brokers.indexed import Masters
from ordo_cli.cache import Cache, Channels, channel_of, open_cache
from ordo_cli.config import Config, load
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.errors import StoreFailed
from ordo_cli.domain.seams import NO_METER, Chance, Clock, Disk, Failpoint, Meter
from ordo_cli.domain.sessions import KeptSession
from ordo_cli.domain.tokens import FULL, Rights
from ordo_cli.domain.urls import passwords
from ordo_cli.domain.values import dataclass, field, replace
from ordo_cli.gate import Gate
from ordo_cli.home import Home, make
from ordo_cli.locks import Locks
from ordo_cli.machine import SystemChance, SystemClock, SystemDisk, allow_many_files, no_failpoint, user
from ordo_cli.pace import Paced
from ordo_cli.secrets import Secrets
from ordo_cli.sessions import Sessions
from ordo_cli.spill import Spill
from ordo_cli.store.store import Store, open_store

FindSpec = Callable[[str], BrokerSpec]
FindTools = Callable[[Account], Tools]


class Stop(asyncio.Event):
    """Set by the first Ctrl-C or SIGTERM: start nothing more."""

    def __init__(self) -> None:
        super().__init__()
        self._wakes: set[Callable[[], None]] = set()

    def set(self) -> None:
        super().set()
        for wake in tuple(self._wakes):
            wake()

    async def or_done(self, *work: asyncio.Future[Any]) -> None:
        """Wait until all of this work is done, or the stop comes; without a task for either, as every leg waits so."""
        left = {each for each in work if not each.done()}
        if not left or self.is_set():
            return
        over = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not over.done():
                over.set_result(None)

        def one_less(done: asyncio.Future[Any]) -> None:
            left.discard(done)
            if not left:
                wake()

        for each in tuple(left):
            each.add_done_callback(one_less)
        self._wakes.add(wake)
        try:
            await over
        finally:
            self._wakes.discard(wake)
            for each in left:
                each.remove_done_callback(one_less)


class Lines:
    """The open line of each account, kept for as long as the desk is, or the session that it was opened with."""

    def __init__(self, find: FindSpec, secrets: Secrets, sessions: Sessions, tools: FindTools) -> None:
        self._find, self._secrets, self._sessions = find, secrets, sessions
        self._tools = tools
        self._lines: list[AbstractAsyncContextManager[Broker]] = []
        self._open: dict[AccountId, tuple[KeptSession | None, asyncio.Task[Broker]]] = {}

    async def to(self, account: Account) -> Broker:
        """This account's broker, connected once however many ask at the same time.

        Raises SessionNeeded for an account that has to log in first. A session is looked up each time, as another
        process may have begun or ended one; the line of an older one stays open for those who are using it.
        """
        return (await self.opened(account))[0]

    async def opened(self, account: Account) -> tuple[Broker, KeptSession | None]:
        """The same, and the session that the line was opened with."""
        needed = self._find(account.broker).login(account) is not None
        session = await self._sessions.row(account.id) if needed else None
        if session is None:
            self._sessions.not_needed(account.id)
        before, line = self._open.get(account.id, (None, None))
        if line is None or before != session or (line.done() and not line.cancelled() and line.exception() is not None):
            line = asyncio.ensure_future(self._connect(account, session))
            self._open[account.id] = session, line
        return (line.result() if line.done() else await asyncio.shield(line)), session

    async def __aenter__(self) -> Lines:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them all at once: a hundred, one after the other, take a hundred turns of the loop."""
        closing = (line.__aexit__(None, None, None) for line in self._lines)
        for trouble in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(trouble, BaseException):
                log.get(__name__).warning("line_not_closed", error=type(trouble).__name__)

    async def credentials(self, account: Account) -> dict[str, str]:
        """What the account's broker was told at its adding, by field name."""
        spec = self._find(account.broker)
        if not spec.credentials and not spec.optional:  # paper asks for none, and needs no place for any
            return {}
        every = partial(self._secrets.every, account.id, spec.credentials, spec.optional)
        found = await self._secrets.reading(every)
        log.hide(*found.values())
        return found

    def tools(self, account: Account) -> Tools:
        """What the account's adapter may use, without a session."""
        return self._tools(account)

    async def _connect(self, account: Account, kept: KeptSession | None) -> Broker:
        session = await self._sessions.opened(kept) if kept is not None else None
        tools, credentials = replace(self.tools(account), session=session), await self.credentials(account)
        line = self._find(account.broker).connect(account, credentials, tools)
        broker = await line.__aenter__()
        self._lines.append(line)
        return broker


@dataclass(frozen=True)
class Desk:
    """Everything a service may touch. `stopping` is set by the first Ctrl-C or SIGTERM: start nothing more."""

    home: Home
    config: Config
    store: Store
    secrets: Secrets
    gate: Gate
    locks: Locks
    lines: Lines
    sessions: Sessions
    spill: Spill
    clock: Clock
    chance: Chance
    disk: Disk
    actor: str
    cache: Cache
    find: FindSpec = brokers.spec
    failpoint: Failpoint = no_failpoint
    meter: Meter = NO_METER
    stopping: Stop = field(default_factory=Stop)
    rights: Rights = FULL
    request_id: str | None = None  # of the HTTP request that is being served

    def acting_as(self, actor: str, rights: Rights, request_id: str | None = None) -> Desk:
        """The same desk with somebody else at it, who may do no more than this and whose name the audit shows."""
        store = self.store.acting_as(actor, request_id)
        sessions = self.sessions.over(store.sessions)
        other = object.__new__(Desk)  # with what this one has, at once: a server does it for every request
        vars(other).update(
            vars(self), store=store, sessions=sessions, actor=actor, rights=rights, request_id=request_id
        )
        return other

    def spec(self, account: Account) -> BrokerSpec:
        return self.find(account.broker).of(account)


@asynccontextmanager
async def open_desk(
    home: Home,
    *,
    config: Config | None = None,
    actor: str | None = None,
    clock: Clock | None = None,
    chance: Chance | None = None,
    disk: Disk | None = None,
    find: FindSpec | None = None,
    failpoint: Failpoint = no_failpoint,
    meter: Meter = NO_METER,
) -> AsyncIterator[Desk]:
    """Open the whole desk at this home, and close it whatever happens.

    `actor` is who does what follows, in the audit and as the owner of idempotency keys; the terminal's user if unsaid.

    Raises StoreFailed or Invalid with a sentence for the user when the home cannot be used as it stands.
    """
    actor = actor or f"cli:{user()}"
    clock, chance, disk = clock or SystemClock(), chance or SystemChance(), disk or SystemDisk()
    allow_many_files()
    try:
        make(home)
    except OSError as error:
        raise StoreFailed(
            f"the folder {error.filename} cannot be used: {error.strerror}", hint="choose another: ordo --home FOLDER …"
        ) from None
    log.configure(home.logs, clock)
    config = config or load(home, os.environ)
    find = find or partial(brokers.spec, allowed=config.plugins)
    channels = Channels()
    log.hide(*passwords(config.database_url))
    async with AsyncExitStack() as stack:
        locks = stack.enter_context(Locks(home.run, clock, chance))
        store = await stack.enter_async_context(
            open_store(
                config.database_url,
                clock=clock,
                chance=chance,
                disk=disk,
                actor=actor,
                owner=locks.owner,
                changed=lambda fan_out: channels.publish(channel_of(fan_out)),
            )
        )
        cache = await stack.enter_async_context(
            open_cache(config.redis_url, store.install.id, store.install.tag_key, clock, chance, channels)
        )
        locks.beyond = store.account_locks
        if meter is not NO_METER:
            store.database.on_commit(meter.commit)
        secrets = Secrets(home, config, disk, chance)

        masters = Masters(home.instruments)

        def tools(account: Account) -> Tools:
            spec, options = find(account.broker), config.brokers.get(account.broker, {})
            made = Tools(clock, chance, Path(home.data), config.read_timeout, options)
            if spec.rates.reads_per_minute is not None or spec.rates.reads_per_second is not None:
                made = replace(made, pace=Paced(home.run, account.id, spec.rates, clock))
            return made if spec.master is None else replace(made, master=masters.of(account))

        sessions = Sessions(store.sessions, secrets, store.install.id, locks=locks, clock=clock, chance=chance)
        lines = await stack.enter_async_context(Lines(find, secrets, sessions, tools))
        gate, spill = Gate(home.run, clock), Spill(home.run)
        spill.reserve()
        yield Desk(
            home=home,
            config=config,
            store=store,
            secrets=secrets,
            gate=gate,
            locks=locks,
            lines=lines,
            sessions=sessions,
            spill=spill,
            clock=clock,
            chance=chance,
            disk=disk,
            actor=actor,
            cache=cache,
            find=find,
            failpoint=failpoint,
            meter=meter,
        )
