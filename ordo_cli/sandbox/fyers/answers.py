"""How Fyers answers: `s`, `code` and `message` beside the data, and its ways of writing times and symbols.

Codes are DOC's (confirmed) unless marked. HTTP statuses: 200, 400, 401, 403, 429, 500 (DOC, confirmed); which of them a
given code comes with is unconfirmed but for -373 and 429.
"""

from __future__ import annotations

from datetime import datetime

from ordo_cli.brokers.paper.amounts import moment_of
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.instruments import MONTHS, Kind
from ordo_cli.domain.market import IST
from ordo_cli.sandbox.catalog import exchange_token, short_symbol
from ordo_cli.sandbox.gateway import Row, Turned
from ordo_cli.sandbox.wire import Reply, json_reply

PARAMETER, UNKNOWN_ORDER, BAD_POSITION, REJECTED, UNKNOWN_SYMBOL, NOTHING_TO_EXIT = -50, -51, -53, -99, -300, -352
EXPIRED, INVALID_TOKEN, NOT_LOGGED_IN = -8, -15, -16
BAD_HASH, NO_CODE, BAD_CODE, BAD_REFRESH = -371, -374, -437, -501
FORBIDDEN, RATE = -373, -429
# What an order is that cannot be changed any more: from an older list, in use in v3 unconfirmed.
ALREADY = {"cancelled": -161, "expired": -161, "filled": -162, "rejected": -164}
PLACED, CANCELLED, UNACKNOWLEDGED = 1101, 1103, 201
FAILURES = {400: PARAMETER, 401: NOT_LOGGED_IN, 403: FORBIDDEN, 429: RATE}


def ok(code: int = 200, message: str = "", **data: object) -> Reply:
    return json_reply({"s": "ok", "code": code, "message": message, **data})


def error(code: int, message: str, status: int = 400, **more: object) -> Reply:
    return json_reply({"s": "error", "code": code, "message": message, **more}, status)


class Refused(Turned):
    """A definitive no of one handler: the body and its HTTP status."""

    def __init__(self, code: int, message: str, status: int = 400, **more: object) -> None:
        super().__init__(message)
        self.body: Row = {"s": "error", "code": code, "message": message, **more}
        self.status = status
        self.reply = json_reply(self.body, status)


def bad_input(message: str) -> Refused:
    return Refused(PARAMETER, message)


def failure(status: int) -> Reply:
    """Codes of 5xx are not documented: the status itself stands for one, unconfirmed."""
    headers = (("Retry-After", "1"), ("X-Retry-After-Ms", "1000")) if status == 429 else ()
    body = {"s": "error", "code": FAILURES.get(status, -status), "message": "Something went wrong"}
    return json_reply(body, status, headers)


def stamp(moment: datetime) -> str:
    """`15-Oct-2026 09:34:38` in India (DOC, confirmed)."""
    local = moment.astimezone(IST)
    return f"{local:%d}-{MONTHS[local.month - 1].capitalize()}-{local:%Y %H:%M:%S}"


def stamp_at(at: int) -> str:
    return stamp(moment_of(at))


def ticker(item: Listing) -> str:
    """`NSE:INFY-EQ`, `NSE:NIFTY26OCTFUT`: the exchange is the parent one (DOC, confirmed)."""
    return f"NSE:{short_symbol(item)}" + ("-EQ" if item.kind is Kind.EQUITY else "")


def segment(item: Listing) -> int:
    """10 cash, 11 equity derivatives (DOC, confirmed)."""
    return 10 if item.kind is Kind.EQUITY else 11


def fy_token(item: Listing) -> str:
    """Exchange, segment, expiry as YYMMDD, number of the exchange (DOC, confirmed)."""
    expiry = "000000" if item.expiry is None else f"{item.expiry:%y%m%d}"
    return f"10{segment(item)}{expiry}{exchange_token(item)}"
