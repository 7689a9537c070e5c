"""A refusal is certain only where its text leaves no room for an order that got through and was not told of."""

from __future__ import annotations

import pytest

from ordo_cli.brokers.answers import load
from ordo_cli.domain.errors import Rejected, SessionExpired

IN_DOUBT = (
    "RMS: exchange not connected",
    "network error",
    "The exchange did not respond",
    "OMS not responding",
    "Error in placing order, please check order book",
    "order status unknown",
    "RMS: request timing out",
    "exchange unreachable",
    "Something went wrong, please retry",
    "Socket closed while placing order",
    "Connection reset by OMS",
    "No response from exchange",
    "Internal server error",
    "Service temporarily unavailable",
    "Order not acknowledged",
    "Request was not answered by OMS",
    "unable to confirm the order",
    "timed out",
)
CERTAIN = (
    "RMS: margin exceeds, required 15000, available 200",
    "Market is closed",
    "quantity must be a multiple of the lot",
    "price is outside the circuit",
)


@pytest.mark.parametrize(("broker", "code"), [("mstock", "InputException"), ("fyers", "-99"), ("fyers", "-50")])
def test_a_refusal_that_speaks_of_trouble_on_the_way_is_not_certain(broker: str, code: str) -> None:
    table = load(broker)
    for text in IN_DOUBT:
        assert table.error_of(200, code, text) is None, text
    for text in CERTAIN:
        assert isinstance(table.error_of(200, code, text), Rejected), text


def test_a_refusal_by_m_stock_without_a_word_is_not_certain() -> None:
    for text in ("", "  \n"):
        assert load("mstock").error_of(200, "InputException", text) is None


@pytest.mark.parametrize(
    ("status", "text", "over"),
    [
        (200, "Session expired", True),
        (200, "session has expired.", True),
        (200, "Session expired while waiting for OMS, check order book", False),
        (403, "Your session has expired", True),
        (403, "invalid session", True),
        (403, "access token is not valid", True),
        (403, "Trading session of the exchange is not open", False),
    ],
)
def test_a_session_of_hdfc_is_over_only_where_its_answer_says_so(status: int, text: str, over: bool) -> None:
    assert isinstance(load("hdfc").error_of(status, "", text), SessionExpired) is over
