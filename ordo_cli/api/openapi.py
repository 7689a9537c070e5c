"""The API's description of itself, OpenAPI: which nouns there are, what each route is for, the problem a refusal is."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ordo_cli.api import problems

ABOUT = """\
An order has an `Idempotency-Key`, and the same key never sends twice. Money is text, quantities are whole numbers, time
is UTC. A refusal is a problem (RFC 9457) whose `code` is for programs.

Every route but `/healthz` asks for `Authorization: Bearer …`: `ordo token create` makes a token and says what it may
do. **What is tried here is done**: with a token for live accounts an order is a live order.
"""

NOUNS = {
    "orders": "Place one order on many accounts, or see first what it would do",
    "fan-outs": "Watch what became of an order in each account; cancel it, settle it",
    "kill": "Stop everything, or a scope; let orders out again",
    "legs": "One account's part of an order: look, change, cancel",
    "portfolio": "What the accounts have, with every account that could not be read named",
    "accounts": "Whom orders can be for",
    "login": "Log accounts in, and answer what their brokers ask",
    "status": "How the server stands, and everything behind it",
    "audit": "Who did what, and when",
}
"""The tags of the routes, in the order in which they are told: place, watch, kill, and then the rest."""


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the problem that every refusal is."""
    if app.openapi_schema is None:
        whole = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=ABOUT,
            routes=app.routes,
            tags=[{"name": name, "description": text} for name, text in NOUNS.items()],
        )
        for verbs in whole["paths"].values():
            for operation in verbs.values():
                operation |= _told(operation["description"])
        problem = problems.HttpProblem.model_json_schema(ref_template="#/components/schemas/{model}")
        whole["components"]["schemas"] |= problem.pop("$defs") | {"HttpProblem": problem}
        app.openapi_schema = whole
    return app.openapi_schema


def _told(text: str) -> dict[str, str]:
    """A route's summary, the first sentence of what it says, and its description, all of it.

    FastAPI would make the summary of the function's name, which says less than its module and name together.
    """
    first = text.partition("\n\n")[0].replace("\n", " ")
    return {"summary": first.partition(". ")[0].removesuffix("."), "description": text}
