"""How m.Stock's Type A interface answers: its envelope, its error types, its ways of writing times.

Much that failed comes with HTTP 200 (TXT, confirmed): whoever reads decides on the body. Statuses of the typed errors
are those of the documents (confirmed); where the SDK looks for others is said there.
"""

from __future__ import annotations

from datetime import datetime

from ordo_cli.brokers.paper.amounts import moment_of
from ordo_cli.domain.market import IST
from ordo_cli.sandbox.gateway import Turned
from ordo_cli.sandbox.wire import Reply, json_reply

TYPES = {400: "InputException", 401: "TokenException", 403: "APIKeyException"}


def success(data: object) -> Reply:
    return json_reply({"status": "success", "data": data})


def error(kind: str, message: str, status: int = 200) -> Reply:
    return json_reply({"status": "error", "message": message, "error_type": kind, "data": None}, status)


class Refused(Turned):
    """A definitive no of one handler."""

    def __init__(self, kind: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.reply = error(kind, message, status)


def bad_input(message: str) -> Refused:
    return Refused("InputException", message, 400)


def failure(status: int) -> Reply:
    """429 and 5xx are not documented: their type is unconfirmed."""
    return error(TYPES.get(status, "GeneralException"), "Something went wrong, please try again.", status)


def stamp(moment: datetime) -> str:
    """`2026-10-15 09:35:05` in India."""
    return f"{moment.astimezone(IST):%Y-%m-%d %H:%M:%S}"


def stamp_at(at: int) -> str:
    return stamp(moment_of(at))


def trade_stamp(moment: datetime) -> str:
    """`15-10-2026 13:08:42`: the trade book has a form of its own (docs, OA; confirmed)."""
    return f"{moment.astimezone(IST):%d-%m-%Y %H:%M:%S}"
