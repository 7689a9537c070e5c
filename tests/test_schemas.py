"""The public JSON: exact money, UTC moments, cleaned foreign text, and the very fields of the contract."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from ordo_cli import schemas
from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.fanouts import FanOut, Mode
from ordo_cli.domain.instruments import Instrument, Kind, parse_instrument
from ordo_cli.domain.legs import Evidence, FanOutId, Leg, LegId, Problem, Submission
from ordo_cli.domain.moments import moment_text
from ordo_cli.domain.orders import (
    BrokerOrderId,
    OrderIntent,
    OrderReport,
    OrderState,
    OrderType,
    Product,
    Side,
    Tag,
    Validity,
)
from ordo_cli.domain.portfolio import Funds, Holding, Position, Quote, Trade
from ordo_cli.domain.values import replace
from ordo_cli.schemas.base import Problem as PublicProblem
from ordo_cli.services.portfolio import Booked, Consolidated, Failure, Row

INFY = parse_instrument("NSE:INFY")
NINE = datetime(2026, 11, 22, 9, 15, 0, 123_456, tzinfo=UTC)
BOOK = (
    "account broker broker_order_id tag leg instrument side quantity filled_quantity type limit_price"
    " trigger_price average_price product validity state placed_at message"
)
ALICE, PAPER = AccountId("alice"), BrokerName("paper")


def a_leg() -> Leg:
    leg = Leg(LegId("f-1"), FanOutId("f"), ALICE, PAPER, 10, Tag("OTAG")).to(Submission.SENDING, sent_at=NINE)
    accepted = leg.to(
        Submission.ACKED, broker_order_id=BrokerOrderId("77"), evidence=Evidence.RESPONSE, latency_ms=3.14159
    )
    return accepted.live(OrderState.FILLED, 10, Decimal(1500))


def a_fan_out(*legs: Leg) -> FanOut:
    intent = OrderIntent(Side.BUY, INFY, 10, limit_price=Decimal("1500.05"))
    return FanOut(FanOutId("f"), "key-1", "cli", "place", "print", Mode.PAPER, intent, NINE, legs)


def test_a_fan_out_is_the_one_in_the_contract() -> None:
    assert schemas.fan_out(a_fan_out(a_leg())) == {
        "id": "f",
        "key": "key-1",
        "mode": "paper",
        "outcome": "success",
        "created_at": "2026-11-22T09:15:00.123Z",
        "replayed": False,
        "intent": {
            "side": "buy",
            "instrument": "NSE:INFY",
            "type": "limit",
            "quantity": 10,
            "limit_price": "1500.05",
            "trigger_price": None,
            "product": "cnc",
            "validity": "day",
            "after_market": False,
            "disclosed": None,
            "label": None,
        },
        "summary": {"legs": 1, "accepted": 1, "filled": 1, "refused": 0, "not_sent": 0, "unknown": 0},
        "legs": [
            {
                "id": "f-1",
                "account": "alice",
                "broker": "paper",
                "quantity": 10,
                "state": "filled",
                "tag": "OTAG",
                "broker_order_id": "77",
                "filled_quantity": 10,
                "average_price": "1500.00",
                "latency_ms": 3.142,
                "evidence": "response",
                "cancel": "none",
                "attempt": 0,
                "sent_at": "2026-11-22T09:15:00.123Z",
                "answered_at": None,
                "problem": None,
            }
        ],
    }


def test_a_problem_says_code_message_and_hint() -> None:
    leg = Leg(LegId("f-1"), FanOutId("f"), ALICE, PAPER, 10, Tag("T"))
    blocked = leg.to(Submission.BLOCKED, problem=Problem("RISK", "too big", "ordo config set …"))
    told = schemas.leg(blocked)
    assert told["state"] == "not_sent"
    assert told["problem"] == {"code": "RISK", "message": "too big", "hint": "ordo config set …"}


def test_what_brokers_wrote_is_cleaned() -> None:
    told = schemas.leg(
        Leg(LegId("f"), FanOutId("f"), ALICE, PAPER, 1, Tag("T"), problem=Problem("X", "\x1b[2Jno\u202e"))
    )
    assert told["problem"]["message"] == "no"


def rows() -> list[tuple[dict[str, Any], str]]:
    """A row of each consolidated list, and the fields that the contract names for it."""
    position = Position(INFY, Product.CNC, -5, Decimal(1500), None, Decimal("-1.5"), Decimal(0))
    holding = Holding(INFY, "INE009A01021", 5, Decimal(1500), Decimal("1501.1"), Decimal("5.5"))
    trade = Trade("t", BrokerOrderId("7"), INFY, Side.SELL, 5, Decimal(1500), Product.CNC, NINE)
    report = OrderReport(
        BrokerOrderId("7"),
        OrderState.OPEN,
        INFY,
        Side.BUY,
        5,
        OrderType.LIMIT,
        Product.CNC,
        Validity.DAY,
        placed_at=NINE,
    )
    return [
        (
            schemas.position_row(Row(ALICE, PAPER, position)),
            "account broker instrument product quantity average_price last_price realised unrealised",
        ),
        (
            schemas.holding_row(Row(ALICE, PAPER, holding)),
            "account broker instrument isin quantity average_price last_price pnl",
        ),
        (
            schemas.funds_row(Row(ALICE, PAPER, Funds(Decimal(1), Decimal(2), Decimal(3), Decimal(6)))),
            "account broker available used collateral total",
        ),
        (
            schemas.trade_row(Row(ALICE, PAPER, trade)),
            "account broker trade_id broker_order_id instrument side quantity price product traded_at",
        ),
        (
            schemas.order_row(Row(ALICE, PAPER, Booked(report, LegId("f-1")))),
            BOOK,
        ),
    ]


@pytest.mark.parametrize(("row", "fields"), rows(), ids=["positions", "holdings", "funds", "trades", "orders"])
def test_a_row_has_the_fields_of_the_contract_in_its_order(row: dict[str, Any], fields: str) -> None:
    assert list(row) == fields.split()
    assert not any(isinstance(value, float | Decimal) for value in row.values())
    assert json.loads(json.dumps(row)) == row


def test_accounts_that_could_not_be_read_stand_beside_the_rows() -> None:
    found: Consolidated[Funds] = Consolidated(
        (ALICE,), (), (Failure(ALICE, Problem("unreachable", "no answer", "try again")),)
    )
    assert schemas.consolidated(found, schemas.funds_row) == {
        "rows": [],
        "failures": [
            {"account": "alice", "problem": {"code": "unreachable", "message": "no answer", "hint": "try again"}}
        ],
    }


def test_quotes_and_instruments() -> None:
    price = Decimal("1500.5")
    told = schemas.quote(Quote(INFY, price, None, price, price, price, price, price, 100, NINE))
    assert (told["last_price"], told["bid"], told["volume"]) == ("1500.50", None, 100)
    known = schemas.instrument(Instrument(INFY, "Infosys", Kind.EQUITY, Decimal("0.05")))
    assert (known["instrument"], known["tick"], known["lot"]) == ("NSE:INFY", "0.05", 1)


def test_a_moment_is_utc_with_milliseconds_wherever_it_comes_from() -> None:
    india = NINE.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert moment_text(india) == moment_text(NINE) == "2026-11-22T09:15:00.123Z"
    with pytest.raises(ValueError, match="time zone"):
        moment_text(datetime(2026, 1, 1))


def test_nothing_unknown_slips_into_what_is_public() -> None:
    with pytest.raises(ValidationError):
        PublicProblem(code="x", message="y", hint=None, secret="z")  # type: ignore[call-arg]


@pytest.mark.parametrize("leg", [a_leg(), replace(a_leg(), problem=Problem("RISK", "too \x1b[31mmuch", None))])
def test_what_is_told_unchecked_is_what_a_check_lets_through(leg: Leg) -> None:
    told = schemas.FanOut.of(a_fan_out(leg))
    assert schemas.FanOut.model_validate(told.model_dump()).model_dump(mode="json") == told.model_dump(mode="json")
    assert json.loads(schemas.fan_out_text(a_fan_out(leg))) == schemas.fan_out(a_fan_out(leg))
    assert set(vars(told)) == set(schemas.FanOut.model_fields)
    assert set(vars(told.legs[0])) == set(schemas.Leg.model_fields)
    assert set(vars(told.intent)) == set(type(told.intent).model_fields)
