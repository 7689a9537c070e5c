"""What an answer of Fyers says by its form: a refusal with its code, or a yes with an order's number.

The body decides, never the status alone (confirmed, SDK): a 200 may say `"s": "error"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ordo_cli.brokers.answers import Told
from ordo_cli.brokers.http import Answer
from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.orders import BrokerOrderId

PLACED = frozenset({1101})
CHANGED = frozenset({1101, 1102})  # 1101 for a modify, 1102 for that of a GTT: confirmed (DOC)
CANCELLED = frozenset({1103})
NOT_ACKNOWLEDGED = 201
"""Forwarded, and nobody said that it arrived; the documentation says to look in the book (confirmed, DOC)."""

_REFUSING = frozenset({200, 400, 401, 403})  # the statuses that are documented for an answer with a code
_TOO_MANY = 429
_WAITS = ("retry-after", "x-retry-after-ms")  # what comes with Fyers' own 429, and what stands before it adds to none
_ORDER_ID = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)


def telling(*secrets: str, step: str = "", writing: bool = True) -> Told:
    """How code and message are read, with secrets struck out, for the table of answers.

    `step` is put before the code, for calls where it means something else. A 429 refuses a write if it is Fyers' own;
    a read is asked again after the time that it gives, so that there it means nothing.
    """

    def told(answer: Answer) -> tuple[str, str] | None:
        body = answer.body
        if not isinstance(body, Mapping) or body.get("s") != "error" or not _documented(answer, writing):
            return None
        code, message = body.get("code"), body.get("message", "")
        if type(code) is not int or not isinstance(message, str):
            return None
        for secret in secrets:
            message = message.replace(secret, "…")
        return step + str(code), message

    return told


def nothing_of_a_login(answer: Answer) -> tuple[str, str] | None:
    """As `telling`, for the exchange of an auth code: of Fyers' words none are repeated, they may have the code."""
    found = telling(step="login ")(answer)
    return None if found is None else (found[0], "")


def order_number(answer: Any) -> BrokerOrderId:
    """The number of an order that was taken. Raises NoAnswer unless the answer is the documented one to the letter."""
    _require(answer, PLACED)
    number = answer.get("id")
    if not isinstance(number, str) or not _ORDER_ID.fullmatch(number):
        raise NoAnswer("fyers said yes without the number of the order")
    return BrokerOrderId(number)


def done(answer: Any, codes: frozenset[int], order: BrokerOrderId) -> None:
    """Raises NoAnswer unless this is the documented yes to a change or a cancel of this order."""
    _require(answer, codes)
    if "id" not in answer and "id_fyers" in answer:
        raise NoAnswer("fyers only queued it")
    if answer.get("id", order) != order:
        raise NoAnswer("fyers answered for another order than the one that was asked about")


def fine(answer: Any, what: str) -> Mapping[str, Any]:
    """The answer to a read. Raises NoAnswer unless it says that it is one."""
    if not isinstance(answer, Mapping) or answer.get("s") != "ok":
        code = answer.get("code") if isinstance(answer, Mapping) else None
        said = f" (code {code})" if type(code) is int else ""
        raise NoAnswer(f"fyers gave no {what}{said}")
    return answer


def _documented(answer: Answer, writing: bool) -> bool:
    if answer.status == _TOO_MANY:
        return writing and any(name in answer.headers for name in _WAITS)
    return answer.status in _REFUSING


def _require(answer: Any, codes: frozenset[int]) -> None:
    if not isinstance(answer, Mapping):
        raise NoAnswer("fyers gave an answer that is not one of its own")
    code = answer.get("code")
    if type(code) is int and code == NOT_ACKNOWLEDGED:
        raise NoAnswer("fyers passed it on and has no acknowledgement yet (code 201)")
    if answer.get("s") != "ok" or type(code) is not int or code not in codes:
        said = f" (code {code})" if type(code) is int else ""
        raise NoAnswer(f"fyers gave an answer whose meaning is not certain{said}")
