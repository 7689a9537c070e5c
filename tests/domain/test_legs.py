"""A leg moves only where its tables allow, and never back to sending once bytes may have left."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.errors import IllegalMove
from ordo_cli.domain.legs import (
    CANCEL_MOVES,
    MAX_ATTEMPTS,
    SETTLED,
    SUBMISSION_MOVES,
    WORKING_MOVES,
    Cancel,
    FanOutId,
    Leg,
    LegId,
    Submission,
)
from ordo_cli.domain.orders import FINAL, OrderState, Tag

LEG = Leg(LegId("f-1"), FanOutId("f"), AccountId("alice"), BrokerName("paper"), 10, Tag("O" + "0" * 15))
NEVER_AGAIN = {Submission.UNKNOWN, Submission.ACKED, Submission.REJECTED, Submission.ABSENT, Submission.DISPUTED}

SPECIFIED = {
    "planned": "sending blocked",
    "blocked": "",
    "sending": "not_sent acked rejected unknown",
    "not_sent": "planned blocked",
    "acked": "disputed",
    "rejected": "",
    "unknown": "acked rejected absent disputed",
    "absent": "acked",
    "disputed": "acked absent",
}


def at(submission: Submission, **facts: object) -> Leg:
    """The leg as if it had come there."""
    return replace(LEG, submission=submission, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(("before", "after"), list(product(Submission, Submission)))
def test_the_table_of_submissions_is_the_specified_one(before: Submission, after: Submission) -> None:
    leg = at(before)
    if after in SPECIFIED[before].split():
        assert leg.to(after).submission is after
    else:
        with pytest.raises(IllegalMove):
            leg.to(after)


def test_no_path_leads_from_unknown_to_sending() -> None:
    reachable, frontier = set[Submission](), {Submission.UNKNOWN}
    while frontier:
        reachable |= frontier
        frontier = {after for before in frontier for after in SUBMISSION_MOVES[before]} - reachable
    assert Submission.SENDING not in reachable
    assert Submission.PLANNED not in reachable


@pytest.mark.parametrize("after", [OrderState.OPEN, OrderState.FILLED])
@pytest.mark.parametrize("submission", sorted(set(Submission) - {Submission.ACKED}))
def test_only_an_accepted_leg_has_a_working_life(submission: Submission, after: OrderState) -> None:
    with pytest.raises(IllegalMove):
        at(submission).live(after, 0)


def test_a_leg_is_tried_three_times_and_no_more() -> None:
    assert at(Submission.NOT_SENT, attempt=MAX_ATTEMPTS - 1).to(Submission.PLANNED).submission is Submission.PLANNED
    with pytest.raises(IllegalMove, match="attempts are spent"):
        at(Submission.NOT_SENT, attempt=MAX_ATTEMPTS).to(Submission.PLANNED)
    assert at(Submission.NOT_SENT, attempt=MAX_ATTEMPTS).to(Submission.BLOCKED).settled


@pytest.mark.parametrize(("before", "after"), list(product(WORKING_MOVES, OrderState)))
def test_a_working_life_follows_its_table(before: OrderState, after: OrderState) -> None:
    leg = at(Submission.ACKED, working=before)
    if after is before or after in WORKING_MOVES[before]:
        assert leg.live(after, 0).working is after
    else:
        with pytest.raises(IllegalMove):
            leg.live(after, 0)


@pytest.mark.parametrize("before", [None, *WORKING_MOVES])
def test_a_word_that_no_table_knows_is_no_life(before: OrderState | None) -> None:
    with pytest.raises(IllegalMove):
        at(Submission.ACKED, working=before).live(OrderState.UNCLEAR, 0)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_nothing_follows_an_end(state: OrderState) -> None:
    assert not WORKING_MOVES[state]
    assert at(Submission.ACKED, working=state).settled


@pytest.mark.parametrize(("before", "after"), list(product(Cancel, Cancel)))
def test_a_cancel_follows_its_table(before: Cancel, after: Cancel) -> None:
    leg = at(Submission.ACKED, cancel=before)
    if after in CANCEL_MOVES[before]:
        assert leg.cancelling(after).cancel is after
    else:
        with pytest.raises(IllegalMove):
            leg.cancelling(after)


@given(st.integers(0, 12), st.integers(-2, 12))
def test_fills_never_fall_and_never_pass_the_quantity(had: int, has: int) -> None:
    leg = at(Submission.ACKED, working=OrderState.PARTIAL, filled_quantity=min(had, 10))
    if min(had, 10) <= has <= 10:
        assert leg.live(OrderState.PARTIAL, has).filled_quantity == has
    else:
        with pytest.raises(IllegalMove):
            leg.live(OrderState.PARTIAL, has)


def test_a_price_once_known_is_not_forgotten() -> None:
    leg = at(Submission.ACKED, working=OrderState.PARTIAL).live(OrderState.PARTIAL, 5, Decimal("1500.05"))
    assert leg.live(OrderState.CANCELLED, 5).average_price == Decimal("1500.05")


@pytest.mark.parametrize("submission", Submission)
def test_every_state_has_one_public_word(submission: Submission) -> None:
    words = {"planned", "not_sent", "sending", "unknown", "absent", "disputed", "rejected"} | set(OrderState)
    assert at(submission).state in words


def test_settled_means_that_the_table_has_no_move_that_happens_by_itself() -> None:
    assert {each for each in Submission if at(each).settled} == SETTLED


class LegLife(RuleBasedStateMachine):
    """Any sequence of moves, legal or not: the leg keeps its promises."""

    def __init__(self) -> None:
        super().__init__()
        self.leg = LEG
        self.bytes_may_have_left = False

    @rule(submission=st.sampled_from(Submission))
    def move(self, submission: Submission) -> None:
        try:
            self.leg = self.leg.to(submission, attempt=self.leg.attempt + (submission is Submission.SENDING))
        except IllegalMove:
            return
        self.bytes_may_have_left |= submission in NEVER_AGAIN

    @precondition(lambda self: self.leg.submission is Submission.ACKED)
    @rule(state=st.sampled_from(OrderState), filled=st.integers(0, 12))
    def live(self, state: OrderState, filled: int) -> None:
        before = self.leg
        try:
            self.leg = self.leg.live(state, filled)
        except IllegalMove:
            return
        assert self.leg.filled_quantity >= before.filled_quantity

    @rule(cancel=st.sampled_from(Cancel))
    def cancel(self, cancel: Cancel) -> None:
        try:
            self.leg = self.leg.cancelling(cancel)
        except IllegalMove:
            assert cancel not in CANCEL_MOVES[self.leg.cancel]

    @invariant()
    def what_may_have_left_never_leaves_again(self) -> None:
        if self.bytes_may_have_left:
            assert self.leg.submission in NEVER_AGAIN

    @invariant()
    def no_more_attempts_than_allowed(self) -> None:
        assert self.leg.attempt <= MAX_ATTEMPTS

    @invariant()
    def fills_stay_within_the_quantity(self) -> None:
        assert 0 <= self.leg.filled_quantity <= self.leg.quantity


TestLegLife = LegLife.TestCase
