"""Every word of m.Stock's books, both ways; what contradicts itself, is missing or is not known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.brokers.http import decode_json
from ordo_cli.brokers.mstock import codes
from ordo_cli.brokers.mstock.decode import (
    decode_funds,
    decode_holding,
    decode_order,
    decode_position,
    decode_quote,
    decode_trade,
    fills_of,
    needs_fills,
)
from ordo_cli.brokers.mstock.fields import id_of, moment, number, text, whole
from ordo_cli.brokers.mstock.naming import Names
from ordo_cli.domain.errors import NoAnswer, Refused
from ordo_cli.domain.instruments import Exchange, InstrumentId, parse_instrument
from ordo_cli.domain.orders import FINAL, OrderReport, OrderState, OrderType, Product, Side, Validity
from tests.brokers.mstock.fakes import master
from tests.brokers.mstock.recorded import raw

NOW = datetime(2026, 10, 15, 9, 0, tzinfo=UTC)  # 14:30 in India
INFY = parse_instrument("NSE:INFY")


def read(value: object) -> Any:
    """As it arrives: what has a fraction is a Decimal."""
    return decode_json(json.dumps(value).encode())


def recorded(call: str) -> Any:
    return decode_json(raw(call))


def order(fills: list[dict[str, Any]] | None = None, **changes: Any) -> OrderReport:
    row = {**recorded("order"), **read(changes)}
    return decode_order(row, None if fills is None else fills_of(fills), Names(master()), NOW)


def trade(quantity: Any = 10, price: Any = 1500.0, **more: Any) -> dict[str, Any]:
    return {**recorded("trade"), **read({"QUANTITY": quantity, "PRICE": price, **more})}


# orders


def test_a_row_is_read_whole() -> None:
    assert order() == OrderReport(
        order_id=order().order_id,
        state=OrderState.OPEN,
        instrument=INFY,
        side=Side.BUY,
        quantity=10,
        type=OrderType.LIMIT,
        product=Product.CNC,
        validity=Validity.DAY,
        limit_price=Decimal("1420"),
        placed_at=datetime(2026, 10, 15, 4, 5, 5, tzinfo=UTC),
        message="CONFIRMED",
    )
    assert order().order_id == "1111261015222"


@pytest.mark.parametrize("word", sorted(codes.STATES))
def test_every_status_word_has_one_state_in_any_case(word: str) -> None:
    whole: dict[str, Any] = {"filled_quantity": 10, "average_price": 1500} if word == "traded" else {}
    for spelled in (word, word.upper(), word.title(), f" {word} "):
        assert order(status=spelled, **whole).state is codes.STATES[word]


@pytest.mark.parametrize("word", ["", None, "None", "Complete", "Expired", "O-Rejected", "Freezed", "Pending!", 5])
def test_a_status_that_no_table_knows_is_unclear(word: Any) -> None:
    assert order(status=word).state is OrderState.UNCLEAR


def test_states_that_are_told_are_those_that_sources_name() -> None:
    assert set(codes.STATES.values()) == {
        OrderState.PENDING,
        OrderState.OPEN,
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
    }


def test_a_pending_row_that_claims_all_of_it_is_believed_to_the_trade_book_alone() -> None:
    claimed = {"filled_quantity": 10, "pending_quantity": 0, "average_price": 1500}
    assert needs_fills({**recorded("order"), **claimed})
    row = order([], **claimed)
    assert (row.state, row.filled_quantity, row.average_price) == (OrderState.OPEN, 0, None)
    row = order([trade(4)], **claimed)
    assert (row.state, row.filled_quantity, row.average_price) == (OrderState.PARTIAL, 4, Decimal(1500))
    row = order([trade(4), trade(6, 1501)], **claimed)
    assert (row.state, row.filled_quantity, row.average_price) == (OrderState.FILLED, 10, Decimal("1500.6"))


def test_a_row_and_a_word_that_agree_need_no_trade_book() -> None:
    agreed = {"status": "Traded", "filled_quantity": 10, "average_price": 1499.5}
    assert not needs_fills({**recorded("order"), **read(agreed)})
    for fills in (None, [], [trade(4)]):
        row = order(fills, **agreed)
        assert (row.state, row.filled_quantity, row.average_price) == (OrderState.FILLED, 10, Decimal("1499.5"))
    assert order([trade(10, 1498)], **agreed).average_price == 1498


def test_a_traded_row_that_neither_number_nor_trades_support_is_not_filled() -> None:
    told = {"status": "Traded", "filled_quantity": 4}
    assert needs_fills({**recorded("order"), **told})
    assert order([], **told).state is OrderState.OPEN
    assert order([trade(4)], **told).state is OrderState.PARTIAL


@pytest.mark.parametrize("word", ["Cancelled", "O-Cancelled", "Rejected"])
def test_what_had_filled_before_an_end_is_kept(word: str) -> None:
    told = {"status": word, "filled_quantity": 3, "cancelled_quantity": 7}
    assert needs_fills({**recorded("order"), **told})
    row = order([trade(3, 1500)], **told)
    assert row.state in FINAL
    assert (row.state, row.filled_quantity, row.average_price) == (codes.STATES[word.lower()], 3, Decimal(1500))


def test_more_fills_than_the_order_had_are_shown_and_not_hidden() -> None:
    assert order([trade(11)], filled_quantity=11).filled_quantity == 11


def test_a_row_without_a_claim_needs_no_trade_book_and_one_without_a_number_does() -> None:
    assert not needs_fills(recorded("order"))
    for nothing in (None, "None", ""):
        assert needs_fills({**recorded("order"), "filled_quantity": nothing})


def test_a_tag_that_comes_back_is_not_taken_for_evidence() -> None:
    assert order(tag="O1234567890ABCDE", guid="O1234567890ABCDE").tag is None


@pytest.mark.parametrize(
    ("word", "kind"), [("LIMIT", "limit"), ("SL", "sl"), ("MARKET", "market"), ("SL-M", "sl-m"), ("sl", "sl")]
)
def test_every_type_is_read_with_the_prices_that_it_has(word: str, kind: str) -> None:
    row = order(order_type=word, price=1420, trigger_price=1415)
    assert row.type is OrderType(kind)
    assert (row.limit_price is None) == (row.type in {OrderType.MARKET, OrderType.SL_M})
    assert (row.trigger_price is None) == (row.type in {OrderType.MARKET, OrderType.LIMIT})


@pytest.mark.parametrize(
    ("price", "trigger", "kind"),
    [(1420, 0, OrderType.LIMIT), (1420, 1415, OrderType.SL), (0, 1415, OrderType.SL_M), (0, None, OrderType.MARKET)],
)
def test_a_type_that_no_table_knows_is_told_by_its_prices(price: Any, trigger: Any, kind: OrderType) -> None:
    assert order(order_type="RL", price=price, trigger_price=trigger).type is kind


@pytest.mark.parametrize(("word", "product"), [("CNC", "cnc"), ("MIS", "mis"), ("INTRADAY", "mis"), ("MTF", "mtf")])
def test_every_product_is_read(word: str, product: str) -> None:
    assert order(product=word).product is Product(product)
    assert order(product=word.lower()).product is Product(product)


@pytest.mark.parametrize("word", ["", None, "MARGIN", "BO"])
def test_a_product_that_no_table_knows_is_one_in_which_nothing_is_ever_sent_there(word: Any) -> None:
    assert order(product=word).product is Product.NRML
    assert order(product=word, exchange="NFO", tradingsymbol="NIFTY26NOVFUT", instrument_token=45021).product is (
        Product.CNC
    )


def test_validities_are_read_and_an_unknown_one_is_a_day() -> None:
    assert [order(validity=word).validity for word in ("DAY", "ioc", "TTL", None)] == [
        Validity.DAY,
        Validity.IOC,
        Validity.DAY,
        Validity.DAY,
    ]


def test_sides_are_read_and_none_is_made_up() -> None:
    assert order(transaction_type="SELL").side is Side.SELL
    for word in ("", None, "B", "SHORT"):
        with pytest.raises(NoAnswer):
            order(transaction_type=word)


@pytest.mark.parametrize("change", [{"order_id": None}, {"order_id": "../1"}, {"quantity": None}, {"quantity": "ten"}])
def test_a_row_without_what_makes_an_order_is_no_book(change: dict[str, Any]) -> None:
    with pytest.raises(NoAnswer):
        order(**change)


def test_numbers_may_be_text() -> None:
    told: dict[str, Any] = {"quantity": "10", "price": "1420.05", "filled_quantity": "0", "instrument_token": "1594"}
    row = order(**told, order_id=1111261015222)
    assert (row.quantity, row.limit_price, row.instrument) == (10, Decimal("1420.05"), INFY)
    assert row.order_id == "1111261015222"


# out


def test_tables_give_codes_for_what_is_sent_and_refuse_the_rest() -> None:
    assert {word: codes.TYPES.out(word) for word in codes.TYPES.words} == {OrderType.LIMIT: "LIMIT", OrderType.SL: "SL"}
    assert {codes.SIDES.out(word) for word in Side} == {"BUY", "SELL"}
    assert {codes.PRODUCTS.out(word) for word in codes.PRODUCTS.words} == {"CNC", "MIS", "NRML"}
    assert {codes.VALIDITIES.out(word) for word in Validity} == {"DAY", "IOC"}
    assert {codes.EXCHANGES.out(word) for word in codes.EXCHANGES.words} == {"NSE", "BSE", "NFO", "BFO"}
    with pytest.raises(Refused):
        codes.TYPES.out(OrderType.MARKET)
    with pytest.raises(Refused):
        codes.TYPES.out(OrderType.SL_M)
    with pytest.raises(Refused):
        codes.PRODUCTS.out(Product.MTF)
    with pytest.raises(Refused):
        codes.EXCHANGES.out(Exchange.MCX)


# instruments


@pytest.mark.parametrize(
    ("exchange", "symbol", "token", "found"),
    [
        ("NSE", "INFY", 1594, "NSE:INFY"),
        ("BSE", "INFY", 500209, "BSE:INFY"),
        ("NSE", "SBICARD", 17971, "NSE:SBICARD"),
        ("NSE", "SBICARD-EQ", 17971, "NSE:SBICARD"),
        ("NSE", "ODDLOT", 532, "NSE:ODDLOT"),
        ("NSE", "ODDLOT-BE", None, "NSE:ODDLOT"),
        ("NFO", "NIFTY26N2426000CE", 45111, "NFO:NIFTY24NOV2626000CE"),
        ("NSE", "NIFTY26N2426000CE", 45111, "NFO:NIFTY24NOV2626000CE"),
        ("NFO", "NIFTY26SOMEHOW", 45021, "NFO:NIFTY24NOV26FUT"),
        ("nse", "INFY", None, "NSE:INFY"),
    ],
)
def test_an_instrument_is_found_by_symbol_and_number(exchange: str, symbol: str, token: Any, found: str) -> None:
    row = order(exchange=exchange, tradingsymbol=symbol, instrument_token=token)
    assert row.instrument == parse_instrument(found)


@pytest.mark.parametrize(
    ("exchange", "symbol", "token", "shown"),
    [
        ("NSE", "NEWCO", 4711, "NSE:NEWCO"),
        ("BSE", "NEWCO", 4711, "BSE:NEWCO"),
        ("NFO", "TATA26NOVFUT", 4711, "NSE:NFO.TATA26NOVFUT"),
        ("BFO", "SENSEX26NOVFUT", 4711, "BSE:BFO.SENSEX26NOVFUT"),
        ("CDS", "USDINR26NOVFUT", 60001, "NSE:CDS.USDINR26NOVFUT"),
        ("MCX", "Gold Petal", 1, "NSE:MCX.GOLD_PETAL"),
        ("", "", None, "NSE:UNKNOWN.UNNAMED"),
        ("NSE", "INFY", 3045, "NSE:NSE.INFY"),
        ("NSE", "Ünïcode", 1, "NSE:NSE._N_CODE"),
        ("NFO", "X" * 60, 1, "NSE:NFO." + "X" * 36),
    ],
)
def test_a_row_that_the_master_does_not_have_is_shown_all_the_same(
    exchange: str, symbol: str, token: Any, shown: str
) -> None:
    row = order(exchange=exchange, tradingsymbol=symbol, instrument_token=token)
    assert str(row.instrument) == shown
    assert (row.order_id, row.quantity, row.state) == ("1111261015222", 10, OrderState.OPEN)


def test_a_number_alone_does_not_make_a_contract_into_a_share() -> None:
    row = order(exchange="NSE", tradingsymbol="NIFTY26N2499999CE", instrument_token=1594)
    assert row.instrument == InstrumentId(Exchange.NSE, "NIFTY26N2499999CE")
    nxt = order(exchange="NFO", tradingsymbol="NIFTYNXT5026NOVFUT", instrument_token=45021)
    assert str(nxt.instrument) == "NSE:NFO.NIFTYNXT5026NOVFUT"


# times


@pytest.mark.parametrize(
    ("told", "utc"),
    [
        ("2026-10-15 09:35:05", "2026-10-15T04:05:05"),
        ("2026-10-15 13:35:05", "2026-10-15T08:05:05"),
        ("2026-10-15 02:20:05", "2026-10-15T08:50:05"),  # 14:20: the afternoon of a clock with 12 hours
        ("2026-10-15 02:30:50", "2026-10-15T09:00:50"),  # a broker's clock may stand a little before ours
        ("2026-10-15 03:20:05", "2026-10-14T21:50:05"),  # 15:20 is not yet
        ("2026-10-15 12:01:00", "2026-10-15T06:31:00"),
        ("15-10-2026 13:08:42", "2026-10-15T07:38:42"),
    ],
)
def test_times_are_indias_and_become_utc(told: str, utc: str) -> None:
    assert moment({"at": told}, "at", NOW) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize("told", [None, "", "None", "yesterday", "2026-13-01 00:00:00", "10:00"])
def test_a_time_that_cannot_be_read_is_none(told: Any) -> None:
    assert moment({"at": told}, "at", NOW) is None
    assert order(order_timestamp=told).placed_at is None


# fields


def test_what_stands_for_nothing_is_nothing() -> None:
    for nothing in (None, "", "  ", "None", "null"):
        assert text({"x": nothing}, "x") is None
        assert number({"x": nothing}, "x") is None
        assert whole({"x": nothing}, "x") is None
        with pytest.raises(NoAnswer):
            id_of({"x": nothing}, "x")
    assert text({}, "x") is None


@pytest.mark.parametrize("wrong", [True, [], {}, "1e5", "NaN", "\u0661", "1,000", "--1"])
def test_what_is_no_number_is_not_made_one(wrong: Any) -> None:
    with pytest.raises(NoAnswer):
        number({"x": wrong}, "x")


def test_a_part_of_a_unit_is_no_quantity() -> None:
    assert whole({"x": "10.00"}, "x") == 10
    with pytest.raises(NoAnswer):
        whole({"x": Decimal("10.5")}, "x")


# the rest of an account


def test_trades_are_read_and_a_contract_is_no_share_of_the_same_name() -> None:
    row = decode_trade(trade(), Names(master()))
    assert (row.instrument, row.side, row.quantity, row.price) == (INFY, Side.BUY, 10, Decimal(1500))
    assert (row.trade_id, row.order_id) == ("75412", "1111261015222")
    assert row.traded_at == datetime(2026, 10, 15, 7, 38, 42, tzinfo=UTC)
    option = trade(INSTRUMENT_NAME="OPTIDX", SYMBOL="NIFTY", SEC_ID="45112", BUY_SELL="Sell", PRODUCT="NRML")
    row = decode_trade(option, Names(master()))
    assert (str(row.instrument), row.side, row.product) == ("NFO:NIFTY24NOV2626000PE", Side.SELL, Product.NRML)
    strange = decode_trade(trade(INSTRUMENT_NAME="OPTSTK", SYMBOL="INFY", SEC_ID="9"), Names(master()))
    assert str(strange.instrument) == "NSE:NSE.INFY"


@pytest.mark.parametrize(
    "change", [{"TRADE_NUMBER": None}, {"BUY_SELL": "?"}, {"PRICE": None}, {"ORDER_DATE_TIME": "now"}]
)
def test_a_trade_in_part_is_no_trade_book(change: dict[str, Any]) -> None:
    with pytest.raises(NoAnswer):
        decode_trade(trade(**change), Names(master()))


def test_shares_sold_out_of_holdings_are_no_position_to_buy_back() -> None:
    sold = {**recorded("position"), "quantity": -10}
    assert decode_position({**sold, "product": "CNC"}, Names(master())).quantity == 0
    assert decode_position({**sold, "product": "MIS"}, Names(master())).quantity == -10


def test_positions_are_signed_and_matched_by_number() -> None:
    row = decode_position({**recorded("position"), "quantity": -10, "product": "NRML"}, Names(master()))
    assert (row.instrument, row.quantity, row.product) == (INFY, -10, Product.NRML)
    assert (row.average_price, row.last_price, row.unrealised) == (Decimal(1500), Decimal("1501.5"), Decimal(15))
    for nothing in (None, "None"):
        quiet = {**recorded("position"), "realised": nothing, "unrealised": nothing, "last_price": nothing}
        told = decode_position(quiet, Names(master()))
        assert (told.realised, told.unrealised, told.last_price) == (Decimal(0), Decimal(0), None)
    with pytest.raises(NoAnswer):
        decode_position({**recorded("position"), "quantity": None}, Names(master()))


def test_a_holding_is_what_its_number_says_and_its_company_name_is_no_symbol() -> None:
    known, strange = (decode_holding(row, Names(master())) for row in recorded("holdings")["data"])
    assert (known.instrument, known.quantity, known.pnl, known.isin) == (INFY, 12, Decimal(1194), "INE009A01021")
    assert str(strange.instrument) == "NSE:HELD.BANK_OF_NOWHERE"
    assert (strange.last_price, strange.pnl) == (None, Decimal(0))
    told = {**recorded("holdings")["data"][0], "pnl": None}
    assert decode_holding(told, Names(master())).pnl == Decimal("1194.0")


def test_funds_are_text_and_what_is_available_must_be_told() -> None:
    row = {**recorded("fundsummary")["data"][0], "AMOUNT_UTILIZED": "1000.50", "COLLATERALS": "7"}
    funds = decode_funds(row)
    assert (funds.available, funds.used, funds.collateral) == (Decimal(250_000), Decimal("1000.50"), Decimal(7))
    assert funds.total == Decimal("251000.50")
    with pytest.raises(NoAnswer):
        decode_funds({**row, "AVAILABLE_BALANCE": None})


def test_a_quote_is_whole_or_none() -> None:
    good = recorded("ohlc")["data"]["NSE:INFY-EQ"]
    quote = decode_quote(INFY, good, NOW)
    assert quote is not None
    assert (quote.last_price, quote.previous_close, quote.at) == (Decimal(1500), Decimal(1490), NOW)
    damaged: tuple[Any, ...] = (
        None,
        [],
        "x",
        {},
        {**good, "last_price": 0},
        {**good, "ohlc": {**good["ohlc"], "low": "?"}},
    )
    assert [decode_quote(INFY, row, NOW) for row in (*damaged, {**good, "ohlc": None})] == [None] * 7
