"""The line to HDFC Securities: its host and paths, its headers, and what an answer is by its form.

Refusals have at least four forms and may come with HTTP 200 (confirmed, OA): `{status: error|failed, message}`,
`{error}`, `{message}`, and pages of a gateway. Only a row of the table makes one certain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ordo_cli.brokers.answers import classify
from ordo_cli.brokers.base import Tools
from ordo_cli.brokers.hdfc.place import HOST, USER_AGENT
from ordo_cli.brokers.http import Answer, Classify, Http
from ordo_cli.brokers.opening import line_of
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import NoAnswer, OrdoError, Refused
from ordo_cli.domain.orders import BrokerOrderId
from ordo_cli.domain.text import clean

LOGIN = "/oapi/v1/login"
VALIDATE = "/oapi/v1/login/validate"
TWOFA = "/oapi/v1/twofa/validate"
AUTHORISE = "/oapi/v1/authorise"
ACCESS_TOKEN = "/oapi/v1/access-token"  # noqa: S105  (a path)
REGULAR = "/oapi/v1/orders/regular"
ORDERS = "/oapi/v1/orders"
TRADES = "/oapi/v1/trades"
POSITIONS = "/oapi/v1/portfolio/cumulative-positions"  # confirmed (DOC heading, OA)
POSITIONS_ELSE = "/oapi/v1/portfolio/overall_positions"  # the documentation's own curl line; unconfirmed
HOLDINGS = "/oapi/v1/portfolio/holdings"
FUNDS = "/oapi/v1/user/margins"

ORDER_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
NOT_FOUND, FORBIDDEN, THROTTLED = 404, 403, 429
FORBIDDEN_HINT = (
    "403 may be the address of this machine, which HDFC has to have on record, a missing permission of the app, "
    "or a session that is over: see ordo broker show hdfc"
)


class Unlisted(NoAnswer):
    """A refusal by its form that no row of the table explains: it may have happened. `status` is that of HTTP."""

    def __init__(
        self, message: str, *, hint: str | None = None, code: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status


def open_line(
    account: Account,
    tools: Tools,
    secrets: Sequence[str],
    access_token: str | None = None,
) -> Http:
    """One account's line. What a broker repeats of `secrets`, which may grow later, is cut out of every error."""
    headers = {"user-agent": tools.options.get("user_agent", USER_AGENT)}
    if access_token is not None:
        headers["authorization"] = access_token  # as it is, without Bearer: confirmed (DOC, OA)
    return line_of(account, tools, HOST, classify=_judge(secrets), headers=headers)


def credential(account: Account, credentials: Mapping[str, str], name: str) -> str:
    """One of what the account was given. Raises Refused for one that is missing, without a word of the others."""
    value = credentials.get(name)
    if not value:
        hint = f"ordo account edit {account.id} --secrets-file -"
        raise Refused(f"{account.id} has no {name}", hint=hint, code="CREDENTIALS_MISSING")
    return value


def told(answer: Answer) -> tuple[str, str] | None:
    """The code, of which HDFC has none, and the message of an answer that is a refusal by its form; else None."""
    body = answer.body if isinstance(answer.body, dict) else {}
    failed = str(body.get("status", "")).lower() in {"error", "failed"}
    bare = "message" in body and body.keys() <= {"message", "code", "timestamp"}
    if not (failed or bare or body.get("error") or answer.status >= 400):
        return None
    words = (body.get("message"), body.get("error"))
    return "", next((word.strip() for word in words if isinstance(word, str) and word.strip()), "")


def data_of(body: Any, what: str) -> Any:
    """What a success carries. Raises NoAnswer for anything that does not say `success` in so many words."""
    if not isinstance(body, dict) or body.get("status") != "success" or "data" not in body:
        raise NoAnswer(f"HDFC answered without success or refusal when asked for {what}")
    return body["data"]


def rows_of(body: Any, what: str) -> list[dict[str, Any]]:
    """The rows of a list. Raises NoAnswer for what is none: nobody says that `null` means an empty one."""
    data = data_of(body, what)
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise NoAnswer(f"HDFC's answer for {what} is not a list of rows")
    return data


def id_of(body: Any, what: str) -> BrokerOrderId:
    """The order id that a success names: text, as documented. Raises NoAnswer for a number, null or none at all."""
    data = data_of(body, what)
    found = data.get("order_id") if isinstance(data, dict) else None
    if not isinstance(found, str) or not ORDER_ID.fullmatch(found):
        raise NoAnswer(f"HDFC said success to {what} and named no order")
    return BrokerOrderId(found)


def path_of(base: str, order_id: BrokerOrderId) -> str:
    """Where an order is. Whatever somebody typed for an id stays one piece of the path."""
    return f"{base}/{quote(order_id, safe='')}"


def _judge(secrets: Sequence[str]) -> Classify:
    def discreet(answer: Answer) -> tuple[str, str] | None:
        said = told(answer)
        if said is None:
            return None
        code, message = said
        for secret in secrets:
            if len(secret) > 3:
                message = message.replace(secret, "…")
        return code, message

    listed = classify("hdfc", discreet)

    def judged(answer: Answer) -> OrdoError | None:
        error = listed(answer)
        said = discreet(answer)
        if error is not None or said is None or answer.status == THROTTLED:  # which reads may repeat
            return error
        word = clean(said[1]) or "nothing of why"
        hint = FORBIDDEN_HINT if answer.status == FORBIDDEN else None
        message = f"HDFC said no, in words that prove nothing (status {answer.status}): {word}"
        return Unlisted(message, hint=hint, status=answer.status)

    return judged
