"""A paper exchange in a test's hands: its clock, its prices, and short words for orders."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from ordo_cli.brokers.paper import views
from ordo_cli.brokers.paper.amounts import to_units
from ordo_cli.brokers.paper.behaviours import Behaviour
from ordo_cli.brokers.paper.book import Order
from ordo_cli.brokers.paper.exchange import USUAL, Answer, Exchange, Rules
from ordo_cli.brokers.paper.messages import cancel_message, modify_message, place_message
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, Product, Side, Tag, Validity
from ordo_cli.domain.portfolio import Margin
from tests.fakes import FakeClock

MONDAY_NOON = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)  # 12:00 in India
PLAIN = Behaviour()


class Floor:
    """An exchange without a broker in front of it. `INFY` stands at 1500 with nothing on offer until `feed` says so."""

    def __init__(self, folder: Path, clock: FakeClock | None = None, rules: Rules = USUAL) -> None:
        self.clock = clock or FakeClock(MONDAY_NOON)
        self.exchange = Exchange(str(folder / "paper.db"), self.clock, rules)
        self._tags = 0

    def price(self, price: str | None, instrument: str = "NSE:INFY", depth: int | None = 0) -> None:
        self.exchange.set_price(instrument, None if price is None else to_units(Decimal(price)), depth)

    def place(
        self, account: str, *words: object, tag: str | None = None, behaviour: Behaviour = PLAIN, **more: object
    ) -> Answer | None:
        self._tags += 1
        intent = order(*words, **more)  # type: ignore[arg-type]  # its words
        message = place_message(AccountId(account), intent, Tag(tag or f"OTEST{self._tags}"), behaviour)
        return self.exchange.answer(self.exchange.send(message, None))

    def margin(self, account: str, *words: object, **more: object) -> Margin | None:
        """What the exchange says that an order would block."""
        intent = order(*words, **more)  # type: ignore[arg-type]  # its words
        return views.margin(self.exchange, account, place_message(AccountId(account), intent, Tag("O"), PLAIN))

    def taken(self, *words: object, **more: object) -> Order:
        """Place an order that the exchange takes."""
        answer = self.place(*words, **more)  # type: ignore[arg-type]  # the words of place
        assert answer is not None
        assert answer.code is None, answer.message
        assert answer.order is not None
        return answer.order

    def refused(self, *words: object, **more: object) -> tuple[str, str]:
        """Place an order that the exchange refuses: the code and the sentence."""
        answer = self.place(*words, **more)  # type: ignore[arg-type]  # the words of place
        assert answer is not None
        assert answer.code is not None, "the order was taken"
        return answer.code, answer.message or ""

    def cancel(self, account: str, order: Order) -> Answer:
        message = cancel_message(AccountId(account), BrokerOrderId(str(order.number)), PLAIN)
        answer = self.exchange.answer(self.exchange.send(message, None))
        assert answer is not None
        return answer

    def modify(self, account: str, order: Order, **changes: object) -> Answer:
        wanted = Changes(**changes)  # type: ignore[arg-type]  # the words of Changes
        message = modify_message(AccountId(account), BrokerOrderId(str(order.number)), wanted, PLAIN)
        answer = self.exchange.answer(self.exchange.send(message, None))
        assert answer is not None
        return answer

    def now(self, order: Order) -> Order:
        """The order as it stands at this moment."""
        with self.exchange.moment():
            found = self.exchange.book.get(order.number)
        assert found is not None
        return found


def order(
    side: Side,
    quantity: int,
    limit: str | None = None,
    *,
    trigger: str | None = None,
    instrument: str = "NSE:INFY",
    product: Product = Product.MIS,
    validity: Validity = Validity.DAY,
    after_market: bool = False,
) -> OrderIntent:
    return OrderIntent(
        side=side,
        instrument=parse_instrument(instrument),
        quantity=quantity,
        limit_price=None if limit is None else Decimal(limit),
        trigger_price=None if trigger is None else Decimal(trigger),
        product=product,
        validity=validity,
        after_market=after_market,
    )
