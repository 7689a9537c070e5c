"""What a server's problem means here: the very error that the service raised, so that callers handle both alike."""

from __future__ import annotations

import json
from typing import Any

from ordo_cli.domain import errors
from ordo_cli.domain.errors import NotFound, OrdoError, Refused, SessionNeeded

URN = "urn:ordo:problem:"
LONGEST = 2_000


KINDS: dict[str, type[OrdoError]] = {
    kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OrdoError)
}
"""Every error of ordo by its code."""

STATUSES: dict[int, type[OrdoError]] = {
    400: errors.Invalid,
    401: SessionNeeded,  # a token is missing, wrong, expired or revoked
    403: KINDS.get("not_allowed", Refused),  # the token may not do this
    404: NotFound,
    422: errors.Invalid,
    423: errors.KillEngaged,
    429: errors.Busy,
    503: errors.Busy,
}
"""What a problem means whose kind is none of ordo's, as one of the guard before it or of a proxy."""


def error_of(status: int, content: bytes) -> OrdoError:
    """The error that a refusal stands for. Whatever came instead of a problem is not quoted."""
    body = _read(content)
    code = _text(body.get("code"))
    kind = _text(body.get("type")).removeprefix(URN)
    found = (
        KINDS.get(kind) or KINDS.get(code) or STATUSES.get(status) or (Refused if 400 <= status < 500 else OrdoError)
    )
    message = _text(body.get("message")) or _text(body.get("detail")) or f"the server answered with {status}"
    hint = _text(body.get("hint")) or (WHO if status == 401 else None)
    return found(message, hint=hint, code=code or (kind if kind in KINDS else None))


WHO = "make one at the server (ordo token create) and give it with ORDO_TOKEN or --token-file"


def _read(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content) if len(content) < 1_000_000 else None
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _text(value: object) -> str:
    return value[:LONGEST] if isinstance(value, str) else ""
