"""Circuit breakers: what orders met is kept for each account of this machine, and stops its entries for a while.

Only entries: a cancel, a read and a kill are never held up by it. After a minute one read is tried before the next
order, and not an order: a read that works closes the breaker, and one that fails opens it for another minute.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from ordo_cli import log
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.breaker import WINDOW, Breaker, State, Trouble
from ordo_cli.domain.errors import Busy, OrdoError
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.legs import Block, Leg, Problem, Submission

if TYPE_CHECKING:
    from ordo_cli.desk import Desk

CODE = "BREAKER_OPEN"
EGRESS_IP = "EGRESS_IP"  # what brokers' tables call an answer that keeps this machine's address out
WORDS = {
    Trouble.UNKNOWN: "did not say what became of two orders in a minute",
    Trouble.FAILURE: "could not be reached five times in a minute",
    Trouble.EGRESS: "does not let this machine's address in",
}


async def problems(desk: Desk, accounts: Iterable[Account]) -> dict[AccountId, Problem]:
    """What keeps the entries of accounts from leaving because of what their last orders met."""
    found: dict[AccountId, Problem] = {}
    for account in accounts:
        kept = _read(desk, account.id)
        state = kept.state(desk.clock.now().timestamp())
        if state is State.HALF_OPEN:
            state = await _tried(desk, account)
        if state is State.OPEN:
            found[account.id] = _problem(account, kept)
    return found


def standing(desk: Desk, account: AccountId) -> State:
    """How the account's breaker stands; asks nobody."""
    return _read(desk, account).state(desk.clock.now().timestamp())


def problem(desk: Desk, account: Account) -> Problem | None:
    """What its breaker stops entries for, if it does; asks nobody."""
    kept = _read(desk, account.id)
    return None if kept.opened_at is None else _problem(account, kept)


def learn(desk: Desk, account: Account, leg: Leg) -> None:
    """Keep what this order of the account met. Called by the account's one writer; whatever fails here stops nothing.

    Paper is a file on this machine: there is no server to spare.
    """
    if desk.spec(account).mode is Mode.PAPER:
        return
    trouble = trouble_of(leg)
    with suppress(OSError):
        if trouble is not None:
            _write(desk, account.id, _read(desk, account.id).met(trouble, desk.clock.now().timestamp()))
        elif leg.submission in (Submission.ACKED, Submission.REJECTED):
            _forget(desk, account.id)


def trouble_of(leg: Leg) -> Trouble | None:
    """What a leg's fate says of its broker; None when it says nothing, or that all is well."""
    code = leg.problem.code if leg.problem is not None else None
    if leg.submission is Submission.UNKNOWN:
        return Trouble.UNKNOWN
    if leg.submission is Submission.REJECTED and code == EGRESS_IP:
        return Trouble.EGRESS
    return Trouble.FAILURE if leg.submission is Submission.BLOCKED and code == Block.UNREACHABLE else None


async def _tried(desk: Desk, account: Account) -> State:
    """One read, by whoever comes first; the others find it open."""
    try:
        async with desk.locks.only_one(f"breaker-{account.id}"):
            await (await desk.lines.to(account)).orders()
            _forget(desk, account.id)
            return State.CLOSED
    except Busy:
        return State.OPEN
    except OrdoError as error:
        log.get(__name__).warning("breaker_stays_open", account=account.id, error=error.reason)
        before = _read(desk, account.id)  # again: it may have met more meanwhile
        _write(desk, account.id, Breaker(before.trouble, desk.clock.now().timestamp(), before.why))
        return State.OPEN


def _problem(account: Account, breaker: Breaker) -> Problem:
    why = WORDS[breaker.why or Trouble.FAILURE]
    if breaker.why is Trouble.EGRESS:
        way = f"from {account.egress}" if account.egress else "from this machine's own address"
        hint = f"register that address at {account.broker}, or: ordo account edit {account.id} --egress A; ordo doctor"
        return Problem(Block.IP, f"{account.broker} {why} (orders leave {way})", hint)
    hint = f"after {WINDOW:.0f} s a read is tried before the next order; cancels and ordo kill go on; ordo status"
    return Problem(CODE, f"{account.broker} {why}, so {account.id} sends nothing new for now", hint)


def _path(desk: Desk, account: AccountId) -> str:
    return os.path.join(desk.home.run, "breakers", f"{account}.json")


def _read(desk: Desk, account: AccountId) -> Breaker:
    """What was kept. A file that cannot be read was left half-written by nobody, and stops nobody."""
    try:
        with open(_path(desk, account), encoding="utf-8") as file:
            found = json.load(file)
        trouble = tuple((float(at), Trouble(kind)) for at, kind in found["trouble"])
        opened = found["opened_at"]
        return Breaker(trouble, None if opened is None else float(opened), found["why"] and Trouble(found["why"]))
    except FileNotFoundError:
        return Breaker()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.get(__name__).warning("breaker_unreadable", account=account, error=type(error).__name__)
        return Breaker()


def _write(desk: Desk, account: AccountId, breaker: Breaker) -> None:
    path = _path(desk, account)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    text = json.dumps({"trouble": breaker.trouble, "opened_at": breaker.opened_at, "why": breaker.why})
    desk.disk.write(path, text.encode())


def _forget(desk: Desk, account: AccountId) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_path(desk, account))
