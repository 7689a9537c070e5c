"""Bodies as they leave: JSON that is the `data` of the same command, written once and sent as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

JSON = "application/json"


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response with this body, or its text. It is one of `schemas` already, so nothing looks through it again."""
    text = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":"), allow_nan=False)
    return Response(text, status, dict(headers or {}), JSON)
