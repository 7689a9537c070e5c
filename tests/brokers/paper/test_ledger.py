"""Money and shares: nothing is made, nothing is lost, and every day ends with the books in order."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from ordo_cli.brokers.paper import views
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import Product, Side
from ordo_cli.domain.portfolio import Position
from tests.brokers.paper.fakes import MONDAY_NOON, Floor

BUY, SELL = Side.BUY, Side.SELL
CRORE = Decimal(10_000_000)


@pytest.fixture
def open_floor(floor: Floor) -> Floor:
    floor.price("1500", depth=None)
    return floor


def only(floor: Floor, account: str) -> Position:
    (position,) = views.positions(floor.exchange, account)
    return position


def test_a_purchase_ties_up_its_price_and_shows_its_profit(open_floor: Floor) -> None:
    open_floor.taken("alice", BUY, 10, product=Product.CNC)
    open_floor.price("1510", depth=None)
    assert only(open_floor, "alice") == Position(
        instrument=parse_instrument("NSE:INFY"),
        product=Product.CNC,
        quantity=10,
        average_price=Decimal(1500),
        last_price=Decimal(1510),
        realised=Decimal(0),
        unrealised=Decimal(100),
    )
    funds = views.funds(open_floor.exchange, "alice")
    assert (funds.used, funds.available, funds.total) == (Decimal(15_000), CRORE - 15_000, CRORE)


def test_intraday_takes_a_fifth_of_the_money(open_floor: Floor) -> None:
    open_floor.taken("alice", SELL, 10)
    assert views.funds(open_floor.exchange, "alice").used == Decimal(3_000)


def test_a_future_takes_a_part_of_its_value_and_an_option_that_is_bought_its_price(floor: Floor) -> None:
    floor.price("26000", "NFO:NIFTY24NOV26FUT", depth=None)
    floor.price("100", "NFO:NIFTY24NOV2626000CE", depth=None)
    floor.taken("alice", BUY, 65, instrument="NFO:NIFTY24NOV26FUT", product=Product.NRML)
    floor.taken("bob", BUY, 65, instrument="NFO:NIFTY24NOV2626000CE", product=Product.NRML)
    floor.taken("carol", SELL, 65, instrument="NFO:NIFTY24NOV2626000CE", product=Product.NRML)
    used = [views.funds(floor.exchange, name).used for name in ("alice", "bob", "carol")]
    assert used == [Decimal(26_000 * 65) * 12 / 100, Decimal(6_500), Decimal(26_000 * 65) * 12 / 100]


def test_profit_is_booked_on_what_is_closed_at_the_average_of_what_was_bought(open_floor: Floor) -> None:
    open_floor.taken("alice", BUY, 10)
    open_floor.price("1520", depth=None)
    open_floor.taken("alice", BUY, 10)
    open_floor.price("1530", depth=None)
    open_floor.taken("alice", SELL, 5)
    position = only(open_floor, "alice")
    assert (position.quantity, position.average_price) == (15, Decimal(1510))
    assert (position.realised, position.unrealised) == (Decimal(100), Decimal(300))


def test_a_sale_beyond_the_position_turns_it_round(open_floor: Floor) -> None:
    open_floor.taken("alice", BUY, 10)
    open_floor.price("1510", depth=None)
    open_floor.taken("alice", SELL, 30)
    position = only(open_floor, "alice")
    assert (position.quantity, position.average_price, position.realised) == (-20, Decimal(1510), Decimal(100))
    open_floor.price("1500", depth=None)
    assert only(open_floor, "alice").unrealised == Decimal(200)


def test_a_closed_position_is_shown_until_the_day_is_over_and_its_profit_is_cash_then(open_floor: Floor) -> None:
    open_floor.taken("alice", BUY, 10)
    open_floor.price("1510", depth=None)
    open_floor.taken("alice", SELL, 10)
    assert only(open_floor, "alice").quantity == 0
    open_floor.clock.pass_(24 * 3600)
    assert views.positions(open_floor.exchange, "alice") == []
    assert views.funds(open_floor.exchange, "alice").available == CRORE + 100


def test_what_was_bought_for_delivery_is_a_holding_the_next_day(open_floor: Floor) -> None:
    open_floor.taken("alice", BUY, 10, product=Product.CNC)
    assert views.holdings(open_floor.exchange, "alice") == []
    open_floor.clock.pass_(24 * 3600)
    open_floor.price("1520", depth=None)
    (holding,) = views.holdings(open_floor.exchange, "alice")
    assert (holding.isin, holding.quantity, holding.average_price) == ("INE009A01021", 10, Decimal(1500))
    assert holding.pnl == Decimal(200)
    assert views.positions(open_floor.exchange, "alice") == []
    funds = views.funds(open_floor.exchange, "alice")
    assert (funds.available, funds.used) == (CRORE - 15_000, Decimal(0))


def test_a_holding_that_is_sold_gives_its_money_and_no_short_position(open_floor: Floor) -> None:
    open_floor.taken("alice", BUY, 10, product=Product.CNC)
    open_floor.clock.pass_(24 * 3600)
    open_floor.price("1520", depth=None)
    open_floor.taken("alice", SELL, 4, product=Product.CNC)
    (holding,) = views.holdings(open_floor.exchange, "alice")
    assert (holding.quantity, holding.average_price) == (6, Decimal(1500))
    position = only(open_floor, "alice")
    assert (position.quantity, position.realised) == (0, Decimal(80))
    assert views.funds(open_floor.exchange, "alice").available == CRORE - 15_000 + 4 * 1520


def test_intraday_positions_are_squared_off_when_the_day_ends(open_floor: Floor) -> None:
    open_floor.taken("alice", SELL, 10)
    open_floor.price("1490", depth=None)
    open_floor.clock.pass_(24 * 3600)
    assert views.positions(open_floor.exchange, "alice") == []
    assert views.funds(open_floor.exchange, "alice").available == CRORE + 100


def test_contracts_are_carried_over_night_and_settled_when_they_expire(floor: Floor) -> None:
    future, option = "NFO:NIFTY24NOV26FUT", "NFO:NIFTY24NOV2626000CE"
    floor.price("26000", future, depth=None)
    floor.price("100", option, depth=None)
    floor.taken("alice", BUY, 65, instrument=future, product=Product.NRML)
    floor.taken("alice", SELL, 65, instrument=option, product=Product.NRML)
    floor.clock.pass_(24 * 3600)
    assert len(views.positions(floor.exchange, "alice")) == 2
    floor.price("26100", future, depth=None)
    floor.price("130", option, depth=None)
    floor.clock.pass_(24 * 3600)
    assert views.positions(floor.exchange, "alice") == []
    assert views.funds(floor.exchange, "alice").available == CRORE + 65 * 100 - 65 * 30


def test_a_month_away_costs_a_moment_and_leaves_the_books_in_order(open_floor: Floor) -> None:
    open_floor.taken("alice", BUY, 10, product=Product.CNC)
    waiting = open_floor.taken("alice", BUY, 10, "1400")
    open_floor.clock.pass_(31 * 24 * 3600)
    assert open_floor.now(waiting).outcome == "expired"
    assert len(views.holdings(open_floor.exchange, "alice")) == 1
    assert views.orders(open_floor.exchange, "alice") == []


def test_the_book_of_yesterday_is_gone_an_hour_after_midnight(open_floor: Floor) -> None:
    open_floor.clock.pass_(12 * 3600 - 60)  # a minute before midnight
    open_floor.taken("alice", BUY, 10)
    open_floor.clock.pass_(120)
    assert len(views.orders(open_floor.exchange, "alice")) == 1
    assert len(views.trades(open_floor.exchange, "alice")) == 1
    open_floor.clock.pass_(3_600)
    assert views.orders(open_floor.exchange, "alice") == []
    assert views.trades(open_floor.exchange, "alice") == []


def test_an_order_has_the_time_at_which_the_exchange_got_it(open_floor: Floor) -> None:
    open_floor.clock.pass_(90)
    open_floor.taken("alice", BUY, 10)
    (row,) = views.orders(open_floor.exchange, "alice")
    assert row.placed_at == MONDAY_NOON + timedelta(seconds=90)
    assert row.order_id.startswith("261123")


def test_a_quote_is_the_market_and_knows_the_price_that_was_set(open_floor: Floor) -> None:
    infy, tcs = parse_instrument("NSE:INFY"), parse_instrument("NSE:TCS")
    found = views.quotes(open_floor.exchange, [infy, tcs, parse_instrument("NSE:NOSUCH")])
    assert set(found) == {infy, tcs}
    assert (found[infy].last_price, found[infy].bid, found[infy].ask) == (Decimal(1500), Decimal(1500), Decimal(1500))
    ask, bid = found[tcs].ask, found[tcs].bid
    assert ask is not None
    assert bid is not None
    assert ask - bid == Decimal("0.05")
    open_floor.price("1500")
    assert views.quotes(open_floor.exchange, [infy])[infy].ask is None
    open_floor.price(None)
    assert views.quotes(open_floor.exchange, [infy])[infy].last_price != Decimal(1500)


def test_a_price_far_away_takes_the_band_with_it(floor: Floor) -> None:
    floor.price("2000", depth=None)
    found = views.instrument(floor.exchange, parse_instrument("NSE:INFY"))
    assert found is not None
    assert (found.lower_band, found.upper_band) == (Decimal(1800), Decimal(2200))
    floor.taken("alice", BUY, 10, "2000")


def test_search_finds_symbols_before_names(floor: Floor) -> None:
    found = [str(item.id) for item in views.search(floor.exchange, "bank", 4)]
    assert found[0] == "NSE:BANKBARODA"
    assert "NSE:AXISBANK" in found or len(found) == 4
    assert [str(item.id) for item in views.search(floor.exchange, "infosys", 5)] == ["NSE:INFY"]
    assert [str(item.id) for item in views.search(floor.exchange, "nse:m&m", 5)] == ["NSE:M&M"]
    assert views.search(floor.exchange, "nothing like this", 5) == []
