"""The doctor: looks at everything ordo stands on, one verdict for each, and says how to mend what is wrong."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from ordo_cli import arming, config, press
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import OrdoError
from ordo_cli.domain.kill import GLOBAL, Scope, Switch, scopes_over
from ordo_cli.domain.legs import Block, Submission
from ordo_cli.domain.money import shown
from ordo_cli.domain.seams import Clock, Disk
from ordo_cli.domain.sessions import Standing
from ordo_cli.domain.values import dataclass
from ordo_cli.home import Home, network_file_system
from ordo_cli.machine import SystemClock, SystemDisk
from ordo_cli.services import breaker, masters, sessions
from ordo_cli.services.chapters import unfinished

LEAST_FREE = 64 << 20  # bytes; below this, or below one percent, nothing new is sent
TICK = 0.05  # seconds over which two clocks are compared
DRIFT = 0.5  # seconds that they may disagree over a tick
LEAST_REDIS, REDIS_DRIFT = 7, 2.0  # version, and seconds that its clock may be off
AHEAD = timedelta(seconds=2)  # a record may be this much younger than now


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look found, and what mends it."""

    check: str
    verdict: Level
    message: str
    mend: str | None = None


async def examine(home: Home, clock: Clock | None = None, disk: Disk | None = None) -> list[Verdict]:
    """Every check, in order. Nothing stops it: what cannot be looked at is a verdict of its own."""
    clock, disk = clock or SystemClock(), disk or SystemDisk()
    verdicts = [*_config(home), await _clock(clock), *_folders(home), *_files(home), _disk(home, disk)]
    verdicts.append(_file_system(home))
    try:
        async with open_desk(home, actor="doctor") as desk:
            return verdicts + [verdict async for verdict in _at_the_desk(desk)]
    except OrdoError as error:
        return [*verdicts, Verdict("database", Level.FAIL, error.message, error.hint or "ordo db check")]


async def _at_the_desk(desk: Desk) -> AsyncIterator[Verdict]:
    accounts = await desk.store.accounts.all()
    switches = {switch.scope: switch for switch in await desk.store.switches.all()}
    yield await _database(desk)
    yield await _records(desk)
    for verdict in await _redis(desk):
        yield verdict
    yield _secrets(desk, accounts)
    yield await _sessions(desk, accounts)
    for verdict in (*_arming(desk.home, accounts, switches), *_presses(desk.home), *await _sweeps(desk, switches)):
        yield verdict
    yield await _unknown(desk)
    yield _spill(desk)
    for verdict in (
        *_masters(desk, accounts),
        *_egress(accounts),
        *_breakers(desk, accounts),
        *_limits(desk, accounts),
    ):
        yield verdict


def _config(home: Home) -> Iterator[Verdict]:
    path = home.config_file
    if not os.path.exists(path):
        yield Verdict("config", Level.WARN, f"{path} is not there; every setting is at its default", "ordo init")
        return
    try:
        loaded = config.load(home)
    except OrdoError as error:
        yield Verdict("config", Level.FAIL, error.message, error.hint or f"edit {path}")
        return
    if loaded.distrust:
        yield Verdict("config", Level.FAIL, loaded.distrust, f"chmod 600 {path}; chmod 700 {home.config}")
    else:
        yield Verdict("config", Level.OK, f"{path} is well-formed")


async def _clock(clock: Clock) -> Verdict:
    wall, elapsed = clock.now(), clock.elapsed()
    await clock.sleep(TICK)
    drift = (clock.now() - wall).total_seconds() - (clock.elapsed() - elapsed)
    if abs(drift) > DRIFT:
        message = f"the time of day moved {drift:+.1f} seconds against the steady clock"
        return Verdict("clock", Level.FAIL, message, "let NTP settle, then run this again")
    return Verdict("clock", Level.OK, f"{wall:%Y-%m-%d %H:%M:%S} UTC, and steady")


def _folders(home: Home) -> Iterator[Verdict]:
    folders = dict.fromkeys((home.config, home.data, home.run, home.instruments, home.logs))
    yield _closed("folders", [folder for folder in folders if os.path.isdir(folder)], "700")


def _files(home: Home) -> Iterator[Verdict]:
    found = [home.config_file, home.database]
    armed = os.path.join(home.run, "armed.d")
    for folder in dict.fromkeys((home.config, home.data, home.run, armed, home.instruments, home.logs)):
        if os.path.isdir(folder):
            found += [entry.path for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
    yield _closed("files", [path for path in dict.fromkeys(found) if os.path.exists(path)], "600")


def _closed(check: str, paths: list[str], mode: str) -> Verdict:
    wrong = [path for path in paths if os.name == "posix" and _open_to_others(path)]
    if wrong:
        listed = " ".join(wrong[:5]) + (" …" if len(wrong) > 5 else "")
        return Verdict(check, Level.FAIL, f"others may enter or read: {listed}", f"chmod {mode} {listed}")
    return Verdict(check, Level.OK, f"{len(paths)} {check}, for their owner alone")


def _open_to_others(path: str) -> bool:
    found = os.stat(path)
    return bool(stat.S_IMODE(found.st_mode) & 0o077) or found.st_uid != os.geteuid()


def _disk(home: Home, disk: Disk) -> Verdict:
    place = next(folder for folder in _upwards(home.data) if os.path.isdir(folder))
    free, whole = disk.free(place)
    if free < max(LEAST_FREE, whole // 100):
        message = f"{free >> 20} MiB free where {home.data} lies; below 64 MiB or 1 % nothing new is sent"
        return Verdict("disk", Level.FAIL, message, "make room; cancels and ordo kill still work")
    return Verdict("disk", Level.OK, f"{free >> 20} MiB free")


def _upwards(path: str) -> Iterator[str]:
    while True:
        yield path
        path = os.path.dirname(path) or os.sep


def _file_system(home: Home) -> Verdict:
    for folder in (home.run, home.data):
        kind = network_file_system(folder)
        if kind:
            message = f"{folder} lies on a network file system ({kind}), where locks do not hold"
            return Verdict("file system", Level.FAIL, message, "set ORDO_HOME to a folder on a local disk")
    return Verdict("file system", Level.OK, "local, locks hold")


async def _database(desk: Desk) -> Verdict:
    trouble = await desk.store.health()
    if trouble:
        return Verdict("database", Level.FAIL, trouble, "ordo db check; restore a backup: ordo db restore FILE")
    return Verdict("database", Level.OK, await desk.store.described())


async def _records(desk: Desk) -> Verdict:
    rows = await desk.store.audit.rows({}, 1)
    newest = max((row.at for row in rows), default=None)
    if newest is not None and newest > desk.clock.now() + AHEAD:
        message = f"the newest record is from {newest:%Y-%m-%d %H:%M:%S} UTC, which has not come yet"
        return Verdict("time of records", Level.FAIL, message, "set the clock; records keep their order by number")
    return Verdict("time of records", Level.OK, "none is from the future")


async def _redis(desk: Desk) -> list[Verdict]:
    """Nothing where none is configured; never a failure, for without it everything goes on, only slower."""
    health = await desk.cache.health()
    if health is None:
        return []
    if health.trouble:
        mend = f"start it, or correct {config.variable_of('redis.url')}; until then each process keeps its own cache"
        return [Verdict("redis", Level.WARN, f"{health.place}: {health.trouble}", mend)]
    number = health.version.partition(".")[0]
    if not number.isdigit() or int(number) < LEAST_REDIS:
        message = f"{health.place} is version {shown(health.version)}; ordo is tested with {LEAST_REDIS} and later"
        return [Verdict("redis", Level.WARN, message, "install a newer one")]
    if abs(health.ahead) > REDIS_DRIFT:
        message = f"the clock of {health.place} is {health.ahead:+.1f} seconds from ours"
        return [Verdict("redis", Level.WARN, message, "let NTP settle on both machines")]
    return [Verdict("redis", Level.OK, f"{health.place}, version {health.version}")]


def _secrets(desk: Desk, accounts: list[Account]) -> Verdict:
    needed = any(desk.spec(account).credentials for account in accounts)
    if not desk.config.secrets_backend:
        if needed:
            return Verdict("secrets", Level.FAIL, "no place for secrets was chosen", "ordo init --secrets keyring")
        return Verdict("secrets", Level.OK, "no place chosen, and no account needs one")
    try:
        title = desk.secrets.prove()
    except OrdoError as error:
        return Verdict("secrets", Level.FAIL, error.message, error.hint or "ordo init")
    return Verdict("secrets", Level.OK, f"{title} keeps what it is given")


async def _sessions(desk: Desk, accounts: list[Account]) -> Verdict:
    logins = [each for each in await sessions.standings(desk, accounts) if each.standing is not Standing.NOT_NEEDED]
    if not logins:
        return Verdict("sessions", Level.OK, "no account needs one")
    out = [each.account for each in logins if each.standing is not Standing.LIVE]
    if out:
        return Verdict("sessions", Level.WARN, f"not logged in: {' '.join(out)}", f"ordo login {' '.join(out)}")
    short = [each.account for each in logins if each.covers_close is False]
    if short:
        message = f"these end before today's market does: {' '.join(short)}"
        return Verdict("sessions", Level.WARN, message, "see: ordo login status")
    return Verdict("sessions", Level.OK, f"{len(logins)} live beyond today's market close")


def _arming(home: Home, accounts: list[Account], switches: dict[Scope, Switch]) -> Iterator[Verdict]:
    scopes = dict.fromkeys([GLOBAL, *(scope for account in accounts for scope in scopes_over(account)), *switches])
    found = [verdict for scope in scopes for verdict in _armed(home, scope, switches.get(scope))]
    yield from found or [Verdict("kill switch", Level.OK, f"{len(scopes)} scopes armed, as the records say")]


def _armed(home: Home, scope: Scope, switch: Switch | None) -> Iterator[Verdict]:
    path = arming.path_of(home.run, scope.kind, scope.name)
    engaged = switch is not None and switch.engaged
    release = f"ordo kill release --scope {scope}"
    try:
        epoch = arming.epoch_of(arming.armed(path), path)
    except FileNotFoundError:
        if engaged:
            yield Verdict("kill switch", Level.WARN, f"{scope} is stopped, by the switch", release)
        else:
            message = f"{scope} is not armed although no record says so; nothing of it leaves"
            yield Verdict("kill switch", Level.WARN, message, release if switch else "ordo init")
        return
    except OSError as error:
        yield Verdict("kill switch", Level.FAIL, f"{scope}: {error}; nothing of it leaves", release)
        return
    if engaged:
        message = f"{scope} is recorded as stopped, but its arming file is there"
        yield Verdict("kill switch", Level.FAIL, message, f"ordo kill --scope {scope}")
    elif switch is not None and switch.epoch != epoch:
        message = f"{scope} is armed at epoch {epoch}, its record says {switch.epoch}"
        yield Verdict("kill switch", Level.FAIL, message, f"ordo kill --scope {scope}, then {release}")


def _presses(home: Home) -> Iterator[Verdict]:
    for _, asked, _ in press.pending(home.run):
        message = f"{asked.scope} was stopped, which is in force, but its record is still to be written"
        yield Verdict("kill switch", Level.WARN, message, "make room on the disk, then: ordo kill status")


async def _sweeps(desk: Desk, switches: dict[Scope, Switch]) -> list[Verdict]:
    """Clean-ups that began under a press that still stands, and of which nobody knows an end."""
    stopped = {str(scope) for scope, switch in switches.items() if switch.engaged}
    found = [row for row in await unfinished(desk) if row.data["scope"] in stopped]
    return [
        Verdict(
            "kill switch",
            Level.WARN,
            f"the clean-up ({row.data['level']}) of {row.data['scope']} was not finished, unless it is under way "
            f"(last heard of at {row.at:%Y-%m-%d %H:%M:%S} UTC): orders and positions may be open",
            f"ordo kill --scope {row.data['scope']} --{row.data['level']}",
        )
        for row in found
    ]


async def _unknown(desk: Desk) -> Verdict:
    open_legs = [leg for _, leg in await desk.store.journal.unsettled()]
    lost = [leg.id for leg in open_legs if leg.submission in (Submission.UNKNOWN, Submission.DISPUTED)]
    if lost:
        listed = " ".join(lost[:5]) + (" …" if len(lost) > 5 else "")
        return Verdict("legs", Level.WARN, f"{len(lost)} unknown: {listed}", "ordo fanout reconcile")
    return Verdict("legs", Level.OK, "none is unknown")


def _spill(desk: Desk) -> Verdict:
    try:
        kept = desk.spill.kept()
    except (OSError, ValueError) as error:
        return Verdict("spill", Level.FAIL, f"{desk.spill.path} cannot be read ({type(error).__name__})", "keep it")
    if kept:
        message = f"{len(kept)} outcomes lie in {desk.spill.path}, which the journal could not take"
        return Verdict("spill", Level.FAIL, message, "ordo fanout reconcile")
    return Verdict("spill", Level.OK, "empty")


def _breakers(desk: Desk, accounts: list[Account]) -> Iterator[Verdict]:
    """What the last orders of accounts met at their brokers, where it stops the next."""
    for account in accounts:
        found = breaker.problem(desk, account)
        if found is not None:
            what = "egress" if found.code == Block.IP else "broker"
            yield Verdict(what, Level.FAIL, f"{account.id}: {found.message}", found.hint)


def _masters(desk: Desk, accounts: list[Account]) -> Iterator[Verdict]:
    """How old the brokers' lists of instruments are, and whether they are as they were written."""
    for each in masters.ages(desk, [account for account in accounts if account.enabled]):
        sync = f"ordo instrument sync --broker {each.broker}"
        if each.day is None:
            message = f"the list of {each.title} is missing or damaged; orders at it are refused"
            yield Verdict("instruments", Level.WARN, message, sync)
        elif each.stale:
            message = f"the list of {each.title} is of {each.day:%d %b %Y}; orders at it are refused"
            yield Verdict("instruments", Level.WARN, message, sync)
        elif not masters.whole(desk, each.name):
            yield Verdict("instruments", Level.FAIL, f"the list of {each.title} was damaged on the disk", sync)
        else:
            yield Verdict("instruments", Level.OK, f"the list of {each.title} is of {each.day:%d %b %Y}")


def _egress(accounts: list[Account]) -> Iterator[Verdict]:
    chosen = {account.egress: account.id for account in accounts if account.egress}
    for egress, account in chosen.items():
        if urlsplit(egress).scheme:
            yield Verdict("egress", Level.OK, f"{account} leaves through {egress}")
        elif _is_here(egress):
            yield Verdict("egress", Level.OK, f"{account} leaves from {egress}, an address of this machine")
        else:
            message = f"{account} is to leave from {egress}, which is no address of this machine"
            yield Verdict("egress", Level.FAIL, message, f"ordo account edit {account} --egress ADDRESS")


def _is_here(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _limits(desk: Desk, accounts: list[Account]) -> Iterator[Verdict]:
    book = desk.config.limits
    known = {account.id for account in accounts} | {group for account in accounts for group in account.groups}
    nobody = sorted((set(book.accounts) | set(book.groups)) - known)
    if nobody:
        message = f"config.toml has limits for names that no account or group has: {' '.join(nobody)}"
        yield Verdict("limits", Level.WARN, message, f"edit {desk.home.config_file}")
