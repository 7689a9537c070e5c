"""What m.Stock's answers are wrapped in, and where and how they are asked for.

Success is `{"status": "success", "data": …}`, for a new order inside an array of one (MOCK, confirmed). A refusal is
`{"status": "error", "message": …, "error_type": …, "data": null}`, often with HTTP 200 (TXT, confirmed), so the body
decides and not the status. Whatever is neither says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ordo_cli.brokers.answers import classify
from ordo_cli.brokers.http import Answer, Classify
from ordo_cli.domain.errors import NoAnswer, OrdoError, Rejected
from ordo_cli.domain.text import clean

HOME = "https://api.mstock.trade"
PREFIX = "/openapi/typea"
VERSION = {"x-mirae-version": "1"}  # on every call, the login too (INTRO, confirmed)
ABSENT = frozenset({"", "none", "null"})
"""Texts that stand for nothing: the kits' recorded answers spell JSON's null as a word (MOCK)."""


def headers_for(api_key: str, access_token: str) -> dict[str, str]:
    """What every call of a session carries (SDKA, confirmed)."""
    return {**VERSION, "authorization": f"token {api_key}:{access_token}"}


def refusal_in(body: object) -> Mapping[str, Any] | None:
    """The refusal that an answer is by its form, or None."""
    whole = _whole(body)
    return whole if whole is not None and _word(whole.get("status")) == "error" else None


def told_without(answer: Answer, secrets: Iterable[str]) -> tuple[str, str] | None:
    """The kind and message of a refusal, with nothing secret in it; None for an answer that is none.

    A refusal without a kind exists: a missing version header is answered so (TXT, confirmed).
    """
    refusal = refusal_in(answer.body)
    if refusal is None:
        return None
    kind = refusal.get("error_type")
    return kind if isinstance(kind, str) else "", discreet(message_of(refusal), secrets)


def judge(secrets: Iterable[str]) -> Classify:
    """The table of m.Stock's refusals, whose errors repeat none of these secrets."""
    kept = tuple(secrets)
    return classify("mstock", lambda answer: told_without(answer, kept))


def judge_login(secrets: Iterable[str]) -> Classify:
    """As `judge`; and any other refusal of a step of a login ends the login, for nothing can have come of it."""
    kept = tuple(secrets)
    by_table = judge(kept)

    def judged(answer: Answer) -> OrdoError | None:
        certain = by_table(answer)
        told = told_without(answer, kept)
        if certain is not None or told is None:
            return certain
        return Rejected(clean(told[1]) or "m.Stock refused the login", code="LOGIN_REFUSED")

    return judged


def data_of(body: object, secrets: Iterable[str] = ()) -> Any:
    """What a successful answer holds. Raises NoAnswer for everything else, with the broker's words if it has any."""
    whole = _whole(body)
    if whole is not None and _word(whole.get("status")) == "success":
        data = whole.get("data")
        return None if isinstance(data, str) and data.strip().lower() in ABSENT else data
    message = "" if whole is None else clean(discreet(message_of(whole), secrets))
    said = f": {message}" if message else ""
    raise NoAnswer(f"m.Stock gave an answer whose meaning is not certain{said}")


def rows_of(data: object) -> list[Mapping[str, Any]]:
    """The rows of a list; an empty one is told as null (MOCK, confirmed for holdings, unconfirmed for the rest)."""
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise NoAnswer("m.Stock gave something else where a list of rows should be")
    return data


def message_of(refusal: Mapping[str, Any]) -> str:
    """Its message, as the broker wrote it."""
    message = refusal.get("message")
    return message if isinstance(message, str) else ""


def discreet(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets."""
    for secret in secrets:
        if len(secret) > 3:
            text = text.replace(secret, "…")
    return text


def _whole(body: object) -> Mapping[str, Any] | None:
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    return body if isinstance(body, dict) else None


def _word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""
