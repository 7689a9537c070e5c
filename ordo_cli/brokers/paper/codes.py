"""Why the paper exchange says no: every code it can give, each with its sentence; the list is whole, all definitive."""

from __future__ import annotations

REJECTIONS = {
    "INSTRUMENT_UNKNOWN": "{instrument} is not traded here",
    "PRODUCT": "{product} is not a product for {instrument}",
    "LOT": "quantity {quantity} is not a multiple of the lot of {lot}",
    "FREEZE": "quantity {quantity} is above the freeze quantity of {freeze}",
    "TICK": "{what} {price} is not a multiple of the tick of {tick}",
    "PRICE_BAND": "{what} {price} is outside today's band of {lower} to {upper}",
    "TRIGGER": "a stop to {side} needs a trigger {word} the last price of {last}, not {price}",
    "MARGIN": "needs {needed} and {available} is available",
    "HOLDINGS": "sells {quantity} and {free} are free to sell",
    "MARKET_CLOSED": "the market is closed; after-market orders are taken",
    "DUPLICATE": "an order with the same tag or the same content came {seconds} seconds ago",
    "RATE": "more than {limit} operations in one second",
    "ORDER_UNKNOWN": "there is no order {order}",
    "NOT_OPEN": "order {order} is already {state}",
    "QUANTITY": "quantity {quantity} is not above the {filled} that are already filled",
    "CHANGE": "a {type} order has no {what} to change",
    "REFUSED": "this account refuses every order with {code}, as it was told to",
    "SESSION": "the session of this account has expired",
}


class Rejection(Exception):
    """A definitive no, inside the exchange; the broker's line turns it into ordo's Rejected."""

    def __init__(self, code: str, *, asked_for: bool = False, **facts: object) -> None:
        self.code = code
        self.message = REJECTIONS["REFUSED" if asked_for else code].format(code=code, **facts)
        super().__init__(self.message)
