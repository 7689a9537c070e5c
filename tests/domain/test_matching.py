"""What a broker's book proves about a leg, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.domain import matching
from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.legs import Evidence, FanOutId, Leg, LegId, Submission
from ordo_cli.domain.orders import BrokerOrderId, OrderReport, OrderState, OrderType, Product, Side, Tag, Validity
from ordo_cli.domain.portfolio import Position, Trade
from ordo_cli.domain.tags import tag_of
from tests.fakes import INFY, MONDAY_NOON, buy

TAG = Tag("O00000000000000A")
INTENT = buy(10, "1500")
UNKNOWN = Leg(
    LegId("f-1"), FanOutId("f"), AccountId("alice"), BrokerName("acme"), 10, TAG,
    submission=Submission.UNKNOWN, sent_at=MONDAY_NOON,
)  # fmt: skip
ACKED = replace(UNKNOWN, submission=Submission.ACKED, broker_order_id=BrokerOrderId("1"), working=OrderState.OPEN)


def row(order_id: str = "1", **more: Any) -> OrderReport:
    base = OrderReport(
        BrokerOrderId(order_id), OrderState.OPEN, INFY, Side.BUY, 10, OrderType.LIMIT, Product.CNC, Validity.DAY,
        limit_price=Decimal(1500), tag=TAG, placed_at=MONDAY_NOON,
    )  # fmt: skip
    return replace(base, **more)


def test_a_book_that_lists_an_order_twice_proves_nothing() -> None:
    assert not matching.trustworthy([row(), row()], [])


def test_a_book_that_shrank_proves_nothing() -> None:
    assert not matching.trustworthy([row("2")], [BrokerOrderId("1")])
    assert matching.trustworthy([row("1"), row("2")], [BrokerOrderId("1")])


def test_silence_is_not_evidence() -> None:
    assert matching.by_tag(INTENT, UNKNOWN, [row(tag=Tag("Oother"))]) is None


def test_one_row_with_the_tag_and_the_payload_is_the_order() -> None:
    finding = matching.by_tag(INTENT, UNKNOWN, [row()])
    assert finding is not None
    leg = matching.settle(UNKNOWN, finding)
    assert (leg.submission, leg.evidence, leg.broker_order_id) == (Submission.ACKED, Evidence.BOOK_TAG, "1")
    assert leg.working is OrderState.OPEN


def test_a_rejected_row_is_a_refusal_with_the_brokers_words() -> None:
    finding = matching.by_tag(INTENT, UNKNOWN, [row(state=OrderState.REJECTED, message="RMS: margin")])
    assert finding is not None
    leg = matching.settle(UNKNOWN, finding)
    assert leg.submission is Submission.REJECTED
    assert leg.problem is not None
    assert leg.problem.message == "RMS: margin"


def test_two_rows_with_one_tag_are_disputed() -> None:
    finding = matching.by_tag(INTENT, UNKNOWN, [row("1"), row("2")])
    assert finding is not None
    assert matching.settle(UNKNOWN, finding).submission is Submission.DISPUTED


@pytest.mark.parametrize(
    "other",
    [{"quantity": 11}, {"side": Side.SELL}, {"product": Product.MIS}, {"filled_quantity": 11}],
    ids=["quantity", "side", "product", "too-many-fills"],
)
def test_the_tag_on_another_order_is_disputed(other: dict[str, Any]) -> None:
    finding = matching.by_tag(INTENT, UNKNOWN, [row(**other)])
    assert finding is not None
    assert finding.submission is Submission.DISPUTED


NOBODY: frozenset[str] = frozenset()


def candidates(book: list[OrderReport], pre_image: Set[str] = NOBODY, claimed: Set[str] = NOBODY) -> list[str]:
    found = matching.candidates(
        INTENT, UNKNOWN, book, pre_image=pre_image, claimed={BrokerOrderId(c) for c in claimed},
        now=MONDAY_NOON + timedelta(seconds=30),
    )  # fmt: skip
    return [candidate.order_id for candidate in found]


def test_without_a_tag_only_new_unclaimed_orders_of_the_same_terms_and_time_come_into_question() -> None:
    assert candidates([row("1")]) == ["1"]
    assert candidates([row("1", placed_at=None)]) == ["1"]
    assert candidates([row("1")], pre_image={"1"}) == []
    assert candidates([row("1")], claimed={"1"}) == []
    assert candidates([row("1", limit_price=Decimal(1501))]) == []
    assert candidates([row("1", type=OrderType.MARKET)]) == []
    assert candidates([row("1", validity=Validity.IOC)]) == []
    assert candidates([row("1", trigger_price=Decimal(1))]) == []
    assert candidates([row("1", placed_at=MONDAY_NOON - timedelta(seconds=3))]) == []
    assert candidates([row("1", placed_at=MONDAY_NOON + timedelta(minutes=1))]) == []


def test_a_match_without_a_tag_needs_the_same_single_order_in_two_looks() -> None:
    assert matching.by_pre_image([row("1")], []) is None
    assert matching.by_pre_image([row("1")], [row("2")]) is None
    finding = matching.by_pre_image([row("1")], [row("1")])
    assert finding is not None
    assert finding.evidence is Evidence.BOOK_FUZZY
    twins = matching.by_pre_image([row("1")], [row("1"), row("2")])
    assert twins is not None
    assert twins.submission is Submission.DISPUTED


def test_fills_never_fall_and_an_unclear_word_changes_nothing() -> None:
    half = matching.follow(ACKED, row(state=OrderState.PARTIAL, filled_quantity=5, average_price=Decimal(1500)))
    assert (half.working, half.filled_quantity, half.average_price) == (OrderState.PARTIAL, 5, Decimal(1500))
    assert matching.follow(half, row(state=OrderState.UNCLEAR, filled_quantity=7)) == half
    assert matching.follow(half, row(state=OrderState.PARTIAL, filled_quantity=4)) == half
    assert matching.follow(half, row(state=OrderState.OPEN, filled_quantity=5)) == half


def test_an_order_that_has_ended_stays_as_it_ended() -> None:
    done = matching.follow(ACKED, row(state=OrderState.CANCELLED))
    assert matching.follow(done, row(state=OrderState.OPEN)) == done
    assert matching.follow(done, row(state=OrderState.FILLED, filled_quantity=0)) == done


def test_fills_after_the_end_are_disputed() -> None:
    done = matching.follow(ACKED, row(state=OrderState.CANCELLED))
    late = matching.follow(done, row(state=OrderState.FILLED, filled_quantity=10))
    assert late.submission is Submission.DISPUTED


@pytest.mark.parametrize(
    ("state", "filled", "becomes"),
    [
        (OrderState.OPEN, 3, OrderState.PARTIAL),
        (OrderState.PENDING, 3, OrderState.PARTIAL),
        (OrderState.PARTIAL, 0, OrderState.OPEN),
        (OrderState.FILLED, 9, OrderState.PARTIAL),
        (OrderState.FILLED, 0, OrderState.OPEN),
        (OrderState.REJECTED, 4, OrderState.CANCELLED),
        (OrderState.EXPIRED, 4, OrderState.EXPIRED),
    ],
)
def test_the_quantities_decide_where_a_word_contradicts_them(
    state: OrderState, filled: int, becomes: OrderState
) -> None:
    leg = matching.follow(replace(ACKED, working=OrderState.PENDING), row(state=state, filled_quantity=filled))
    assert (leg.working, leg.filled_quantity) == (becomes, filled)


def test_every_word_after_every_other_is_taken_without_an_error() -> None:
    for before in OrderState:
        for after in OrderState:
            for filled in (0, 5, 10):
                first = matching.follow(replace(ACKED, working=None), row(state=before, filled_quantity=filled // 2))
                if first.submission is Submission.ACKED:
                    matching.follow(first, row(state=after, filled_quantity=filled))


def test_a_quantity_changed_elsewhere_is_followed() -> None:
    leg = matching.follow(ACKED, row(quantity=20, state=OrderState.FILLED, filled_quantity=20))
    assert (leg.quantity, leg.working) == (20, OrderState.FILLED)


def test_more_fills_than_ordered_are_disputed() -> None:
    assert matching.follow(ACKED, row(filled_quantity=11)).submission is Submission.DISPUTED


def test_a_rejection_by_the_exchange_after_a_yes_keeps_its_words() -> None:
    leg = matching.follow(ACKED, row(state=OrderState.REJECTED))
    assert leg.state == "rejected"
    assert leg.problem is not None


def test_a_yes_without_a_row_for_a_minute_is_unconfirmed() -> None:
    later = MONDAY_NOON + timedelta(seconds=61)
    assert matching.unconfirmed(ACKED, [], later)
    assert not matching.unconfirmed(ACKED, [BrokerOrderId("1")], later)
    assert not matching.unconfirmed(ACKED, [], MONDAY_NOON + timedelta(seconds=59))
    assert not matching.unconfirmed(replace(ACKED, sent_at=None), [], later)


def trade(order_id: str = "9") -> Trade:
    return Trade("t", BrokerOrderId(order_id), INFY, Side.BUY, 10, Decimal(1500), Product.CNC, MONDAY_NOON)


def position(quantity: int) -> Position:
    return Position(INFY, Product.CNC, quantity, Decimal(1500), None, Decimal(0), Decimal(0))


def test_absent_needs_the_final_book_the_trades_and_the_positions_to_agree() -> None:
    other = row("9", tag=tag_of(b"key", LegId("another-1")))
    assert matching.final(UNKNOWN, INTENT, [row()], [], []) is None
    assert matching.final(UNKNOWN, INTENT, [row("9", tag=None)], [], []) is None
    assert matching.final(UNKNOWN, INTENT, [], [trade()], [position(10)]) is None
    assert matching.final(UNKNOWN, INTENT, [other], [trade()], [position(20)]) is None
    finding = matching.final(UNKNOWN, INTENT, [other], [trade()], [position(10)])
    assert finding is not None
    assert matching.settle(UNKNOWN, finding).submission is Submission.ABSENT


@pytest.mark.parametrize("mangle", [str.lower, lambda tag: tag[:8], lambda tag: "KITE_APP", lambda tag: "1:" + tag])
def test_an_order_whose_tag_was_changed_on_the_way_is_never_called_absent(mangle: Callable[[str], str]) -> None:
    filled = row("9", tag=Tag(mangle(UNKNOWN.tag)), state=OrderState.FILLED, filled_quantity=10)
    assert matching.final(UNKNOWN, INTENT, [filled], [trade()], [position(10)]) is None


def test_an_order_that_was_refused_whole_is_no_order_by_the_final_book() -> None:
    refused = row("9", tag=None, state=OrderState.REJECTED)
    finding = matching.final(UNKNOWN, INTENT, [refused], [], [])
    assert finding is not None
    assert finding.submission is Submission.ABSENT
    partly = row("9", tag=None, state=OrderState.REJECTED, filled_quantity=3)
    assert matching.final(UNKNOWN, INTENT, [partly], [], []) is None


def test_a_refused_order_is_never_taken_for_one_without_a_tag_which_may_be_late_and_alive() -> None:
    refused = row("1", tag=None, state=OrderState.REJECTED)
    assert matching.by_pre_image([refused], [refused]) is None
    late = row("2", tag=None)
    both = matching.by_pre_image([refused], [refused, late])
    assert both is not None
    assert both.submission is Submission.DISPUTED


def test_an_alike_order_without_a_tag_leaves_room_for_the_leg_unless_it_is_certainly_another() -> None:
    alike = [row("8", tag=None), row("9", tag=None)]
    both = [each.order_id for each in alike]
    assert matching.final(UNKNOWN, INTENT, alike, [], [], others=both[1:]) is None
    finding = matching.final(UNKNOWN, INTENT, alike, [], [], others=both)
    assert finding is not None
    assert finding.submission is Submission.ABSENT
    assert matching.final(UNKNOWN, INTENT, [row("9")], [], [], others=both) is None, "its own tag is never another's"


def test_the_final_book_is_that_of_the_session_the_order_belongs_to() -> None:
    exchange = INFY.exchange
    assert matching.final_at(exchange, MONDAY_NOON) == datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
    evening = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    assert matching.final_at(exchange, evening) == datetime(2026, 11, 24, 10, 30, tzinfo=UTC)


def test_a_leg_that_has_ended_cannot_end_unseen() -> None:
    done = matching.follow(ACKED, row(state=OrderState.FILLED, filled_quantity=10))
    assert matching.ended_unseen(done) == done
    assert matching.ended_unseen(UNKNOWN) == UNKNOWN
