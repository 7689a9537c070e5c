"""What the exchange can swear to: every message it ever got, for proofs that no order was sent twice or too late."""

from __future__ import annotations

from collections import Counter, defaultdict

from ordo_cli.brokers.paper.amounts import SECOND
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.messages import Received


def received(exchange: Exchange) -> list[Received]:
    """All messages in the order in which they were let go, those still on their way included."""
    rows = exchange.db.execute(
        "SELECT number, kind, account, tag, body, sent, elapsed, due, handled, order_number, code FROM inbox"
        " ORDER BY number"
    ).fetchall()
    return [Received(*row) for row in rows]


def orders_per_tag(exchange: Exchange) -> dict[tuple[str, str], int]:
    """How many orders arrived or will arrive under each account and tag; more than one is an order sent twice."""
    return Counter(
        (message.account, message.tag)
        for message in received(exchange)
        if message.kind == "place" and message.tag is not None
    )


def duplicates(exchange: Exchange) -> list[Received]:
    """Orders that a duplicate-sensitive account refused as the same again."""
    return [message for message in received(exchange) if message.code == "DUPLICATE"]


def busiest_second(exchange: Exchange) -> dict[str, int]:
    """The most operations that each account sent within any one second."""
    sent: dict[str, list[int]] = defaultdict(list)
    for message in received(exchange):
        sent[message.account].append(message.sent)
    return {account: _most_within(sorted(times)) for account, times in sent.items()}


def _most_within(times: list[int]) -> int:
    first = most = 0
    for last, at in enumerate(times):
        while at - times[first] >= SECOND:
            first += 1
        most = max(most, last - first + 1)
    return most
