"""Matching: what a broker's book proves about a leg of ours, as pure decisions. Silence proves nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from ordo_cli.domain import market
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.legs import Evidence, Leg, Problem, Submission
from ordo_cli.domain.orders import FINAL, BrokerOrderId, OrderIntent, OrderReport, OrderState
from ordo_cli.domain.portfolio import Position, Trade
from ordo_cli.domain.tags import is_ours
from ordo_cli.domain.values import dataclass, replace

CONFIRMED_WITHIN = timedelta(seconds=60)
FINAL_AFTER = timedelta(minutes=30)  # after the segment's close
SKEW = timedelta(seconds=2)  # how far a broker's clock may stand before ours without a word


@dataclass(frozen=True, slots=True)
class Finding:
    """What the book says of a leg: `submission` to move to, with the row that proves it and how."""

    submission: Submission
    evidence: Evidence
    report: OrderReport | None = None
    problem: Problem | None = None


def trustworthy(book: Sequence[OrderReport], seen_before: Collection[BrokerOrderId]) -> bool:
    """Whether this book may prove anything: no order twice, and none missing that an earlier book of the day had."""
    ids = [row.order_id for row in book]
    return len(set(ids)) == len(ids) and set(seen_before) <= set(ids)


def of_day(book: Sequence[OrderReport], day: date) -> list[BrokerOrderId]:
    """The orders that every later book of this day must have. Those of an earlier day may leave it during the night."""
    return [row.order_id for row in book if row.placed_at is None or market.trading_day(row.placed_at) == day]


def same_order(intent: OrderIntent, leg: Leg, row: OrderReport) -> bool:
    """Whether the row is what the leg asked for, apart from prices that a protected market order may show."""
    return (
        row.instrument == intent.instrument
        and row.side is intent.side
        and row.quantity == leg.quantity
        and row.product is intent.product
        and row.filled_quantity <= leg.quantity
    )


def same_terms(intent: OrderIntent, leg: Leg, row: OrderReport) -> bool:
    """`same_order`, and type, validity and prices to the letter: what a match without a tag needs."""
    return (
        same_order(intent, leg, row)
        and row.type is intent.type
        and row.validity is intent.validity
        and row.limit_price == intent.limit_price
        and row.trigger_price == intent.trigger_price
    )


def by_tag(intent: OrderIntent, leg: Leg, book: Sequence[OrderReport]) -> Finding | None:
    """The one row that carries the leg's tag; two rows, or a row of another order, dispute it; none says nothing."""
    hits = [row for row in book if row.tag == leg.tag]
    if not hits:
        return None
    if len(hits) > 1:
        ids = ", ".join(row.order_id for row in hits)
        return disputed(f"{len(hits)} orders carry the tag of this leg: {ids}")
    if not same_order(intent, leg, hits[0]):
        return disputed(f"order {hits[0].order_id} carries the tag of this leg but is another order")
    return found(hits[0], Evidence.BOOK_TAG)


def candidates(
    intent: OrderIntent,
    leg: Leg,
    book: Sequence[OrderReport],
    *,
    pre_image: Collection[str],
    claimed: Collection[BrokerOrderId],
    now: datetime,
) -> list[OrderReport]:
    """Orders that a tagless leg may have become: new since its pre-image, nobody else's, the same terms and time."""
    earliest = (leg.sent_at or now) - SKEW
    return [
        row
        for row in book
        if row.order_id not in pre_image
        and row.order_id not in claimed
        and same_terms(intent, leg, row)
        and (row.placed_at is None or earliest <= row.placed_at <= now + SKEW)
    ]


def by_pre_image(first: Sequence[OrderReport], second: Sequence[OrderReport]) -> Finding | None:
    """The verdict of two looks, at least two seconds apart: the same single candidate in both is the leg's order.

    But no row that was refused is taken for it: it may be that of another order, while this one is late and alive.
    """
    if len(first) > 1 or len(second) > 1:
        ids = ", ".join(sorted({row.order_id for row in (*first, *second)}))
        return disputed(f"more than one order could be this leg: {ids}")
    if len(first) == 1 and len(second) == 1 and first[0].order_id == second[0].order_id:
        refused = second[0].state is OrderState.REJECTED
        return None if refused else found(second[0], Evidence.BOOK_FUZZY)
    return None


def found(row: OrderReport, evidence: Evidence) -> Finding:
    if row.state is OrderState.REJECTED:
        problem = Problem("REJECTED", row.message or "the broker's book shows it as rejected")
        return Finding(Submission.REJECTED, evidence, row, problem)
    return Finding(Submission.ACKED, evidence, row)


def disputed(message: str) -> Finding:
    hint = "look at the broker's own order book, then settle it: ordo leg resolve LEG --broker-id ID"
    return Finding(Submission.DISPUTED, Evidence.BOOK_TAG, problem=Problem("DISPUTED", message, hint))


def settle(leg: Leg, finding: Finding) -> Leg:
    """The leg after a finding about whether it exists."""
    if finding.report is None or finding.submission is not Submission.ACKED:
        order_id = leg.broker_order_id if finding.report is None else finding.report.order_id
        return leg.to(finding.submission, evidence=finding.evidence, problem=finding.problem, broker_order_id=order_id)
    known = leg.to(Submission.ACKED, evidence=finding.evidence, broker_order_id=finding.report.order_id, problem=None)
    return follow(known, finding.report)


def follow(leg: Leg, row: OrderReport) -> Leg:
    """The leg after its row in a book: fills never fall, an unclear word changes nothing, too many fills dispute it.

    A leg that another process has found disputed meanwhile stays so.
    """
    if leg.submission is not Submission.ACKED:
        return leg
    if row.filled_quantity > row.quantity:
        return settle(leg, disputed(f"order {row.order_id} shows {row.filled_quantity} filled of {row.quantity}"))
    if leg.working in FINAL and row.filled_quantity > leg.filled_quantity:
        return settle(leg, disputed(f"order {row.order_id} was {leg.working} and fills have come since"))
    if row.state is OrderState.UNCLEAR or row.filled_quantity < leg.filled_quantity or leg.working in FINAL:
        return leg
    # A quantity that was changed, here or in the broker's own app, is what can fill now.
    sized = leg if row.quantity == leg.quantity else replace(leg, quantity=row.quantity)
    state = _working(row)
    if state is leg.working and row.filled_quantity == leg.filled_quantity:
        return sized
    if state is OrderState.PENDING and leg.working is not None:
        return sized
    moved = sized.live(state, row.filled_quantity, row.average_price)
    if row.state is OrderState.REJECTED:
        return replace(moved, problem=Problem("REJECTED", row.message or "the exchange rejected it"))
    return moved


def _working(row: OrderReport) -> OrderState:
    """The state that the row's quantities allow: brokers differ in what they call an order with some of it filled."""
    some, all_of_it = row.filled_quantity > 0, row.filled_quantity == row.quantity
    if row.state in {OrderState.PENDING, OrderState.OPEN, OrderState.PARTIAL}:
        return OrderState.PARTIAL if some else OrderState.OPEN if row.state is OrderState.PARTIAL else row.state
    if row.state is OrderState.FILLED and not all_of_it:
        return OrderState.PARTIAL if some else OrderState.OPEN
    if row.state is OrderState.REJECTED and some:
        return OrderState.CANCELLED  # what had filled stays; only the rest was thrown out
    return row.state


def unconfirmed(leg: Leg, book: Collection[BrokerOrderId], now: datetime) -> bool:
    """Whether a broker's yes has stayed without a row in its book for too long; it is still never sent again."""
    since = leg.answered_at or leg.sent_at
    return leg.broker_order_id not in book and since is not None and now - since > CONFIRMED_WITHIN


def final(
    leg: Leg,
    intent: OrderIntent,
    book: Sequence[OrderReport],
    trades: Sequence[Trade],
    positions: Sequence[Position],
    *,
    others: Collection[BrokerOrderId] = (),
) -> Finding | None:
    """The verdict of the day's last books: absent when neither book nor trades nor positions leave room for the leg.

    `others` are orders that were there before the leg was sent, or are another leg's: alike or not, they are not it.
    One that is like it counts whatever tag it shows, as brokers have changed and replaced tags; one that was refused
    whole leaves no more of the leg than its absence does. Every trade must belong to an order of the book, and the
    position in the instrument must be what those trades make.
    """
    strange = (row for row in book if not is_ours(row.tag) and not _refused_whole(row))
    alike = (row for row in strange if same_order(intent, leg, row))
    if by_tag(intent, leg, book) is not None or any(row.order_id not in others for row in alike):
        return None
    if not {trade.order_id for trade in trades} <= {row.order_id for row in book}:
        return None
    traded = sum(trade.quantity * trade.side.sign for trade in trades if trade.instrument == intent.instrument)
    held = sum(position.quantity for position in positions if position.instrument == intent.instrument)
    if traded != held:
        return None
    message = "the day's final order book, trades and positions do not have it"
    return Finding(Submission.ABSENT, Evidence.FINAL_BOOK, problem=Problem("ABSENT", message))


def _refused_whole(row: OrderReport) -> bool:
    return row.state is OrderState.REJECTED and not row.filled_quantity


def is_final(exchange: Exchange, sent_at: datetime, read_at: datetime) -> bool:
    """Whether a book read then is the last word on an order sent at that moment.

    Brokers clear their books over night: what the book of a later day does not have may have traded the day before.
    """
    at = final_at(exchange, sent_at)
    return at <= read_at and market.trading_day(read_at) == market.trading_day(at - FINAL_AFTER)


def is_over(exchange: Exchange, sent_at: datetime, now: datetime) -> bool:
    """Whether it is a later day than that of the session in which an order sent then could trade."""
    return market.trading_day(now) > market.trading_day(final_at(exchange, sent_at) - FINAL_AFTER)


def ended_unseen(leg: Leg) -> Leg:
    """An accepted leg whose session is over, with no book read in time: it works no longer, and may have filled."""
    if leg.submission is not Submission.ACKED or leg.working in FINAL:
        return leg
    message = "its session is over, and no book was read that shows how it ended"
    problem = Problem("ENDED_UNSEEN", message, "see what it became: ordo positions, ordo trades")
    return leg.live(OrderState.EXPIRED, leg.filled_quantity, problem=problem)


def final_at(exchange: Exchange, sent_at: datetime) -> datetime:
    """When the book of the session that an order sent at this moment belongs to is final."""
    closes = market.closes_at(exchange, market.trading_day(market.next_open(exchange, sent_at)))
    return closes + FINAL_AFTER
