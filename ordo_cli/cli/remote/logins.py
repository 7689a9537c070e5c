"""Logins at a server: the accounts one after the other, each answer decoded into how its account stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ordo_cli.cli.remote.decoding import Json, moment, number, some_moment, some_problem, text
from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.errors import Invalid, OrdoError, SessionNeeded
from ordo_cli.domain.legs import Problem
from ordo_cli.domain.sessions import (
    ATTEMPTS,
    GOOD,
    ChallengeId,
    ChallengeKind,
    KeptChallenge,
    LoginState,
    Standing,
)
from ordo_cli.domain.values import replace

if TYPE_CHECKING:
    from ordo_cli.client.calls import Call

Ask = Callable[["Call"], LoginState]


def each(states: Sequence[LoginState], call: Callable[[str], Call], ask: Ask) -> list[LoginState]:
    """The same call for each of these accounts; one that fails says so and holds up no other."""

    def one(state: LoginState) -> LoginState:
        try:
            return ask(call(state.account))
        except OrdoError as error:
            return replace(state, problem=Problem.of(error))

    return [state if state.standing is Standing.NOT_NEEDED else one(state) for state in states]


def asked_of(state: LoginState) -> KeptChallenge:
    """What this account's broker asks. Raises what the machine itself would raise when it asks nothing."""
    if state.standing is Standing.NOT_NEEDED:
        raise Invalid(f"{state.account} needs no login", code="no_login")
    if state.challenge is None:
        hint = "see: ordo login status" if state.standing in GOOD else f"start with: ordo login {state.account}"
        raise SessionNeeded(f"{state.account} waits for no answer", hint=hint, code="no_challenge")
    return state.challenge


def login(body: Json) -> LoginState:
    account = AccountId(text(body, "account"))
    return LoginState(
        account=account,
        broker=BrokerName(text(body, "broker")),
        standing=Standing(text(body, "session")),
        until=some_moment(body, "until"),
        closes_at=some_moment(body, "market_close"),
        challenge=None if body["challenge"] is None else _challenge(account, body["challenge"]),
        problem=some_problem(body),
    )


def _challenge(account: AccountId, body: Json) -> KeptChallenge:
    expires = moment(body, "expires_at")
    return KeptChallenge(
        id=ChallengeId(text(body, "id")),
        account=account,
        kind=ChallengeKind(text(body, "kind")),
        prompt=text(body, "prompt"),
        sealed=b"",  # which stays at the server
        created_at=expires,
        expires_at=expires,
        attempts=ATTEMPTS - number(body, "attempts_left"),
    )
