"""The outcome of a fan-out is computed from its legs: unknown outranks all, and waiting is not success."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.fanouts import FATES, FanOut, Fate, Mode, Outcome, fate
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.legs import Block, FanOutId, Leg, LegId, Problem, Submission
from ordo_cli.domain.orders import OrderIntent, OrderState, Side, Tag

LEG = Leg(LegId("f-1"), FanOutId("f"), AccountId("alice"), BrokerName("paper"), 10, Tag("O" + "0" * 15))
OPEN = replace(LEG, submission=Submission.ACKED, working=OrderState.OPEN)
FILLED = replace(LEG, submission=Submission.ACKED, working=OrderState.FILLED, filled_quantity=10)
REJECTED_LATER = replace(LEG, submission=Submission.ACKED, working=OrderState.REJECTED)
REJECTED = replace(LEG, submission=Submission.REJECTED)
UNKNOWN = replace(LEG, submission=Submission.UNKNOWN)
DISPUTED = replace(LEG, submission=Submission.DISPUTED)
SENDING = replace(LEG, submission=Submission.SENDING)
ABSENT = replace(LEG, submission=Submission.ABSENT)
KILLED = replace(LEG, submission=Submission.BLOCKED, problem=Problem(Block.KILL, "the switch is on"))
LIMITED = replace(LEG, submission=Submission.BLOCKED, problem=Problem("VALUE_ORDER_MAX", "too much"))

legs = st.sampled_from(
    [OPEN, FILLED, REJECTED_LATER, REJECTED, UNKNOWN, DISPUTED, SENDING, LEG, ABSENT, KILLED, LIMITED]
)


def fan_out(*its: Leg) -> FanOut:
    intent = OrderIntent(Side.BUY, parse_instrument("NSE:INFY"), 10)
    return FanOut(
        FanOutId("f"), "key-of-it", "me", "place", "0", Mode.PAPER, intent, datetime(2026, 1, 1, tzinfo=UTC), its
    )


@pytest.mark.parametrize(
    ("its", "expected"),
    [
        ((UNKNOWN, FILLED, REJECTED), Outcome.UNKNOWN),
        ((DISPUTED, FILLED), Outcome.UNKNOWN),
        ((UNKNOWN, SENDING), Outcome.UNKNOWN),
        ((SENDING, FILLED), Outcome.PENDING),
        ((LEG,), Outcome.PENDING),
        ((OPEN, REJECTED), Outcome.PARTIAL),
        ((OPEN, KILLED), Outcome.PARTIAL),
        ((REJECTED, REJECTED), Outcome.REFUSED),
        ((REJECTED, KILLED), Outcome.REFUSED),
        ((REJECTED_LATER,), Outcome.REFUSED),
        ((KILLED, LIMITED, ABSENT), Outcome.BLOCKED),
        ((OPEN, FILLED), Outcome.SUCCESS),
    ],
)
def test_the_outcome_follows_from_the_legs(its: tuple[Leg, ...], expected: Outcome) -> None:
    assert fan_out(*its).outcome is expected


@given(st.lists(legs, min_size=1, max_size=8))
def test_unknown_is_never_folded_into_anything_else(its: list[Leg]) -> None:
    whole = fan_out(*its)
    doubtful = any(leg.submission in {Submission.UNKNOWN, Submission.DISPUTED} for leg in its)
    assert (whole.outcome is Outcome.UNKNOWN) == doubtful


@given(st.lists(legs, min_size=1, max_size=8))
def test_every_leg_is_counted_once_in_the_summary(its: list[Leg]) -> None:
    tally = fan_out(*its).summary
    waiting = sum(fate(leg) is Fate.WAITING for leg in its)
    assert tally.accepted + tally.refused + tally.not_sent + tally.unknown + waiting == tally.legs == len(its)
    assert tally.filled <= tally.accepted


@given(st.lists(legs, min_size=1, max_size=8))
def test_success_means_that_every_leg_is_in(its: list[Leg]) -> None:
    assert (fan_out(*its).outcome is Outcome.SUCCESS) == all(fate(leg) is Fate.ACCEPTED for leg in its)


@given(st.lists(legs, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_the_legs_does_not_matter(its: list[Leg], dice: object) -> None:
    mixed = list(its)
    dice.shuffle(mixed)  # type: ignore[attr-defined]
    assert fan_out(*mixed).outcome is fan_out(*its).outcome


def test_every_submission_has_a_fate() -> None:
    assert set(FATES) | {Submission.ACKED} == set(Submission)


def test_killed_means_that_the_switch_stopped_every_leg_and_nothing_else_did() -> None:
    assert fan_out(KILLED, KILLED).killed
    assert not fan_out(KILLED, LIMITED).killed
    assert not fan_out(KILLED, OPEN).killed
