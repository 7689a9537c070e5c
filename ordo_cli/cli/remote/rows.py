"""Public JSON back into what accounts have: rows of many accounts, with every account that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ordo_cli.cli.remote.decoding import (
    Json,
    amount,
    maybe,
    moment,
    number,
    problem,
    report,
    rows,
    some_problem,
    text,
)
from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.legs import LegId, Problem
from ordo_cli.domain.money import money
from ordo_cli.domain.orders import BrokerOrderId, Product, Side
from ordo_cli.domain.portfolio import Funds, Holding, Position, Quote, Trade
from ordo_cli.domain.trail import Line
from ordo_cli.services.portfolio import Booked, Consolidated, Failure, Row


def position(body: Json) -> Position:
    return Position(
        instrument=parse_instrument(text(body, "instrument")),
        product=Product(text(body, "product")),
        quantity=number(body, "quantity"),
        average_price=amount(body, "average_price"),
        last_price=maybe(money, body, "last_price"),
        realised=amount(body, "realised"),
        unrealised=amount(body, "unrealised"),
    )


def holding(body: Json) -> Holding:
    return Holding(
        instrument=parse_instrument(text(body, "instrument")),
        isin=maybe(str, body, "isin"),
        quantity=number(body, "quantity"),
        average_price=amount(body, "average_price"),
        last_price=maybe(money, body, "last_price"),
        pnl=amount(body, "pnl"),
    )


def funds(body: Json) -> Funds:
    return Funds(amount(body, "available"), amount(body, "used"), amount(body, "collateral"), amount(body, "total"))


def trade(body: Json) -> Trade:
    return Trade(
        trade_id=text(body, "trade_id"),
        order_id=BrokerOrderId(text(body, "broker_order_id")),
        instrument=parse_instrument(text(body, "instrument")),
        side=Side(text(body, "side")),
        quantity=number(body, "quantity"),
        price=amount(body, "price"),
        product=Product(text(body, "product")),
        traded_at=moment(body, "traded_at"),
    )


def booked(body: Json) -> Booked:
    return Booked(report(body), maybe(LegId, body, "leg"))


NOUNS: Mapping[str, Callable[[Json], Any]] = {
    "positions": position,
    "holdings": holding,
    "funds": funds,
    "orders": booked,
    "trades": trade,
}


def consolidated(noun: str, body: Json, accounts: Sequence[AccountId]) -> Consolidated[Any]:
    """The rows of these accounts; which they are only the asker knows."""
    found = rows(lambda each: row(NOUNS[noun], each), body["rows"])
    return Consolidated(tuple(accounts), found, rows(_failure, body["failures"]))


def row[T](of: Callable[[Json], T], body: Json) -> Row[T]:
    return Row(AccountId(text(body, "account")), BrokerName(text(body, "broker")), of(body))


def in_book(body: Json) -> Row[Booked] | Problem | None:
    """How the broker's book shows the leg of this body."""
    return row(booked, body["book"]) if body["book"] is not None else some_problem(body, "book_problem")


def quote(body: Json) -> Quote:
    return Quote(
        instrument=parse_instrument(text(body, "instrument")),
        last_price=amount(body, "last_price"),
        bid=maybe(money, body, "bid"),
        ask=maybe(money, body, "ask"),
        open=amount(body, "open"),
        high=amount(body, "high"),
        low=amount(body, "low"),
        previous_close=amount(body, "previous_close"),
        volume=number(body, "volume"),
        at=moment(body, "at"),
    )


def line(body: Json) -> Line:
    """One row of the audit."""
    return Line(
        seq=number(body, "seq"),
        at=moment(body, "at"),
        type=text(body, "type"),
        actor=text(body, "actor"),
        ids=dict(body["ids"]),
        before=maybe(str, body, "from"),
        after=maybe(str, body, "to"),
        evidence=maybe(str, body, "evidence"),
        data=dict(body["data"]),
        host=text(body, "host"),
        pid=number(body, "pid"),
        boot=text(body, "boot"),
    )


def _failure(body: Json) -> Failure:
    return Failure(AccountId(text(body, "account")), problem(body["problem"]))
