"""Reading the public models: every field that this version knows, checked; what a newer server adds is passed over."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ordo_cli.client.calls import Call
from ordo_cli.client.patience import Reply, unreadable


@lru_cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def parse[T](kind: type[T], text: str | bytes) -> T:
    """The text as this model. Raises pydantic's ValidationError, which is a ValueError."""
    model: Any = kind
    parsed: T = _adapter(model).validate_json(text, extra="ignore")
    return parsed


def read[T](kind: type[T], call: Call, reply: Reply) -> T:
    """The body as this model. Raises NoAnswer for a write, whose answer is lost then, and OrdoError for a read."""
    try:
        return parse(kind, reply.content)
    except ValidationError as error:
        raise unreadable(call, fault(error)) from None


def fault(error: ValidationError) -> str:
    """The first thing that is wrong, without quoting what was there."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
