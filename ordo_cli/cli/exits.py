"""Exit codes: what a script learns from how ordo ended. They are never renumbered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ordo_cli.domain.errors import (
    Busy,
    Invalid,
    KeyConflict,
    KillEngaged,
    LimitExceeded,
    NoAnswer,
    NotAllowed,
    NotFound,
    OrdoError,
    Refused,
    Rejected,
    SessionExpired,
    SessionNeeded,
    StoreFailed,
)
from ordo_cli.domain.fanouts import FanOut, Fate, fate
from ordo_cli.domain.legs import Block
from ordo_cli.domain.orders import FINAL, OrderState
from ordo_cli.domain.sessions import GOOD

if TYPE_CHECKING:
    from ordo_cli.domain.sessions import LoginState
    from ordo_cli.services.cancelling import Cancelled
    from ordo_cli.services.reconcile import Reconciled

DONE, FAILED, USAGE, REFUSED, LOGIN, ALL_REFUSED, PARTIAL, UNKNOWN, NOT_YET, KILLED, NOT_FLAT = range(11)
INTERRUPTED = 130

MISHAPS = frozenset(Block) - {Block.KILL, Block.SESSION, Block.RISK, Block.DUPLICATE, Block.RATE} | {""}
"""Why a leg was not sent although nothing spoke against it; every other code is a check that said no."""

EXIT_CODES: dict[type[OrdoError], int] = {
    OrdoError: FAILED,
    Refused: REFUSED,
    Invalid: USAGE,
    NotFound: USAGE,
    KeyConflict: USAGE,
    LimitExceeded: REFUSED,
    NotAllowed: REFUSED,
    KillEngaged: KILLED,
    SessionNeeded: LOGIN,
    SessionExpired: LOGIN,
    Busy: FAILED,
    StoreFailed: FAILED,
    Rejected: ALL_REFUSED,
    NoAnswer: UNKNOWN,
}
"""The exit code of an error that ends a command; the nearest class decides."""


def exit_code_of(
    fan_out: FanOut, until: str = "accepted", *, timed_out: bool = False, interrupted: bool = False
) -> int:
    """The exit code that tells what became of a fan-out, by the one public table."""
    fates = [fate(leg) for leg in fan_out.legs]
    if Fate.UNKNOWN in fates:
        return UNKNOWN
    if interrupted and any(leg.problem is not None and leg.problem.code == Block.INTERRUPTED for leg in fan_out.legs):
        return INTERRUPTED
    if all(each is Fate.NOT_SENT for each in fates):
        return _nothing_sent(fan_out, interrupted)
    if Fate.WAITING in fates:
        return INTERRUPTED if interrupted else NOT_YET
    if Fate.ACCEPTED not in fates:
        codes = {leg.problem.code if leg.problem else "" for leg in fan_out.legs}
        return LOGIN if codes <= {Block.SESSION} else ALL_REFUSED
    if Fate.REFUSED in fates or Fate.NOT_SENT in fates:
        return PARTIAL
    if all(_reached(leg.working, until) for leg in fan_out.legs):
        return DONE
    if all(leg.working in FINAL or _reached(leg.working, until) for leg in fan_out.legs):
        return PARTIAL  # accepted, and ended without what was asked for: cancelled or expired
    return INTERRUPTED if interrupted and not timed_out else NOT_YET


def _nothing_sent(fan_out: FanOut, interrupted: bool) -> int:
    codes = {leg.problem.code if leg.problem else "" for leg in fan_out.legs}
    if codes and codes <= {Block.KILL}:
        return KILLED
    if codes and codes <= {Block.SESSION}:
        return LOGIN
    if interrupted or Block.INTERRUPTED in codes:
        return INTERRUPTED
    return FAILED if codes <= MISHAPS else REFUSED


def _reached(working: OrderState | None, until: str) -> bool:
    if until == "filled":
        return working is OrderState.FILLED
    return until == "accepted" or working in FINAL


def exit_code_for(error: OrdoError) -> int:
    """The code of the nearest class that the table names."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


def exit_code_of_reads(asked: int, failures: Sequence[str]) -> int:
    """The exit code of a consolidated read: all, some or none of the accounts could be read."""
    if not failures:
        return DONE
    if len(failures) < asked:
        return PARTIAL
    return LOGIN if set(failures) <= {"session_expired", "session_needed", Block.SESSION} else FAILED


def exit_code_of_logins(states: Sequence[LoginState]) -> int:
    """The exit code of logging in: 0 when every account is live, 4 while any waits, has failed or cannot be sure."""
    return DONE if all(state.standing in GOOD and state.problem is None for state in states) else LOGIN


def exit_code_of_cancels(done: Sequence[Cancelled]) -> int:
    """The exit code of cancels: 0 when the books show that nothing of them works any more."""
    if all(each.done or (each.problem is not None and each.problem.code == "ALREADY_DONE") for each in done):
        return DONE
    codes = {each.problem.code for each in done if each.problem is not None}
    if codes & {"no_answer", "NOT_SEEN", "failed", "UNRESOLVED"}:
        return UNKNOWN
    if any(each.done for each in done):
        return PARTIAL
    if codes <= {"unreachable"}:
        return FAILED
    return NOT_YET if codes <= {"CANCEL_PENDING"} else ALL_REFUSED


def exit_code_of_reconciling(found: Reconciled) -> int:
    """The exit code of a reconciliation: 7 while anything stays unknown, 6 when a book could not be read."""
    if found.unknown:
        return UNKNOWN
    return PARTIAL if found.failures else DONE
