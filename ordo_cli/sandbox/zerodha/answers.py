"""How Kite Connect answers: its envelope, its error types with their statuses, its way of writing times.

Envelope and error types: DOC/02, DOC/03, PY (confirmed). A status or text marked below is unconfirmed.
"""

from __future__ import annotations

from datetime import datetime

from ordo_cli.brokers.paper.amounts import moment_of
from ordo_cli.domain.market import IST
from ordo_cli.sandbox.gateway import Turned
from ordo_cli.sandbox.wire import Reply, json_reply

# What a failure of the edge or the order system is called, by status: DOC/03 (confirmed); 504 has no type there.
TYPES = {
    400: "InputException",
    403: "PermissionException",
    429: "NetworkException",
    500: "GeneralException",
    502: "DataException",
    503: "NetworkException",
}
TEXTS = {429: "Too many requests", 502: "Bad response from the order management system.", 504: "Gateway timed out"}


def success(data: object) -> Reply:
    return json_reply({"status": "success", "data": data})


def error(status: int, kind: str, message: str) -> Reply:
    return json_reply({"status": "error", "message": message, "error_type": kind, "data": None}, status)


class Refused(Turned):
    """A definitive no of one handler: status, error type and text."""

    def __init__(self, kind: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.reply = error(status, kind, message)


def bad_input(message: str) -> Refused:
    return Refused("InputException", message)


def failure(status: int) -> Reply:
    return error(status, TYPES.get(status, "GeneralException"), TEXTS.get(status, "Something went wrong."))


def stamp(moment: datetime) -> str:
    """`yyyy-mm-dd hh:mm:ss` in India, without offset (DOC/02, confirmed)."""
    return f"{moment.astimezone(IST):%Y-%m-%d %H:%M:%S}"


def stamp_at(at: int) -> str:
    return stamp(moment_of(at))
