"""How much of an order takes off what is held, and how much of it opens something."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordo_cli.domain.exits import opening
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import Product
from ordo_cli.domain.portfolio import Position
from tests.fakes import INFY, buy, sell


def held(quantity: int, product: Product = Product.MIS, name: str = str(INFY)) -> Position:
    zero = Decimal(0)
    return Position(parse_instrument(name), product, quantity, Decimal(1500), None, zero, zero)


@pytest.mark.parametrize(
    ("positions", "units"),
    [
        ([], 10),
        ([held(-10)], 10),  # the same side: it would grow
        ([held(10, Product.CNC)], 10),
        ([held(10, name="NSE:TCS")], 10),
        ([held(4)], 6),
        ([held(10)], 0),
        ([held(25)], 0),
    ],
)
def test_only_units_beyond_the_position_open_one(positions: list[Position], units: int) -> None:
    assert opening(sell(10, product=Product.MIS), positions) == units


def test_a_short_position_is_taken_off_by_buying() -> None:
    assert opening(buy(10, product=Product.MIS), [held(-4), held(3)]) == 6
