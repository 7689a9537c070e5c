"""Every table both ways, and every row of every recorded answer in ordo's words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.brokers.zerodha import codes, decode, encode
from ordo_cli.brokers.zerodha.names import Names
from ordo_cli.brokers.zerodha.reading import moment
from ordo_cli.domain.errors import NoAnswer, Refused
from ordo_cli.domain.instruments import Exchange, InstrumentId, parse_instrument
from ordo_cli.domain.orders import Changes, OrderIntent, OrderState, OrderType, Product, Side, Tag, Validity
from tests.brokers.zerodha.fakes import ListInMemory, recorded
from tests.fakes import buy, sell

NAMES = Names(ListInMemory())
ROW = recorded("orders")["data"][0]
TAG = Tag("O582CZSRH6MTZYPW")


def form(intent: OrderIntent) -> dict[str, str]:
    return encode.order_form(intent, NAMES.listing(intent.instrument), TAG)


def report(**changes: Any) -> Any:
    return decode.report_of({**ROW, **changes}, NAMES)


# tables


@pytest.mark.parametrize(
    ("table", "words"),
    [(codes.SIDES, Side), (codes.TYPES, OrderType), (codes.PRODUCTS, Product), (codes.VALIDITIES, Validity)],
)
def test_every_word_of_ours_has_a_code_and_comes_back(table: Any, words: Any) -> None:
    assert table.words == frozenset(words)
    assert all(table.into(table.out(word)) is word for word in words)


def test_exchanges_are_those_whose_units_are_known() -> None:
    assert codes.EXCHANGES.words == {Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO}
    for other in set(Exchange) - codes.EXCHANGES.words:
        with pytest.raises(Refused):
            codes.EXCHANGES.out(other)


STATES = {
    "PUT ORDER REQ RECEIVED": OrderState.PENDING,
    "VALIDATION PENDING": OrderState.PENDING,
    "OPEN PENDING": OrderState.PENDING,
    "AMO REQ RECEIVED": OrderState.PENDING,
    "MODIFY AMO REQ RECEIVED": OrderState.PENDING,
    "OPEN": OrderState.OPEN,
    "MODIFY VALIDATION PENDING": OrderState.OPEN,
    "MODIFY PENDING": OrderState.OPEN,
    "MODIFIED": OrderState.OPEN,
    "NOT MODIFIED": OrderState.OPEN,
    "CANCEL PENDING": OrderState.OPEN,
    "TRIGGER PENDING": OrderState.OPEN,
    "COMPLETE": OrderState.FILLED,
    "CANCELLED": OrderState.CANCELLED,
    "CANCELLED AMO": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
    "UPDATE": OrderState.UNCLEAR,  # of postbacks alone
}


@pytest.mark.parametrize("word", STATES)
def test_every_status_word_has_its_state(word: str) -> None:
    assert codes.state_of(word, 12, 0) is STATES[word]
    some = OrderState.PARTIAL if STATES[word] is OrderState.OPEN else STATES[word]
    assert codes.state_of(word, 12, 5) is some


@pytest.mark.parametrize("word", ["", "open", "OPEN ", "COMPLETED", "EXPIRED", "LAPSED", "CANCEL"])
def test_a_status_word_that_nobody_knows_is_unclear(word: str) -> None:
    assert codes.state_of(word, 12, 0) is OrderState.UNCLEAR


def test_an_order_that_is_wholly_filled_and_still_called_open_is_not_called_partly_filled() -> None:
    assert codes.state_of("OPEN", 12, 12) is OrderState.OPEN


# orders on the way out


def test_a_limit_order_is_written_whole() -> None:
    assert form(buy(12, "1490.50", disclosed=3)) == {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "order_type": "LIMIT",
        "quantity": "12",
        "product": "CNC",
        "validity": "DAY",
        "price": "1490.50",
        "disclosed_quantity": "3",
        "tag": TAG,
    }


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (buy(limit=None), {"order_type": "MARKET", "market_protection": "-1"}),
        (sell(limit=None, trigger_price=Decimal(1480)), {"order_type": "SL-M", "market_protection": "-1"}),
        (buy(limit="1481", trigger_price=Decimal(1480)), {"order_type": "SL", "market_protection": None}),
        (buy(), {"order_type": "LIMIT", "market_protection": None, "trigger_price": None}),
    ],
)
def test_market_and_stop_market_orders_carry_protection(intent: OrderIntent, expected: dict[str, str | None]) -> None:
    written = form(intent)
    assert {name: written.get(name) for name in expected} == expected
    assert ("price" in written) == (intent.limit_price is not None)


def test_nothing_is_ever_sliced_and_nothing_else_is_in_the_form() -> None:
    known = {
        "exchange", "tradingsymbol", "transaction_type", "order_type", "quantity", "product", "validity", "tag",
        "price", "trigger_price", "disclosed_quantity", "market_protection",
    }  # fmt: skip
    every = [
        OrderIntent(side, parse_instrument("NSE:M&M"), 10, limit, trigger, product, validity, after, label="note")
        for side in Side
        for limit in (None, Decimal(100))
        for trigger in (None, Decimal(100))
        for product in Product
        for validity, after in ((Validity.DAY, False), (Validity.DAY, True), (Validity.IOC, False))
        if not (validity is Validity.IOC and trigger)
    ]
    assert {name for intent in every for name in form(intent)} <= known


def test_varieties_are_the_two_that_ordo_uses() -> None:
    assert encode.variety_of(buy()) == "regular"
    assert encode.variety_of(buy(after_market=True)) == "amo"


@pytest.mark.parametrize("instrument", ["MCX:CRUDEOIL19NOV26FUT", "CDS:USDINR26NOV26FUT"])
def test_what_may_be_lots_or_units_is_never_ordered(instrument: str) -> None:
    with pytest.raises(Refused) as refusal:
        form(OrderIntent(Side.BUY, parse_instrument(instrument), 100, Decimal(50), product=Product.NRML))
    assert refusal.value.reason == "UNSUPPORTED"


@pytest.mark.parametrize("tag", ["", "O" * 21, "O_1", "O 1", "Ö1", "O-1", "O1\n"])
def test_a_tag_that_would_be_refused_or_cut_is_never_sent(tag: str) -> None:
    with pytest.raises(Refused) as refusal:
        encode.checked(Tag(tag))
    assert refusal.value.reason == "TAG_INVALID"


def test_a_tag_of_twenty_goes() -> None:
    assert encode.checked(Tag("O" * 20)) == "O" * 20


@pytest.mark.parametrize(
    ("changes", "before", "expected"),
    [
        (Changes(quantity=7), OrderType.LIMIT, {"quantity": "7"}),
        (Changes(limit_price=Decimal("9.50")), OrderType.LIMIT, {"price": "9.50"}),
        (Changes(limit_price=Decimal(9)), OrderType.MARKET, {"price": "9", "order_type": "LIMIT"}),
        (Changes(trigger_price=Decimal(9)), OrderType.SL, {"trigger_price": "9"}),
        (Changes(trigger_price=Decimal(9)), OrderType.SL_M, {"trigger_price": "9", "market_protection": "-1"}),
        (Changes(trigger_price=Decimal(9)), OrderType.LIMIT, {"trigger_price": "9", "order_type": "SL"}),
        (Changes(limit_price=Decimal(9)), OrderType.SL_M, {"price": "9", "order_type": "SL"}),
        (Changes(quantity=7), OrderType.MARKET, {"quantity": "7", "market_protection": "-1"}),
    ],
)
def test_a_change_says_what_changes(changes: Changes, before: OrderType, expected: dict[str, str]) -> None:
    assert encode.change_form(changes, before) == expected


def test_a_margin_is_asked_with_numbers() -> None:
    row = encode.margin_row(buy(12, "1490.5"), NAMES.listing(buy().instrument))
    assert (row["quantity"], row["price"], row["trigger_price"]) == (12, Decimal("1490.5"), 0)
    assert (row["exchange"], row["tradingsymbol"], row["variety"]) == ("NSE", "INFY", "regular")


# rows of the book


def test_an_order_that_is_partly_filled_is_told_whole() -> None:
    row = report()
    assert (row.order_id, row.state) == ("261123000000017", OrderState.PARTIAL)
    assert (row.quantity, row.filled_quantity, row.pending_quantity) == (12, 5, 7)
    assert (row.limit_price, row.trigger_price, row.average_price) == (Decimal("1490.5"), None, Decimal("1490.5"))
    assert (row.side, row.type, row.product, row.validity) == (Side.BUY, OrderType.LIMIT, Product.CNC, Validity.DAY)
    assert row.tag == "ord01HZX3"
    assert row.placed_at == datetime(2026, 11, 23, 4, 32, 11, tzinfo=UTC), "10:02:11 in India"


def test_what_filled_before_a_cancel_stays_whatever_is_said_to_be_pending() -> None:
    row = decode.report_of(recorded("orders")["data"][1], NAMES)
    assert (row.state, row.filled_quantity, row.pending_quantity) == (OrderState.CANCELLED, 75, 0)
    assert row.instrument == parse_instrument("NFO:NIFTY24NOV2624500CE")
    assert row.tag == TAG, "found among `tags`, beside a word of the broker's"


def test_a_rejection_says_why_in_the_friendly_words() -> None:
    row = decode.report_of(recorded("orders")["data"][2], NAMES)
    assert (row.state, row.type, row.limit_price, row.trigger_price) == (
        OrderState.REJECTED,
        OrderType.SL_M,
        None,
        Decimal(1545),
    )
    assert row.message is not None
    assert row.message.startswith("Insufficient funds.")
    assert report(status="REJECTED", status_message_raw="RMS: no").message == "RMS: no"


@pytest.mark.parametrize("kind", OrderType)
def test_a_price_of_zero_is_none_and_a_stop_keeps_its_trigger(kind: OrderType) -> None:
    limited, stopped = kind in {OrderType.LIMIT, OrderType.SL}, kind in {OrderType.SL, OrderType.SL_M}
    row = report(order_type=codes.TYPES.out(kind), price=10 if limited else 0, trigger_price=9 if stopped else 0)
    assert (row.type, row.limit_price, row.trigger_price) == (
        kind,
        Decimal(10) if limited else None,
        Decimal(9) if stopped else None,
    )


def test_the_price_of_protection_is_no_limit_of_the_users() -> None:
    assert report(order_type="MARKET", price=1530).limit_price is None


@pytest.mark.parametrize(
    ("field", "word", "name", "expected"),
    [
        ("product", "CO", "product", Product.MIS),
        ("product", None, "product", Product.MIS),
        ("validity", "GTD", "validity", Validity.DAY),
        ("validity", "TTL", "validity", Validity.DAY),
        ("order_type", "PEGGED", "type", OrderType.LIMIT),
    ],
)
def test_an_order_from_elsewhere_with_a_word_of_its_own_is_kept(
    field: str, word: object, name: str, expected: object
) -> None:
    row = report(**{field: word})
    assert getattr(row, name) is expected
    assert row.state is OrderState.PARTIAL


@pytest.mark.parametrize("tag", [None, "", 7])
def test_an_order_without_a_tag_has_none(tag: object) -> None:
    assert report(tag=tag, tags=["somebody", "OABCDEFGHJKMNPQ0", 5]).tag is None
    assert report(tag=tag, tags=None).tag is None


@pytest.mark.parametrize("value", [None, "", "10:02:14", "2026-11-23", "2026-02-30 10:00:00", "2026-11-23T10:02:14", 5])
def test_a_time_that_is_none_is_not_made_up(value: object) -> None:
    assert moment({"at": value}, "at") is None
    assert report(order_timestamp=value).placed_at is None


def test_a_time_in_the_night_belongs_to_the_day_before_in_utc() -> None:
    assert moment({"at": "2026-11-24 00:10:00"}, "at") == datetime(2026, 11, 23, 18, 40, tzinfo=UTC)


# instruments that are not listed


@pytest.mark.parametrize(
    ("exchange", "symbol", "shown"),
    [
        ("NSE", "NEWLY", "NSE:NEWLY"),
        ("BSE", "NEWLY", "BSE:NEWLY"),
        ("NFO", "NIFTY26OCTFUT", "NSE:NFO.NIFTY26OCTFUT"),
        ("NCO", "GOLD26DECFUT", "NSE:NCO.GOLD26DECFUT"),
        ("NSE", "nifty 50", "NSE:NSE.NIFTY_50"),
        ("NFO", "X" * 60, "NSE:NFO." + "X" * 36),
    ],
)
@pytest.mark.parametrize("names", [NAMES, Names(ListInMemory([], None))], ids=["listed", "no list"])
def test_a_row_of_what_is_not_listed_is_kept_and_is_nothing_that_can_be_ordered(
    names: Names, exchange: str, symbol: str, shown: str
) -> None:
    row = decode.report_of({**ROW, "exchange": exchange, "tradingsymbol": symbol}, names)
    assert str(row.instrument) == shown
    assert row.order_id == ROW["order_id"]
    with pytest.raises(Refused):
        names.listing(row.instrument)


def test_without_a_list_a_share_is_still_known_by_its_name() -> None:
    assert decode.report_of(ROW, Names(ListInMemory([], None))).instrument == parse_instrument("NSE:INFY")


# what an account has


def test_a_trade_is_told_by_its_full_time() -> None:
    row = recorded("trades")["data"][0]
    trade = decode.trade_of(row, NAMES)
    assert (trade.trade_id, trade.order_id, trade.quantity, trade.price) == (
        "55012",
        "261123000000017",
        5,
        Decimal("1490.5"),
    )
    assert trade.traded_at == datetime(2026, 11, 23, 4, 32, 14, tzinfo=UTC)
    assert decode.trade_of({**row, "fill_timestamp": None}, NAMES).traded_at == trade.traded_at
    with pytest.raises(NoAnswer):
        decode.trade_of({**row, "fill_timestamp": None, "exchange_timestamp": "10:02:14"}, NAMES)


def test_positions_are_signed_units() -> None:
    found = [decode.position_of(row, NAMES) for row in recorded("positions")["data"]["net"]]
    assert [(str(each.instrument), each.product, each.quantity) for each in found] == [
        ("NSE:INFY", Product.CNC, 5),
        ("NFO:NIFTY24NOV26FUT", Product.NRML, -75),
        ("NSE:SBIN", Product.CNC, 0),
        ("MCX:CRUDEOIL19NOV26FUT", Product.NRML, 200),
    ]
    assert found[2].realised == Decimal("12.3"), "shares sold out of holdings are no short position, and no lost profit"
    assert found[1].average_price == Decimal("24510.25")


def test_an_intraday_short_stays_short() -> None:
    row = recorded("positions")["data"]["net"][0]
    assert decode.position_of({**row, "product": "MIS", "quantity": -5}, NAMES).quantity == -5


def test_a_position_of_an_unknown_product_is_not_closed_by_another() -> None:
    row = recorded("positions")["data"]["net"][0]
    with pytest.raises(NoAnswer, match="CO"):
        decode.position_of({**row, "product": "CO"}, NAMES)
    assert decode.position_of({**row, "product": "CO", "quantity": 0}, NAMES).quantity == 0


def test_holdings_count_shares_that_arrive() -> None:
    holding = decode.holding_of(recorded("holdings")["data"][0], NAMES)
    assert (holding.quantity, holding.isin, holding.average_price) == (12, "INE000A01001", Decimal("1402.35"))
    assert holding.pnl == Decimal("1171.8")


def test_funds_are_what_can_be_spent() -> None:
    funds = decode.funds_of(recorded("margins_equity")["data"])
    assert (funds.available, funds.used, funds.collateral) == (Decimal("81250.4"), Decimal("18749.6"), Decimal(0))
    assert funds.total == Decimal(100_000)


def test_a_quote_has_the_best_of_both_sides_and_its_time() -> None:
    row = recorded("quote")["data"]["NSE:INFY"]
    infy = InstrumentId(Exchange.NSE, "INFY")
    quote = decode.quote_of(row, infy)
    assert quote is not None
    assert (quote.bid, quote.ask, quote.last_price) == (Decimal("1499.95"), Decimal("1500.05"), Decimal(1500))
    assert (quote.previous_close, quote.volume) == (Decimal(1488), 1234567)
    assert quote.at == datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    empty = decode.quote_of({**row, "depth": {"buy": [], "sell": [{"price": 0}]}}, infy)
    assert empty is not None
    assert (empty.bid, empty.ask) == (None, None)
    assert decode.quote_of({**row, "timestamp": None, "last_trade_time": None}, infy) is None
    assert decode.quote_of({**row, "last_price": 0}, infy) is None
