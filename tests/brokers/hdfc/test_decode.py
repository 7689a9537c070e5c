"""What HDFC's recorded rows say in ordo's words, and that no row vanishes or is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.brokers.hdfc.codes import reference_of
from ordo_cli.brokers.hdfc.decode import (
    decode_funds,
    decode_holding,
    decode_order,
    decode_position,
    decode_trades,
)
from ordo_cli.brokers.http import decode_json
from ordo_cli.brokers.masters import NoMaster
from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import OrderReport, OrderState, OrderType, Product, Side, Tag, Validity
from ordo_cli.domain.portfolio import Funds, Holding, Position
from tests.brokers.hdfc.fakes import RECORDED, master

WIPRO, CALL = parse_instrument("NSE:WIPRO"), parse_instrument("NFO:NIFTY26NOV2622500CE")


def recorded(name: str) -> Any:
    """An answer as the line hands it on: with exact numbers."""
    return decode_json((RECORDED / f"{name}.json").read_bytes())


SHARE, OPTION, FOREIGN = recorded("orders")["data"]
MASTER = master()


def order(row: Mapping[str, Any] = SHARE, /, **other: object) -> OrderReport:
    return decode_order({**row, **other}, MASTER)


def test_a_share_that_has_traded() -> None:
    assert order() == OrderReport(
        order_id=SHARE["order_id"],
        state=OrderState.FILLED,
        instrument=WIPRO,
        side=Side.BUY,
        quantity=10,
        type=OrderType.LIMIT,
        product=Product.CNC,
        validity=Validity.DAY,
        filled_quantity=10,
        limit_price=Decimal("455.0"),
        average_price=Decimal("455.05"),  # by value, for the row's own is zero
        placed_at=datetime(2026, 11, 23, 4, 45, 3, tzinfo=UTC),
    )


def test_an_option_that_was_cancelled_half_filled() -> None:
    row = order(OPTION)
    assert (row.state, row.instrument, row.side) == (OrderState.CANCELLED, CALL, Side.SELL)
    assert (row.quantity, row.filled_quantity, row.pending_quantity) == (150, 75, 0)
    assert (row.type, row.limit_price, row.trigger_price) == (OrderType.SL, Decimal("80.25"), Decimal("80.5"))
    assert (row.product, row.average_price) == (Product.NRML, Decimal("80.25"))


def test_prices_that_an_order_does_not_have_are_none() -> None:
    market = order(order_type="MARKET", price=455, trigger_price=3)
    assert (market.limit_price, market.trigger_price) == (None, None)
    stop = order(order_type="SL-M", price=0, trigger_price=Decimal("450.5"))
    assert (stop.type, stop.limit_price, stop.trigger_price) == (OrderType.SL_M, None, Decimal("450.5"))
    assert order(order_type="LIMIT", trigger_price=450).trigger_price is None


def test_a_number_equal_to_ours_is_no_tag_while_nobody_has_proved_that_it_is_one() -> None:
    number = reference_of(Tag("O1234567890ABCDE"))
    for value in (number, int(number), f"0{number}"):
        assert order(external_reference_number=value).tag is None


def test_the_brokers_reason_comes_along() -> None:
    assert order(FOREIGN).message == "RMS: limit exceeded"
    assert order(FOREIGN, status_message="").message == "16284"
    assert order().message is None


# nothing vanishes


def test_a_row_whose_security_is_in_no_list_stays_and_meets_no_instrument() -> None:
    row = order(FOREIGN)
    assert str(row.instrument) == "BSE:UNLISTED.NOSUCHEQNR"
    assert (row.state, row.order_id, row.quantity) == (OrderState.REJECTED, "261123000012347", 1)
    assert str(decode_order(SHARE, NoMaster()).instrument) == "NSE:UNLISTED.WIPLTDEQNR"


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ({"security_id": "49599", "exchange": "MCX", "instrument_segment": "FUTCOM"}, "NSE:UNLISTED.MCX.49599"),
        ({"security_id": "", "tradingsymbol": "A B/C'D"}, "NSE:UNLISTED.A-B-C-D"),
        ({"security_id": "", "tradingsymbol": ""}, "NSE:UNLISTED.INE000A01001"),
        ({"security_id": "", "tradingsymbol": None, "isin": ""}, "NSE:UNLISTED.261123000012345"),
        ({"security_id": "x" * 90}, "NSE:UNLISTED." + "X" * 31),
        ({"security_id": "\u0410BC\x1b[2J"}, "NSE:UNLISTED.-BC-2J"),
        ({"exchange": ""}, "NSE:UNLISTED.WIPLTDEQNR"),
    ],
)
def test_whatever_a_row_is_called_it_has_a_name(other: dict[str, object], name: str) -> None:
    assert str(order(**other).instrument) == name


def test_an_id_that_names_another_contract_than_its_row_is_not_believed() -> None:
    assert str(order(OPTION, option_type="Put").instrument) == "NSE:UNLISTED.49599"
    assert str(order(OPTION, strike_price=22600).instrument) == "NSE:UNLISTED.49599"
    assert str(order(OPTION, expiry_date="").instrument) == "NSE:UNLISTED.49599"
    assert str(order(OPTION, expiry_date="24 DEC 2026").instrument) == "NSE:UNLISTED.49599"


@pytest.mark.parametrize("word", [{"product": "COVER"}, {"product": ""}, {"validity": "GTC"}, {"order_type": "SPREAD"}])
def test_a_row_with_a_word_that_ordo_has_none_for_stays_and_meets_no_instrument(word: dict[str, str]) -> None:
    row = order(status="OPEN", filled_quantity=0, **word)
    assert str(row.instrument) == "NSE:UNREAD.WIPLTDEQNR"
    assert row.state is OrderState.OPEN


def test_an_unknown_stop_is_still_shown_as_one() -> None:
    assert order(order_type="BRACKET", trigger_price=450).trigger_price == 450


def test_an_unknown_status_is_unclear() -> None:
    assert order(status="AMO parked").state is OrderState.UNCLEAR
    assert order(status=None).state is OrderState.UNCLEAR


@pytest.mark.parametrize(
    "other",
    [
        {"order_id": ""},
        {"order_id": None},
        {"order_id": 1.5},
        {"order_id": "a b"},
        {"transaction_type": "Hold"},
        {"transaction_type": None},
        {"quantity": None},
        {"quantity": "ten"},
        {"quantity": Decimal("1.5")},
        {"quantity": True},
        {"quantity": []},
        {"quantity": 10**20},
        {"filled_quantity": ""},
        {"price": "NaN"},
        {"price": "1,000"},
        {"price": {}},
        {"trigger_price": "\u0661"},
    ],
)
def test_a_row_that_cannot_be_read_makes_the_book_no_book(other: dict[str, object]) -> None:
    with pytest.raises(NoAnswer):
        order(**other)


def test_numbers_as_text_are_as_exact_as_numbers() -> None:
    text = order(
        quantity="10", filled_quantity="10", price="455.0", total_traded_value="4550.50", cancelled_quantity=""
    )
    assert text == order()
    assert order(order_id=261123000012345) == order()


def test_an_id_that_is_not_listed_is_told_by_the_contract_that_the_row_spells() -> None:
    for underlying in ("NIFTYEQEQNR", "NIFTY", "nifty"):
        row = order(OPTION, security_id="77777", underlying_symbol=underlying, option_type="Put")
        assert str(row.instrument) == "NFO:NIFTY26NOV2622500PE"
    for wrong in ({"underlying_symbol": ""}, {"option_type": "Both"}, {"exchange": "BSE"}, {"strike_price": "x"}):
        assert ".77777" in str(order({**OPTION, **wrong}, security_id="77777").instrument)


# trades, positions, holdings, funds


def test_trades_are_in_the_instruments_of_their_orders() -> None:
    book = recorded("orders")["data"]
    share, option = decode_trades(recorded("trades")["data"], book, MASTER)
    assert (share.instrument, share.quantity, share.price) == (WIPRO, 10, Decimal("455.05"))
    assert (option.instrument, option.side, option.product) == (CALL, Side.SELL, Product.NRML)
    assert option.traded_at == datetime(2026, 11, 23, 4, 50, 1, tzinfo=UTC)
    assert (option.trade_id, option.order_id) == ("700002", "261123000012346")


def test_a_trade_without_its_order_is_told_by_the_contract_that_it_spells() -> None:
    assert [each.instrument for each in decode_trades(recorded("trades")["data"], [], MASTER)] == [WIPRO, CALL]


@pytest.mark.parametrize("other", [{"fill_timestamp": ""}, {"total_traded_value": 0, "average_price": 0}])
def test_a_trade_without_a_time_or_a_price_is_none(other: dict[str, object]) -> None:
    with pytest.raises(NoAnswer):
        decode_trades([{**recorded("trades")["data"][0], **other}], [], MASTER)


def test_positions() -> None:
    share, option = (decode_position(row, MASTER) for row in recorded("positions")["data"]["net"])
    zero = Decimal(0)
    assert share == Position(WIPRO, Product.CNC, 10, Decimal("455.05"), None, zero, zero)
    assert option == Position(CALL, Product.NRML, -75, Decimal("80.25"), None, Decimal("-12.25"), zero)


def test_shares_sold_out_of_holdings_are_no_position_to_buy_back() -> None:
    share = {**recorded("positions")["data"]["net"][0], "net_qty": -10}
    assert decode_position({**share, "product": "DELIVERY"}, MASTER).quantity == 0
    assert decode_position({**share, "product": "INTRADAY"}, MASTER).quantity == -10


def test_a_position_that_cannot_be_told_stays_under_a_name_that_no_order_takes() -> None:
    share, option = recorded("positions")["data"]["net"]
    assert str(decode_position({**share, "product": "COVER"}, MASTER).instrument) == "NSE:UNREAD.WIPLTDEQNR"
    assert str(decode_position({**option, "strike_price": 1}, MASTER).instrument) == "NSE:UNLISTED.NIFTY"
    flat = decode_position({**share, "net_qty": 0}, MASTER)
    assert (flat.quantity, flat.average_price) == (0, Decimal(0))


def test_a_holding_without_a_security_id_stands_under_its_isin() -> None:
    bare, named = (decode_holding(row, MASTER) for row in recorded("holdings")["data"])
    assert bare == Holding(
        parse_instrument("NSE:UNLISTED.INE000A01001"),
        "INE000A01001",
        25,
        Decimal("440.5"),
        Decimal("455.1"),
        Decimal("365.0"),
    )
    assert (named.instrument, named.pnl) == (WIPRO, Decimal("-24.5"))
    unpriced = decode_holding({**recorded("holdings")["data"][0], "close_price": 0}, MASTER)
    assert (unpriced.last_price, unpriced.pnl) == (None, Decimal(0))


def test_funds() -> None:
    data = recorded("funds")["data"]
    assert decode_funds(data) == Funds(Decimal("25000.5"), Decimal("1200.0"), Decimal(300), Decimal("26200.5"))
    broken: list[object] = [None, {}, {"equity": []}, {"equity": {"total_limit": 1}}]
    for each in broken:
        with pytest.raises(NoAnswer):
            decode_funds(each)
