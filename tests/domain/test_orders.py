"""An order that contradicts itself is refused before anybody else sees it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import (
    FINAL,
    Changes,
    OrderIntent,
    OrderReport,
    OrderState,
    OrderType,
    Product,
    Side,
    Validity,
)
from ordo_cli.domain.orders import BrokerOrderId as Id

INFY = parse_instrument("NSE:INFY")
prices = st.decimals(min_value="0.05", max_value="99999", places=2)


def order(**said: Any) -> OrderIntent:
    return OrderIntent(**{"side": Side.BUY, "instrument": INFY, "quantity": 10, **said})


@pytest.mark.parametrize(
    "said",
    [
        {"quantity": 0},
        {"quantity": -1},
        {"limit_price": Decimal(0)},
        {"limit_price": Decimal(-1)},
        {"trigger_price": Decimal(0)},
        {"validity": Validity.IOC, "trigger_price": Decimal(1)},
        {"validity": Validity.IOC, "after_market": True},
        {"disclosed": 0},
        {"disclosed": 11},
        {"limit_price": Decimal(99), "trigger_price": Decimal(100)},
        {"side": Side.SELL, "limit_price": Decimal(101), "trigger_price": Decimal(100)},
    ],
)
def test_an_order_that_contradicts_itself_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        order(**said)


@pytest.mark.parametrize(
    ("limit", "trigger", "expected"),
    [(None, None, OrderType.MARKET), (1, None, OrderType.LIMIT), (None, 1, OrderType.SL_M), (2, 1, OrderType.SL)],
)
def test_the_prices_given_make_the_type(limit: int | None, trigger: int | None, expected: OrderType) -> None:
    said = {name: Decimal(value) for name, value in (("limit_price", limit), ("trigger_price", trigger)) if value}
    assert order(**said).type is expected


@given(st.sampled_from(Side), prices, prices)
def test_the_limit_of_a_stop_lies_beyond_its_trigger(side: Side, limit: Decimal, trigger: Decimal) -> None:
    beyond = limit >= trigger if side is Side.BUY else limit <= trigger
    if beyond:
        assert order(side=side, limit_price=limit, trigger_price=trigger).type is OrderType.SL
    else:
        with pytest.raises(Invalid, match="trigger"):
            order(side=side, limit_price=limit, trigger_price=trigger)


def test_a_change_of_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="nothing to change"):
        Changes()


@pytest.mark.parametrize("state", OrderState)
def test_nothing_is_pending_of_an_order_that_has_ended(state: OrderState) -> None:
    report = OrderReport(
        Id("1"), state, INFY, Side.BUY, 10, OrderType.LIMIT, Product.CNC, Validity.DAY, filled_quantity=4
    )
    assert report.pending_quantity == (0 if state in FINAL else 6)


def test_buy_and_sell_are_each_others_opposite() -> None:
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY
    assert Side.BUY.sign == -Side.SELL.sign == 1
