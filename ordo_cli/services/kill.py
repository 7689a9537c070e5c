"""The kill switch: engage it, see how it stands, arm what is new, release what was stopped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ordo_cli import arming, press
from ordo_cli.cache import KILL
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.errors import Invalid, KillEngaged, NotFound, Refused
from ordo_cli.domain.kill import GLOBAL, Level, Scope, Switch, covers, scopes_over
from ordo_cli.domain.legs import Leg, Submission
from ordo_cli.domain.tokens import FULL, TokenScope
from ordo_cli.domain.values import dataclass, replace
from ordo_cli.press import Outcome, Press
from ordo_cli.services import covered, presses

if TYPE_CHECKING:
    from ordo_cli.services.sweep import Moved, SweepReport

MAY_LOOK = (TokenScope.READ, TokenScope.KILL_ENGAGE, TokenScope.KILL_RELEASE)
DOUBT = frozenset({Submission.UNKNOWN, Submission.DISPUTED})


@dataclass(frozen=True, slots=True)
class ScopeState:
    """One scope by both witnesses, its file and its row. Unless both say otherwise, it is engaged."""

    scope: Scope
    armed: bool  # the file is there and can be trusted
    trouble: str | None  # what is wrong with the file, if it is there at all
    row: Switch | None

    @property
    def engaged(self) -> bool:
        return not self.armed or self.row is None or self.row.engaged

    @property
    def level(self) -> Level | None:
        """How far the press went. A file removed by hand blocks, and no more."""
        if not self.engaged:
            return None
        return (self.row.level if self.row is not None and self.row.engaged else None) or Level.BLOCK

    @property
    def why(self) -> str:
        """Why it counts as engaged, or that it is armed, in a few words."""
        if not self.engaged:
            return "armed"
        if self.row is not None and self.row.engaged:
            return "engaged" if not self.armed else "engaged by its row; the arming file is still there"
        if self.row is None:
            return "no record of it in the database"
        return self.trouble or "its arming file is missing"


@dataclass(frozen=True, slots=True)
class AccountState:
    """What an account may do: the strictest of the scopes over it, and which those are."""

    account: AccountId
    by: tuple[Scope, ...]
    level: Level | None

    @property
    def engaged(self) -> bool:
        return bool(self.by)


@dataclass(frozen=True, slots=True)
class KillState:
    """How the switch stands. `stamp` changes with every press, so that a release can tell that one came between."""

    scopes: tuple[ScopeState, ...]
    accounts: tuple[AccountState, ...]
    unwritten: tuple[str, ...]  # presses that are in force and not yet in the database
    stamp: int

    @property
    def engaged(self) -> bool:
        return any(scope.engaged for scope in self.scopes) or bool(self.unwritten)


async def engage(desk: Desk, scope: Scope, level: Level = Level.BLOCK, reason: str = "") -> Outcome:
    """Stop the scope, exactly as `ordo kill` does it. Whoever may press may press any scope: it is the safe side."""
    desk.rights.require(TokenScope.KILL_ENGAGE)
    asked = Press(scope.kind, scope.name, int(level), reason)
    asked.actor, asked.request = desk.actor, desk.request_id
    # A thread of its own: the shared ones may all be waiting, for a keyring or for the rows of other presses.
    alone = ThreadPoolExecutor(1, "press")
    try:
        outcome = await asyncio.get_running_loop().run_in_executor(alone, press.engage, desk.home, asked)
    finally:
        alone.shutdown(wait=False)
    desk.cache.publish(KILL, str(scope))
    desk.meter.press(scope, level)
    return outcome


async def sweep(
    desk: Desk,
    scope: Scope,
    level: Level,
    *,
    include_protective: bool = False,
    foreign: bool = False,
    moved: Moved = lambda: None,
) -> SweepReport:
    """Clean up under a scope that is engaged already; `moved` is called at each step."""
    from ordo_cli.services.sweep import sweep  # the engine: 10 ms that looking at the switch need not pay

    desk.rights.require(TokenScope.KILL_ENGAGE)
    desk = replace(desk, rights=FULL)  # what a press cancels and closes is not asked about a second time
    return await sweep(desk, scope, level, include_protective=include_protective, foreign=foreign, moved=moved)


async def state(desk: Desk) -> KillState:
    """How the switch stands, by the files and by the rows; where one cannot be read, it counts as engaged.

    Rights that do not reach every account see the scopes over theirs.
    """
    desk.rights.require(*MAY_LOOK)
    found = await _state(desk)
    return _reached(found, await covered.accounts(desk)) if desk.rights.limited else found


async def _state(desk: Desk) -> KillState:
    accounts = await desk.store.accounts.all()
    rows = {switch.scope: switch for switch in await desk.store.switches.all()}
    listed = sorted({GLOBAL, *rows, *(scope for account in accounts for scope in scopes_over(account))}, key=_order)
    scopes = tuple(_look(desk, scope, rows.get(scope)) for scope in listed)
    standing = {scope.scope: scope for scope in scopes}
    return KillState(
        scopes,
        tuple(_effective(account, standing) for account in accounts),
        tuple(asked.scope for _, asked, _ in press.pending(desk.home.run)),
        arming.pressed(desk.home.run),
    )


async def release(
    desk: Desk, scope: Scope, reason: str, acknowledged: Collection[str] = (), stamp: int | None = None
) -> Switch:
    """Let the scope send again, in a new epoch: nothing planned before can pass. Gives the row as it now is.

    `stamp` is that of the state which the user saw. Raises Refused while a leg of the scope is unknown or disputed and
    not acknowledged, and KillEngaged when the switch was pressed meanwhile: a press always wins.
    """
    desk.rights.require(TokenScope.KILL_RELEASE)
    await _require_reach(desk, scope)
    if not reason.strip():
        raise Invalid("a release needs a reason", hint="--reason TEXT")
    _require_owner(desk)
    if stamp is not None and arming.pressed(desk.home.run) != stamp:
        raise _pressed_again(scope)
    arming.ready(desk.home.run)
    stamp = arming.pressed(desk.home.run)
    await presses.write_down(desk)
    standing = next((each for each in (await _state(desk)).scopes if each.scope == scope), None)
    if standing is None:
        raise NotFound(f"there is no {scope}", hint="see: ordo kill status")
    if not standing.engaged:
        raise Refused(f"{scope} is not engaged", code="not_engaged")
    await _require_certainty(desk, scope, acknowledged)
    epoch = await desk.store.switches.release(scope, reason)
    await write_file(desk, scope, epoch, stamp)
    desk.cache.publish(KILL, str(scope))
    row = await desk.store.switches.get(scope)
    if row.engaged:  # pressed after our row and before our file
        arming.disarm(desk.home.run, scope.kind, scope.name)
        raise _pressed_again(scope)
    return row


async def doubtful(desk: Desk, scope: Scope) -> list[Leg]:
    """The legs under this scope of which nobody knows what became."""
    desk.rights.require(*MAY_LOOK)
    under = {account.id for account in await desk.store.accounts.all() if covers(scope, account)}
    legs = [leg for _, leg in await covered.unsettled(desk)]
    return [leg for leg in legs if leg.account in under and leg.submission in DOUBT]


async def _require_reach(desk: Desk, scope: Scope) -> None:
    """Raises NotAllowed when a release would let an account send that the rights do not reach."""
    if not desk.rights.limited:
        return
    under = [account for account in await desk.store.accounts.all() if covers(scope, account)]
    desk.rights.require_accounts(under)
    if not under:
        desk.rights.require_all_of_it()


def _reached(found: KillState, accounts: Collection[Account]) -> KillState:
    """What of the switch concerns these accounts."""
    over, names = {scope for account in accounts for scope in scopes_over(account)}, {each.id for each in accounts}
    return replace(
        found,
        scopes=tuple(each for each in found.scopes if each.scope in over | {GLOBAL}),
        accounts=tuple(each for each in found.accounts if each.account in names),
        unwritten=tuple(word for word in found.unwritten if word in {str(scope) for scope in over | {GLOBAL}}),
    )


async def _require_certainty(desk: Desk, scope: Scope, acknowledged: Collection[str]) -> None:
    legs = [leg for leg in await doubtful(desk, scope) if leg.id not in acknowledged]
    if legs:
        named = ", ".join(f"{leg.id} ({leg.account}, {leg.state})" for leg in legs[:10])
        more = f" and {len(legs) - 10} more" if len(legs) > 10 else ""
        raise Refused(
            f"nobody knows what became of {named}{more}",
            hint="settle them: ordo fanout reconcile, ordo leg resolve; or accept each: --acknowledge LEG",
            code="unknown_legs",
        )


async def write_file(desk: Desk, scope: Scope, epoch: int, stamp: int) -> None:
    """Bring the arming file back. Raises KillEngaged when it cannot, or the switch was pressed since `stamp`."""
    run, nonce = desk.home.run, desk.chance.token(26)

    def unless_pressed() -> None:
        first = stamp == arming.pressed(run) == 0  # no lock file yet: it is made here, and its stamp with it
        arming.ready(run)
        expected = arming.pressed(run) if first else stamp
        lock = arming.alone(run)  # senders wait too, so that none can pass between the file and the second look
        try:
            if arming.pressed(run) != expected:
                raise _pressed_again(scope)
            arming.arm(run, scope.kind, scope.name, epoch, nonce)
            if any(asked.scope in ("global", str(scope)) for _, asked, _ in press.pending(run)):
                arming.disarm(run, scope.kind, scope.name)
                raise _pressed_again(scope)
        finally:
            os.close(lock)

    try:
        await asyncio.to_thread(unless_pressed)
    except OSError as problem:
        raise KillEngaged(
            f"{scope} stays engaged: its arming file could not be written ({problem.strerror or problem})",
            hint="see: ordo kill status; then ordo kill release again",
        ) from problem


def _require_owner(desk: Desk) -> None:
    run = desk.home.run
    if os.name == "posix" and os.path.exists(run) and os.stat(run).st_uid != os.geteuid():
        raise Refused(f"{run} belongs to another user, who alone may release", code="not_owner")


def _pressed_again(scope: Scope) -> KillEngaged:
    return KillEngaged(f"{scope} was killed again meanwhile, so it stays engaged", hint="see: ordo kill status")


def _look(desk: Desk, scope: Scope, row: Switch | None) -> ScopeState:
    path = arming.path_of(desk.home.run, scope.kind, scope.name)
    try:
        arming.private_folder(os.path.dirname(path))
        epoch = arming.epoch_of(arming.armed(path))
    except FileNotFoundError:
        return ScopeState(scope, False, None, row)
    except OSError as problem:
        return ScopeState(scope, False, f"its arming file cannot be trusted: {problem.strerror or problem}", row)
    if row is not None and epoch != row.epoch:
        return ScopeState(scope, False, f"its arming file is of epoch {epoch}, not {row.epoch}", row)
    return ScopeState(scope, True, None, row)


def _effective(account: Account, standing: dict[Scope, ScopeState]) -> AccountState:
    by = tuple(scope for scope in scopes_over(account) if standing[scope].engaged)
    levels = [level for scope in by if (level := standing[scope].level) is not None]
    return AccountState(account.id, by, max(levels, default=None))


def _order(scope: Scope) -> tuple[int, str]:
    return arming.KINDS.index(scope.kind), scope.name
