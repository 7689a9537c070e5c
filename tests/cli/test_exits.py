"""Exit codes: every row of the public table, and that every error has one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ordo_cli.cli import exits
from ordo_cli.cli.exits import EXIT_CODES, exit_code_for, exit_code_of, exit_code_of_reads
from ordo_cli.cli.topics import EXIT_CODES as TOLD
from ordo_cli.domain import errors
from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.fanouts import FanOut, Mode
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.legs import FanOutId, Leg, LegId, Problem, Submission
from ordo_cli.domain.orders import BrokerOrderId, OrderIntent, OrderReport, OrderState, Side, Tag
from ordo_cli.services.cancelling import Cancelled

BUY = OrderIntent(Side.BUY, parse_instrument("NSE:INFY"), 1)


def a_leg(word: str, number: int) -> Leg:
    """A leg in the state that this word names; an upper-case word is why it was not sent."""
    leg = Leg(LegId(f"f-{number}"), FanOutId("f"), AccountId("a"), BrokerName("paper"), 1, Tag("t"))
    if word.isupper():
        return leg.to(Submission.BLOCKED, problem=Problem(word, "why"))
    if word == "planned":
        return leg
    sent = leg.to(Submission.SENDING)
    if word == "expired-session":
        return sent.to(Submission.REJECTED, problem=Problem("SESSION", "why"))
    if word in ("sending", "unknown", "rejected"):
        return sent if word == "sending" else sent.to(Submission(word))
    if word == "disputed":
        return sent.to(Submission.UNKNOWN).to(Submission.DISPUTED)
    accepted = sent.to(Submission.ACKED)
    return accepted.live(OrderState(word), 1 if word == "filled" else 0)


def fan_out(words: str) -> FanOut:
    legs = tuple(a_leg(word, number) for number, word in enumerate(words.split(), start=1))
    now = datetime(2026, 11, 23, 4, tzinfo=UTC)
    return FanOut(FanOutId("f"), "key", "cli", "place", "print", Mode.PAPER, BUY, now, legs)


@pytest.mark.parametrize(
    ("legs", "until", "code"),
    [
        ("filled open pending", "accepted", 0),
        ("filled filled", "filled", 0),
        ("filled cancelled", "terminal", 0),
        ("STORE", "accepted", 1),
        ("UNREACHABLE DEADLINE", "accepted", 1),
        ("RISK DUPLICATE", "accepted", 3),
        ("STORE RISK", "accepted", 3),
        ("LTP_UNKNOWN", "accepted", 3),
        ("SESSION SESSION", "accepted", 4),
        ("expired-session", "accepted", 4),
        ("expired-session SESSION", "accepted", 4),
        ("expired-session rejected", "accepted", 5),
        ("rejected rejected", "accepted", 5),
        ("rejected KILL", "accepted", 5),
        ("filled rejected", "accepted", 6),
        ("open RISK", "accepted", 6),
        ("filled KILL", "accepted", 6),
        ("filled cancelled", "filled", 6),
        ("unknown", "accepted", 7),
        ("filled rejected unknown", "accepted", 7),
        ("KILL unknown", "accepted", 7),
        ("filled disputed", "filled", 7),
        ("open filled", "filled", 8),
        ("open", "terminal", 8),
        ("planned filled", "accepted", 8),
        ("sending", "accepted", 8),
        ("KILL KILL", "accepted", 9),
        ("INTERRUPTED INTERRUPTED", "accepted", 130),
        ("filled INTERRUPTED", "accepted", 6),
    ],
)
def test_what_became_of_a_fan_out(legs: str, until: str, code: int) -> None:
    assert exit_code_of(fan_out(legs), until) == code


@pytest.mark.parametrize(
    ("legs", "until", "code"),
    [
        ("open filled", "filled", 130),
        ("sending", "accepted", 130),
        ("STORE INTERRUPTED", "accepted", 130),
        ("unknown INTERRUPTED", "accepted", 7),
        ("filled rejected", "accepted", 6),
        ("filled", "accepted", 0),
    ],
)
def test_an_interruption_is_told_only_where_it_changed_something(legs: str, until: str, code: int) -> None:
    assert exit_code_of(fan_out(legs), until, interrupted=True) == code


def test_every_error_of_ordo_has_an_exit_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OrdoError)]
    assert len(kinds) >= 15
    for kind in kinds:
        assert exit_code_for(kind("why")) in range(1, 11), kind


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Invalid("x"), 2),
        (errors.KeyConflict("x"), 2),
        (errors.LimitExceeded("x"), 3),
        (errors.Refused("x"), 3),
        (errors.SessionNeeded("x"), 4),
        (errors.SessionExpired("x"), 4),
        (errors.Rejected("x"), 5),
        (errors.NoAnswer("x"), 7),
        (errors.KillEngaged("x"), 9),
        (errors.StoreFailed("x"), 1),
        (errors.Unreachable("x"), 1),
    ],
)
def test_the_error_that_ends_a_command_names_its_code(error: errors.OrdoError, code: int) -> None:
    assert exit_code_for(error) == code


def test_codes_are_never_renumbered() -> None:
    assert (exits.DONE, exits.FAILED, exits.USAGE, exits.REFUSED, exits.LOGIN, exits.ALL_REFUSED) == (0, 1, 2, 3, 4, 5)
    assert (exits.PARTIAL, exits.UNKNOWN, exits.NOT_YET, exits.KILLED, exits.NOT_FLAT) == (6, 7, 8, 9, 10)
    assert exits.INTERRUPTED == 130
    for code in [*range(11), 130]:
        assert f"\n  {code:>3}  " in TOLD
    assert set(EXIT_CODES.values()) <= {*range(11), 130}


@pytest.mark.parametrize(
    ("asked", "failures", "code"),
    [
        (3, [], 0),
        (3, ["unreachable"], 6),
        (2, ["unreachable", "bug"], 1),
        (1, ["session_expired"], 4),
        (2, ["SESSION", "x"], 1),
    ],
)
def test_a_consolidated_read_tells_whether_all_could_be_read(asked: int, failures: list[str], code: int) -> None:
    assert exit_code_of_reads(asked, failures) == code


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("done done", 0),
        ("done ALREADY_DONE", 0),
        ("done TOO_LATE", 6),
        ("done no_answer", 7),
        ("done failed", 7),  # a bug of ours: nobody knows how far it came
        ("unreachable unreachable", 1),
        ("TOO_LATE unreachable", 5),
        ("CANCEL_PENDING", 8),
    ],
)
def test_what_became_of_cancels(told: str, code: int) -> None:
    ended = OrderReport(
        BrokerOrderId("1"), OrderState.CANCELLED, BUY.instrument, Side.BUY, 1, BUY.type, BUY.product, BUY.validity
    )
    cancels = [
        (
            Cancelled(AccountId("a"), BrokerOrderId("1"), None, ended)
            if word == "done"
            else Cancelled(AccountId("a"), BrokerOrderId("1"), None, None, Problem(word, "why"))
        )
        for word in told.split()
    ]
    assert exits.exit_code_of_cancels(cancels) == code
