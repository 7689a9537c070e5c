"""Sessions and challenges as the domain knows them: open until they are not, and never shown."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ordo_cli.brokers.base import BrokerSession, Challenge, Tools
from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.sessions import (
    ATTEMPTS,
    LONGEST_ANSWER,
    ChallengeId,
    ChallengeKind,
    KeptChallenge,
    KeptSession,
    LoginState,
    Standing,
    check_answer,
    refusal_of,
)
from ordo_cli.domain.values import replace
from tests.fakes import MONDAY_NOON, FakeClock

SECRET = "marked-secret"
LATER = MONDAY_NOON + timedelta(minutes=5)
ASKED = KeptChallenge(
    ChallengeId("c1"), AccountId("alice"), ChallengeKind.OTP, "the code", SECRET.encode(), MONDAY_NOON, LATER
)


def test_what_is_secret_is_in_no_repr(tmp_path: object) -> None:
    session = BrokerSession({"access": SECRET}, LATER)
    tools = Tools(FakeClock(), None, tmp_path, session=session)  # type: ignore[arg-type]  # only its repr is wanted
    kept = KeptSession(AccountId("alice"), SECRET.encode(), MONDAY_NOON, LATER)
    for shown in (session, Challenge(ChallengeKind.OTP, "the code", LATER, SECRET.encode()), tools, kept, ASKED):
        assert SECRET not in repr(shown)


@pytest.mark.parametrize(
    ("changes", "seconds", "reason"),
    [
        ({}, 0, None),
        ({}, 299, None),
        ({}, 300, "challenge_expired"),
        ({"answered_at": MONDAY_NOON}, 0, "answered"),
        ({"attempts": ATTEMPTS - 1}, 0, None),
        ({"attempts": ATTEMPTS}, 0, "too_many_attempts"),
        ({"attempts": ATTEMPTS, "answered_at": MONDAY_NOON}, 0, "too_many_attempts"),
    ],
)
def test_a_challenge_is_open_until_it_is_answered_over_or_worn_out(
    changes: dict[str, object], seconds: int, reason: str | None
) -> None:
    asked, now = replace(ASKED, **changes), MONDAY_NOON + timedelta(seconds=seconds)  # type: ignore[arg-type]
    refusal = refusal_of(asked, now)
    assert (refusal.reason if refusal else None) == reason
    assert asked.is_open(now) is (reason is None)


@pytest.mark.parametrize("text", [" 493817\n", "493817", "\t493817 "])
def test_spaces_around_an_answer_do_not_matter(text: str) -> None:
    assert check_answer(text) == "493817"


@pytest.mark.parametrize("text", ["", " \n", "a\nb", "a\x00", "\u202e1", "x" * (LONGEST_ANSWER + 1)])
def test_what_nobody_can_have_typed_is_no_answer(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_answer(text)
    assert text.strip() not in str(caught.value) or not text.strip()


@pytest.mark.parametrize(
    ("standing", "until", "closes", "covers"),
    [
        (Standing.LIVE, LATER, LATER, True),
        (Standing.LIVE, LATER, LATER + timedelta(seconds=1), False),
        (Standing.EXPIRED, LATER, MONDAY_NOON, None),
        (Standing.NOT_NEEDED, None, None, None),
    ],
)
def test_only_a_live_session_outlives_anything(
    standing: Standing, until: object, closes: object, covers: bool | None
) -> None:
    state = LoginState(AccountId("alice"), BrokerName("acme"), standing, until, closes)  # type: ignore[arg-type]
    assert state.covers_close is covers
