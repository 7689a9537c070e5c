"""A table of codes never guesses."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordo_cli.brokers.codes import Codes
from ordo_cli.domain.errors import Refused
from ordo_cli.domain.orders import Product, Side

SIDES = Codes({Side.BUY: 1, Side.SELL: -1})
PRODUCTS = Codes({Product.CNC: "CNC", Product.MIS: "MIS"}, also={"INTRADAY": Product.MIS})


def test_every_word_comes_back_from_its_code() -> None:
    for word in SIDES.words:
        assert SIDES.into(SIDES.out(word)) is word
    assert SIDES.words == set(Side)
    assert PRODUCTS.words == {Product.CNC, Product.MIS}


def test_a_word_without_a_code_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        PRODUCTS.out(Product.MTF)
    assert caught.value.reason == "UNSUPPORTED"
    assert "mtf" in caught.value.message


def test_an_older_code_is_understood_and_never_sent() -> None:
    assert PRODUCTS.into("INTRADAY") is Product.MIS
    assert PRODUCTS.out(Product.MIS) == "MIS"


@pytest.mark.parametrize("code", ["cnc", "CNC ", "", None, 0, [], {}, b"CNC"])
def test_an_unknown_code_is_no_word(code: object) -> None:
    assert PRODUCTS.into(code) is None


@pytest.mark.parametrize("code", [True, 1.0, Decimal(1), "1", [1]])
def test_a_code_of_another_type_is_unknown(code: object) -> None:
    assert SIDES.into(code) is None


def test_a_code_for_two_words_is_a_mistake_in_the_table() -> None:
    with pytest.raises(ValueError, match="two words"):
        Codes({Product.CNC: "D", Product.MTF: "D"})
    with pytest.raises(ValueError, match="two words"):
        Codes({Product.CNC: "D", Product.MIS: "I"}, also={"D": Product.MIS})
