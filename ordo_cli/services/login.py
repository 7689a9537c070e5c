"""Logging in: every account that is not live, side by side; what a broker asks is kept for whoever answers.

One login at a time per account, across processes. An answer is claimed durably before the broker sees it, so a code is
used once, and a process that dies halfway leaves a login that has to be started again, never one that is guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from ordo_cli import log
from ordo_cli.brokers.base import TOTP_SEED, WRONG_ANSWER, BrokerSession, Challenge, Login
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Account, AccountId, Target
from ordo_cli.domain.errors import (
    Busy,
    Invalid,
    NoAnswer,
    OrdoError,
    Refused,
    Rejected,
    SessionExpired,
    SessionNeeded,
    Unreachable,
)
from ordo_cli.domain.legs import Problem
from ordo_cli.domain.sessions import (
    ChallengeId,
    ChallengeKind,
    KeptChallenge,
    LoginState,
    Standing,
    check_answer,
    refusal_of,
    too_late,
)
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import replace
from ordo_cli.services import covered, totp
from ordo_cli.services.sessions import standing_of, standings
from ordo_cli.services.targets import EVERYTHING


async def start(desk: Desk, targets: Iterable[Target] = EVERYTHING) -> list[LoginState]:
    """Log in every account that is not live, side by side. One that fails says so and holds up no other.

    A challenge that still waits is handed out again instead of asking the broker for another one.
    """
    return await _each(desk, await _allowed(desk, targets), _started)


async def begin(desk: Desk, name: str) -> LoginState:
    """The same for one account, whose trouble is raised."""
    account = await _named(desk, name)
    login = desk.spec(account).login(account)
    return standing_of(desk, account, None) if login is None else await _started(desk, account, login)


async def end(desk: Desk, name: str) -> LoginState:
    """End the session of one account as `out` does."""
    account = await _named(desk, name)
    login = desk.spec(account).login(account)
    return standing_of(desk, account, None) if login is None else await _ended(desk, account, login)


async def pending(desk: Desk, name: str) -> KeptChallenge:
    """What this account's broker asked last. Raises SessionNeeded when nothing waits for an answer."""
    account, _ = await _one(desk, name)
    asked = await desk.store.sessions.challenge(account.id)
    if asked is None:
        hint = f"start with: ordo login {account.id}"
        raise SessionNeeded(f"{account.id} waits for no answer", hint=hint, code="no_challenge")
    refusal = refusal_of(asked, desk.clock.now())
    if refusal is not None:
        raise refusal
    return asked


async def answer(desk: Desk, name: str, text: str, challenge: str | None = None) -> LoginState:
    """Answer what this account's broker asked, or nothing but this challenge; what it asks next, or a live session.

    Raises SessionNeeded when there is nothing to answer, the answer was wrong, or was one too many.
    """
    account, login = await _one(desk, name)
    given = check_answer(text)
    async with _alone(desk, account):
        asked = await pending(desk, account.id)
        if challenge is not None and challenge != asked.id:
            raise too_late(replace(asked, id=ChallengeId(challenge)), asked, desk.clock.now())
        return await _given(desk, account, login, asked, given)


async def status(desk: Desk, targets: Iterable[Target] = EVERYTHING) -> list[LoginState]:
    """How each account stands, as far as this machine knows; no broker is asked."""
    desk.rights.require(TokenScope.READ)
    return await standings(desk, await covered.seen(desk, targets))


async def out(desk: Desk, targets: Iterable[Target] = EVERYTHING) -> list[LoginState]:
    """End the sessions, at the broker too when it can be reached, and forget what brokers asked."""
    return await _each(desk, await _allowed(desk, targets), _ended)


async def _allowed(desk: Desk, targets: Iterable[Target]) -> list[Account]:
    desk.rights.require(TokenScope.TRADE)
    return await covered.seen(desk, targets)


async def _named(desk: Desk, name: str) -> Account:
    """The one account of this name: `all` and groups are none. Raises NotFound."""
    desk.rights.require(TokenScope.TRADE)
    account = await desk.store.accounts.get(AccountId(name))
    desk.rights.require_accounts([account])
    return account


async def _one(desk: Desk, name: str) -> tuple[Account, Login]:
    """An account that logs in. Raises Invalid for one that needs not."""
    account = await _named(desk, name)
    login = desk.spec(account).login(account)
    if login is None:
        raise Invalid(f"{account.id} needs no login", code="no_login")
    return account, login


async def _each(
    desk: Desk, accounts: list[Account], work: Callable[[Desk, Account, Login], Awaitable[LoginState]]
) -> list[LoginState]:
    """The same for many accounts at once, each with its own outcome."""

    async def one(account: Account) -> LoginState:
        login = desk.spec(account).login(account)
        if login is None:
            return standing_of(desk, account, None)
        try:
            return await work(desk, account, login)
        except OrdoError as error:
            problem = Problem.of(error)
        except Exception as error:  # one account's bug must not keep the others from logging in
            log.get(__name__).exception("login_failed", account=account.id)
            problem = Problem("bug", f"its login failed ({type(error).__name__})", "this is a bug in ordo; report it")
        return replace(await _standing(desk, account), problem=problem)

    return list(await asyncio.gather(*map(one, accounts)))


async def _started(desk: Desk, account: Account, login: Login) -> LoginState:
    async with _alone(desk, account):
        now = await _standing(desk, account)
        if now.standing is Standing.LIVE:
            trouble = await _probed(desk, account, login)
            if not isinstance(trouble, SessionNeeded):
                return replace(now, problem=None if trouble is None else Problem.of(trouble))
            now = await _standing(desk, account)
        if now.standing is Standing.WAITING:
            return now
        await desk.sessions.prepare()
        credentials = await desk.lines.credentials(account)
        step = await _discreet(login.start(account, credentials, desk.lines.tools(account)), credentials)
        state = await _taken(desk, account, step)
        return await _from_seed(desk, account, login, state, credentials.get(TOTP_SEED))


async def _probed(desk: Desk, account: Account, login: Login) -> OrdoError | None:
    """What the broker says to a session that should live: nothing; SessionNeeded when it is over and forgotten."""
    try:
        session = await desk.sessions.opened(await desk.sessions.row(account.id))
        credentials = await desk.lines.credentials(account)
        probing = login.probe(account, credentials, desk.lines.tools(account), session)
        await _discreet(probing, credentials, *session.token.values())
    except (SessionNeeded, SessionExpired) as error:
        await desk.store.sessions.forget(account.id, "found to be over")
        return SessionNeeded(error.message, hint=error.hint)
    except (Unreachable, NoAnswer) as error:
        return error
    return None


async def _ended(desk: Desk, account: Account, login: Login) -> LoginState:
    problem: Problem | None = None
    async with _alone(desk, account):
        kept = await desk.store.sessions.of(account.id)
        if kept is not None and desk.clock.now() < kept.expires_at:
            try:
                session = await desk.sessions.opened(kept)
                credentials = await desk.lines.credentials(account)
                ending = login.logout(account, credentials, desk.lines.tools(account), session)
                await _discreet(ending, credentials, *session.token.values())
            except OrdoError as error:
                hint = "ordo has forgotten it; at the broker it lives on until it expires"
                problem = Problem(error.reason, f"the broker was not told: {error.message}", hint)
        await desk.store.sessions.forget(account.id, "logged out")
    return replace(await _standing(desk, account), problem=problem)


async def _given(desk: Desk, account: Account, login: Login, asked: KeptChallenge, text: str) -> LoginState:
    """Give the broker this answer to that question, once."""
    state = await desk.sessions.state_of(asked)
    await desk.sessions.prepare()
    credentials = await desk.lines.credentials(account)
    await desk.store.sessions.claim(asked)
    desk.failpoint("login_claimed")
    try:
        tools = desk.lines.tools(account)
        step = await _discreet(login.answer(account, credentials, tools, state, text), credentials, text)
    except OrdoError as error:
        raise await _after_refusal(desk, asked, error) from None
    return await _taken(desk, account, step)


async def _from_seed(desk: Desk, account: Account, login: Login, state: LoginState, seed: str | None) -> LoginState:
    """The login carried on with a code that ordo makes itself, where the account's user has given it the seed."""
    asked = state.challenge
    if asked is None or asked.kind is not ChallengeKind.TOTP or seed is None:
        return state
    try:
        return await _given(desk, account, login, asked, await totp.code(desk, account.id, seed))
    except (SessionNeeded, Refused) as error:
        return replace(await _standing(desk, account), problem=Problem.of(error))


async def _taken(desk: Desk, account: Account, step: BrokerSession | Challenge) -> LoginState:
    """Keep what a step of a login came to."""
    if isinstance(step, BrokerSession):
        return standing_of(desk, account, await desk.sessions.keep(account.id, step))
    return standing_of(desk, account, None, await desk.sessions.ask(account.id, step))


async def _discreet[T](step: Awaitable[T], credentials: Mapping[str, str], *secrets: str) -> T:
    """What an adapter comes to. Whatever it raises repeats nothing that it was told, a bug of its own included."""
    try:
        return await step
    except OrdoError as error:
        message, hint = error.message, error.hint or ""
        for secret in (*credentials.values(), *secrets):
            if len(secret) > 3:
                message, hint = message.replace(secret, "…"), hint.replace(secret, "…")
        raise type(error)(message, hint=hint or None, code=error.reason) from None
    except Exception as error:
        kind = type(error).__name__
        log.get(__name__).error("login_failed", error=kind)
        message = f"what the broker said was not understood ({kind})"
        raise NoAnswer(message, hint="this is a bug in ordo; please report it", code="bug") from None


async def _after_refusal(desk: Desk, asked: KeptChallenge, error: OrdoError) -> OrdoError:
    """Write down where an answer led that led nowhere; what its user is told."""
    rows, left, message = desk.store.sessions, asked.attempts_left - 1, error.message
    if isinstance(error, Unreachable):
        await rows.refused(asked, error.reason, again=True, counted=False)
        return error
    if isinstance(error, Rejected) and error.reason == WRONG_ANSWER and left > 0:
        await rows.refused(asked, error.reason, again=True)
        hint = f"{left} more {'try' if left == 1 else 'tries'}: ordo login otp {asked.account}"
        return SessionNeeded(
            f"the broker refused the answer for {asked.account}: {message}", hint=hint, code="wrong_answer"
        )
    await rows.refused(asked, error.reason, again=False)
    code = "too_many_attempts" if error.reason == WRONG_ANSWER else error.reason
    hint = error.hint or f"start again: ordo login {asked.account}"
    return SessionNeeded(f"the login of {asked.account} came to nothing: {message}", hint=hint, code=code)


async def _standing(desk: Desk, account: Account) -> LoginState:
    session = await desk.store.sessions.of(account.id)
    return standing_of(desk, account, session, await desk.store.sessions.challenge(account.id))


@asynccontextmanager
async def _alone(desk: Desk, account: Account) -> AsyncIterator[None]:
    """Be the one login of this account, whatever process asks. Raises Busy at once when another is at it."""
    taken = False
    try:
        async with desk.locks.only_one(f"login-{account.id}"):
            taken = True
            yield
    except Busy:
        if taken:
            raise
        message = f"{account.id} is being logged in by another ordo at this moment"
        raise Busy(message, hint="see: ordo login status") from None
