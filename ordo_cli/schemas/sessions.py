"""The JSON of logins: how each account stands, what its broker asks, and nothing secret of either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ordo_cli.schemas.base import AccountRow, Foreign, Moment, Out, Problem

if TYPE_CHECKING:
    from ordo_cli.domain.sessions import KeptChallenge, LoginState


class Challenge(Out):
    """What a broker asks before it lets the account in; answered by whoever knows, once."""

    id: str
    kind: str
    prompt: Foreign
    expires_at: Moment
    attempts_left: int

    @classmethod
    def of(cls, challenge: KeptChallenge) -> Challenge:
        return cls(
            id=challenge.id,
            kind=challenge.kind,
            prompt=challenge.prompt,
            expires_at=challenge.expires_at,
            attempts_left=challenge.attempts_left,
        )


class Login(AccountRow):
    """How one account stands: `live` until when, `waiting` for what, `expired`, `logged out` or `not needed`."""

    session: str
    until: Moment | None
    market_close: Moment | None
    covers_close: bool | None
    challenge: Challenge | None
    problem: Problem | None


def login(state: LoginState) -> dict[str, Any]:
    return Login(
        account=state.account,
        broker=state.broker,
        session=state.standing,
        until=state.until,
        market_close=state.closes_at,
        covers_close=state.covers_close,
        challenge=None if state.challenge is None else Challenge.of(state.challenge),
        problem=None if state.problem is None else Problem.of(state.problem),
    ).model_dump(mode="json")
