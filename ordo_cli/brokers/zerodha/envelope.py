"""What every exchange with Kite has in common: the address, the headers, the envelope of an answer and of a refusal.

Documentation: https://kite.trade/docs/connect/v3/ (fact sheet DOC/02, PY, confirmed).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ordo_cli.brokers.answers import Told, classify
from ordo_cli.brokers.base import Tools
from ordo_cli.brokers.http import Answer, Http
from ordo_cli.brokers.opening import line_of
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.orders import BrokerOrderId

API = "https://api.kite.trade"  # (PY, confirmed)
VERSION = {"X-Kite-Version": "3"}  # on every call (PY, confirmed)
ORDER_ID = re.compile(r"[0-9]{6,32}", re.ASCII)  # as in every recorded answer (MOCK order_response.json)


def authorization(api_key: str, access_token: str) -> dict[str, str]:
    """The headers of a session (PY, DOC/04, confirmed)."""
    return {**VERSION, "Authorization": f"token {api_key}:{access_token}"}


def line_to(
    account: Account, tools: Tools, headers: Mapping[str, str], *secrets: str, step: str = "", lines: int = 10
) -> Http:
    """The account's line, whose refusals are read by the table and repeat none of the secrets."""
    judge = classify("zerodha", told(*secrets, step=step))
    return line_of(account, tools, API, classify=judge, headers=headers, lines=lines)


def told(*secrets: str, step: str = "") -> Told:
    """Reads the kind and the text of a refusal; with a step (`login`), kinds are the table's `login:` ones.

    A refusal has a status of 4xx and the whole envelope (DOC/02, confirmed). An error inside a 200 is none: no source
    knows one, so what it means of an order is unknown.
    """

    def read(answer: Answer) -> tuple[str, str] | None:
        body = answer.body
        if answer.status < 400 or not isinstance(body, dict) or body.get("status") != "error":
            return None
        kind, message = body.get("error_type"), body.get("message")
        if not isinstance(kind, str) or not isinstance(message, str) or ":" in kind:  # which only a step may bring
            return None
        for secret in secrets:
            message = message.replace(secret, "…") if secret else message
        return (f"{step}:{kind}" if step else kind), message

    return read


def data_of(body: object) -> Any:
    """What an answer is about. Raises NoAnswer for one without the envelope of success (DOC/02, confirmed)."""
    if not isinstance(body, dict) or body.get("status") != "success" or "data" not in body:
        raise NoAnswer("zerodha gave an answer that does not say that it succeeded")
    return body["data"]


def order_id_of(body: object, expected: str | None = None) -> BrokerOrderId:
    """The id in the answer to a place, modify or cancel. Raises NoAnswer unless it is one, and the one expected.

    An answer with children is that of an order which the broker cut up, which ordo never asks for: then one id is not
    the whole truth (GO `OrderResponse`, MOCK autoslice_response.json, confirmed).
    """
    data = data_of(body)
    found = data.get("order_id") if isinstance(data, dict) and not data.get("children") else None
    if not isinstance(found, str) or not ORDER_ID.fullmatch(found) or expected not in (None, found):
        raise NoAnswer("zerodha answered without the id of the order")
    return BrokerOrderId(found)
