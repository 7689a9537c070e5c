"""How HDFC Securities answers: several shapes of failure, some with HTTP 200, some of them pages (DOC, OA, ORDO).

There is no table of codes: who reads classifies by status and text. Which status a given failure comes with is mostly
unconfirmed; the shapes are those seen in clients and their tests.
"""

from __future__ import annotations

from datetime import datetime

from ordo_cli.brokers.paper.amounts import moment_of
from ordo_cli.domain.instruments import MONTHS
from ordo_cli.domain.market import IST
from ordo_cli.sandbox.gateway import Turned
from ordo_cli.sandbox.wire import Reply, html_reply, json_reply


def success(data: object) -> Reply:
    return json_reply({"status": "success", "data": data})


def error(message: str, status: int = 200) -> Reply:
    return json_reply({"status": "error", "message": message}, status)


class Refused(Turned):
    """A definitive no of one handler: its body and HTTP status."""

    def __init__(self, body: dict[str, object], status: int) -> None:
        super().__init__(str(body))
        self.reply = json_reply(body, status)


def rejected(message: str) -> Refused:
    """Risk management's no: it may arrive with HTTP 200 (OA, confirmed as handled)."""
    return Refused({"status": "error", "message": message}, 200)


def bad_input(message: str) -> Refused:
    return Refused({"status": "error", "message": message}, 400)


def failure(status: int) -> Reply:
    """What fails at the gateway before the application comes as a page (OA, confirmed as handled)."""
    if status in (502, 503, 504):
        return html_reply(
            f"{status}", f"<h1>{status}</h1><p>The server is temporarily unable to serve you.</p>", status
        )
    return error("Something went wrong. Please try again.", status)


def stamp(moment: datetime) -> str:
    """`30/04/2024 10:15:03` in India (DOC, confirmed)."""
    return f"{moment.astimezone(IST):%d/%m/%Y %H:%M:%S}"


def stamp_at(at: int) -> str:
    return stamp(moment_of(at))


def month(number: int) -> str:
    return MONTHS[number - 1]
