"""Price first, then time; what may not wait does not; what waits is found by the market."""

from __future__ import annotations

from decimal import Decimal

from ordo_cli.brokers.paper.amounts import rupees
from ordo_cli.brokers.paper.behaviours import Behaviour
from ordo_cli.domain.orders import Product, Side, Validity
from tests.brokers.paper.fakes import Floor

BUY, SELL = Side.BUY, Side.SELL


def fills(floor: Floor, account: str) -> list[tuple[int, str]]:
    """(quantity, price) of an account's trades in their order."""
    rows = floor.exchange.db.execute("SELECT quantity, price FROM trades WHERE account = ? ORDER BY number", (account,))
    return [(quantity, str(rupees(price))) for quantity, price in rows]


def test_the_best_price_trades_first_whoever_came_first(quiet: Floor) -> None:
    low = quiet.taken("alice", BUY, 10, "1490")
    high = quiet.taken("bob", BUY, 10, "1495")
    quiet.taken("carol", SELL, 15, "1480")
    assert (quiet.now(high).filled, quiet.now(low).filled) == (10, 5)
    assert fills(quiet, "carol") == [(10, "1495.00"), (5, "1490.00")]


def test_at_one_price_the_earlier_order_trades_first(quiet: Floor) -> None:
    first = quiet.taken("alice", BUY, 10, "1490")
    second = quiet.taken("bob", BUY, 10, "1490")
    quiet.taken("carol", SELL, 12, "1490")
    assert (quiet.now(first).filled, quiet.now(second).filled) == (10, 2)


def test_the_order_that_waited_makes_the_price(quiet: Floor) -> None:
    quiet.taken("alice", SELL, 10, "1490")
    quiet.taken("bob", BUY, 10, "1510")
    assert fills(quiet, "bob") == [(10, "1490.00")]


def test_a_new_price_or_a_larger_quantity_loses_its_place_and_a_smaller_one_keeps_it(quiet: Floor) -> None:
    smaller, larger, moved, last = (quiet.taken(name, BUY, 10, "1490") for name in ("a", "b", "c", "d"))
    quiet.modify("a", smaller, quantity=5)
    quiet.modify("b", larger, quantity=20)
    quiet.modify("c", moved, limit_price=Decimal("1490.05"))
    quiet.modify("c", moved, limit_price=Decimal(1490))
    quiet.taken("seller", SELL, 15, "1490")
    assert [quiet.now(order).filled for order in (smaller, last, larger, moved)] == [5, 10, 0, 0]
    quiet.taken("seller", SELL, 21, "1490")
    assert [quiet.now(order).filled for order in (larger, moved)] == [20, 1]


def test_a_change_of_price_may_trade_at_once(quiet: Floor) -> None:
    quiet.taken("bob", SELL, 10, "1500")
    order = quiet.taken("alice", BUY, 10, "1490")
    quiet.modify("alice", order, limit_price=Decimal(1500))
    assert quiet.now(order).outcome == "filled"


def test_ioc_takes_what_is_there_and_cancels_the_rest(quiet: Floor) -> None:
    quiet.taken("bob", SELL, 4, "1500")
    order = quiet.taken("alice", BUY, 10, "1500", validity=Validity.IOC)
    assert (order.filled, order.outcome) == (4, "cancelled")
    assert quiet.taken("alice", BUY, 10, "1500", validity=Validity.IOC).filled == 0


def test_a_market_order_goes_no_further_than_its_protection(quiet: Floor) -> None:
    quiet.taken("bob", SELL, 5, "1520")
    quiet.taken("carol", SELL, 5, "1560")  # more than 3 % away
    order = quiet.taken("alice", BUY, 10)
    assert fills(quiet, "alice") == [(5, "1520.00")]
    assert (order.phase, rupees(order.book_price or 0)) == ("book", Decimal(1545))


def test_a_large_order_walks_the_feed_and_the_rest_is_filled_as_more_comes(floor: Floor) -> None:
    floor.price("1500", depth=100)
    order = floor.taken("alice", BUY, 2_000, "1500.10")
    assert fills(floor, "alice") == [(100, "1500.00"), (200, "1500.05"), (300, "1500.10")]
    assert floor.refused("alice", BUY, 1, "9999")[0] == "PRICE_BAND"
    assert floor.now(order).filled == 600
    floor.clock.pass_(1)
    assert floor.now(order).filled == 1_200
    floor.clock.pass_(5)
    assert floor.now(order).outcome == "filled"


def test_an_order_of_an_account_comes_before_the_feed_at_the_same_price(floor: Floor) -> None:
    floor.price("1500")
    resting = floor.taken("alice", BUY, 10, "1500")
    floor.exchange.db.execute("UPDATE prices SET depth = 100")
    floor.taken("bob", SELL, 15, "1500")
    assert floor.now(resting).outcome == "filled"
    assert fills(floor, "bob") == [(10, "1500.00"), (5, "1500.00")]


def test_a_limit_is_filled_when_the_price_comes_to_it_at_its_own_price(floor: Floor) -> None:
    floor.price("1500", depth=None)
    order = floor.taken("alice", BUY, 10, "1480")
    assert order.filled == 0
    floor.price("1475", depth=None)
    assert floor.now(order).outcome == "filled"
    assert fills(floor, "alice") == [(10, "1480.00")]


def test_what_the_feed_brings_goes_to_the_best_price_and_the_earliest_first(floor: Floor) -> None:
    floor.price("1500", depth=None)
    late, early, best = (floor.taken(n, BUY, 4, limit) for n, limit in (("a", "1480"), ("b", "1480"), ("c", "1481")))
    floor.modify("a", late, quantity=5)
    floor.price("1480", depth=4)
    assert [floor.now(order).filled for order in (best, early, late)] == [4, 0, 0]
    floor.clock.pass_(1)
    assert [floor.now(order).filled for order in (early, late)] == [4, 0]
    floor.clock.pass_(1)
    assert floor.now(late).filled == 4


def test_an_after_market_order_in_a_contract_that_expires_today_is_refused(floor: Floor) -> None:
    floor.clock.pass_(24 * 3600)
    floor.taken("alice", BUY, 65, instrument="NFO:NIFTY24NOV26FUT")
    code, _ = floor.refused("alice", BUY, 65, instrument="NFO:NIFTY24NOV26FUT", after_market=True)
    assert code == "INSTRUMENT_UNKNOWN"


def test_a_stop_waits_for_its_trigger_then_trades_as_what_it_is(floor: Floor) -> None:
    floor.price("1500", depth=None)
    market = floor.taken("alice", SELL, 10, trigger="1490")
    limit = floor.taken("bob", SELL, 10, "1489", trigger="1490")
    far = floor.taken("carol", SELL, 10, "1470", trigger="1470")
    assert [order.phase for order in (market, limit, far)] == ["stop", "stop", "stop"]
    floor.price("1489.95", depth=None)
    assert [floor.now(order).outcome for order in (market, limit, far)] == ["filled", "filled", None]


def test_a_stop_that_was_jumped_over_does_not_sell_below_its_limit(floor: Floor) -> None:
    floor.price("1500", depth=None)
    order = floor.taken("alice", SELL, 10, "1489", trigger="1490")
    floor.price("1480", depth=None)
    assert (floor.now(order).phase, floor.now(order).filled) == ("book", 0)
    floor.price("1489", depth=None)
    assert floor.now(order).outcome == "filled"


def test_the_trigger_of_a_waiting_stop_can_be_moved(floor: Floor) -> None:
    floor.price("1500", depth=None)
    order = floor.taken("alice", SELL, 10, trigger="1490")
    floor.modify("alice", order, trigger_price=Decimal(1470))
    floor.price("1480", depth=None)
    assert floor.now(order).phase == "stop"
    floor.price("1470", depth=None)
    assert floor.now(order).outcome == "filled"


def test_an_account_does_not_trade_with_itself(quiet: Floor) -> None:
    resting = quiet.taken("alice", SELL, 10, "1500")
    quiet.taken("bob", SELL, 10, "1500")
    order = quiet.taken("alice", BUY, 10, "1500")
    assert (quiet.now(resting).outcome, order.outcome) == ("cancelled", "filled")
    assert "same account" in (quiet.now(resting).message or "")


def test_a_partial_account_gets_half_at_once_and_the_rest_later(floor: Floor) -> None:
    floor.price("1500", depth=None)
    order = floor.taken("alice", BUY, 11, behaviour=Behaviour(partial=3.0))
    assert (order.phase, order.filled) == ("book", 6)
    floor.clock.pass_(2)
    assert floor.now(order).filled == 6
    floor.clock.pass_(2)
    assert floor.now(order).outcome == "filled"


def test_a_partial_order_for_contracts_stays_in_lots(floor: Floor) -> None:
    order = floor.taken("alice", BUY, 195, instrument="NFO:NIFTY24NOV26FUT", behaviour=Behaviour(partial=3.0))
    assert order.filled == 130


def test_the_part_that_is_held_back_can_be_cancelled(floor: Floor) -> None:
    floor.price("1500", depth=None)
    order = floor.taken("alice", BUY, 10, behaviour=Behaviour(partial=3.0))
    floor.cancel("alice", order)
    floor.clock.pass_(10)
    assert (floor.now(order).outcome, floor.now(order).filled) == ("cancelled", 5)


def test_a_cancel_that_loses_to_a_fill_is_told_so(quiet: Floor) -> None:
    order = quiet.taken("alice", BUY, 10, "1500")
    quiet.taken("bob", SELL, 10, "1500")
    refusal = quiet.cancel("alice", order)
    assert (refusal.code, refusal.message) == ("NOT_OPEN", f"order {order.number} is already filled")


def test_a_cancel_that_wins_keeps_what_was_filled(quiet: Floor) -> None:
    order = quiet.taken("alice", BUY, 10, "1500")
    quiet.taken("bob", SELL, 4, "1500")
    quiet.cancel("alice", order)
    quiet.taken("bob", SELL, 4, "1500")
    assert (quiet.now(order).outcome, quiet.now(order).filled) == ("cancelled", 4)


def test_an_after_market_order_waits_for_the_opening(floor: Floor) -> None:
    order = floor.taken("alice", BUY, 10, after_market=True)
    assert (order.phase, order.filled) == ("amo", 0)
    floor.clock.pass_(21 * 3600)  # Tuesday 09:00
    assert floor.now(order).phase == "amo"
    floor.clock.pass_(15 * 60)
    assert floor.now(order).outcome == "filled"


def test_an_after_market_order_can_be_changed_and_cancelled(floor: Floor) -> None:
    order = floor.taken("alice", BUY, 10, "1450", after_market=True)
    floor.modify("alice", order, quantity=20)
    assert (floor.now(order).quantity, floor.now(order).phase) == (20, "amo")
    floor.cancel("alice", order)
    floor.clock.pass_(24 * 3600)
    assert floor.now(order).outcome == "cancelled"


def test_an_after_market_stop_waits_for_its_trigger_after_the_opening(floor: Floor) -> None:
    floor.price("1500", depth=None)
    order = floor.taken("alice", SELL, 10, trigger="1490", after_market=True)
    floor.clock.pass_(22 * 3600)
    assert floor.now(order).phase == "stop"


def test_a_day_order_ends_with_its_day(quiet: Floor) -> None:
    order = quiet.taken("alice", BUY, 10, "1490", product=Product.CNC)
    quiet.taken("bob", SELL, 4, "1490")
    quiet.clock.pass_(12 * 3600 - 1)
    assert quiet.now(order).phase == "book"
    quiet.clock.pass_(1)
    assert (quiet.now(order).outcome, quiet.now(order).filled) == ("expired", 4)
