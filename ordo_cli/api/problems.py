"""Errors over HTTP: which status each has, and the one document that says it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from ordo_cli import log
from ordo_cli.domain.errors import (
    Busy,
    Invalid,
    KeyConflict,
    KillEngaged,
    LimitExceeded,
    NoAnswer,
    NotAllowed,
    NotFound,
    OrdoError,
    Refused,
    Rejected,
    SecretsUnavailable,
    SessionExpired,
    SessionNeeded,
    StoreFailed,
    Unreachable,
)
from ordo_cli.domain.text import clean

MEDIA_TYPE = "application/problem+json"
SHOWN = 10  # faults of one body that are named
SOON = {"Retry-After": "1"}
HTTP_WORDS = {
    404: ("no_such_route", "there is nothing at this address"),
    405: ("no_such_method", "this address does not take that method"),
}


class Malformed(OrdoError):
    """What came is not a request that could be understood at all."""

    code = "malformed"


class Unauthenticated(OrdoError):
    """Nobody that is known here."""

    code = "unauthenticated"


class Stopping(OrdoError):
    """This server ends and starts nothing new."""

    code = "stopping"


class TooMany(OrdoError):
    """More requests than one may make."""

    code = "too_many_requests"


STATUSES: dict[type[OrdoError], int] = {
    OrdoError: 500,
    Refused: 409,
    Invalid: 422,
    NotFound: 404,
    NotAllowed: 403,
    KeyConflict: 422,
    LimitExceeded: 422,
    KillEngaged: 423,
    SessionNeeded: 409,
    SessionExpired: 409,
    Busy: 409,
    StoreFailed: 503,
    SecretsUnavailable: 503,
    Unreachable: 502,
    Rejected: 422,
    NoAnswer: 504,
    Malformed: 400,
    Unauthenticated: 401,
    Stopping: 503,
    TooMany: 429,
}
"""The status of an error that ends a request; the nearest class decides. The terminal's table is `cli.exits`."""

HEADERS: dict[type[OrdoError], Mapping[str, str]] = {
    Unauthenticated: {"WWW-Authenticate": 'Bearer realm="ordo"'},
    Stopping: SOON,
    TooMany: SOON,
    Busy: SOON,
    StoreFailed: SOON,
}


class Fault(BaseModel):
    """One field that is not as it must be."""

    field: str
    message: str


class HttpProblem(BaseModel):
    """What went wrong: `code` is for programs, `message` and `hint` are for people."""

    type: str = Field(examples=["urn:ordo:problem:limit_exceeded"])
    title: str
    status: int
    detail: str
    code: str
    message: str
    hint: str | None
    errors: list[Fault] | None = Field(None, description="The faults of a body or a parameter, field by field")


def document(
    status: int, code: str, message: str, hint: str | None = None, *, kind: str | None = None, **more: Any
) -> dict[str, Any]:
    """A problem as RFC 9457 has it, with ordo's own three words."""
    said = clean(message)
    return {
        "type": f"urn:ordo:problem:{kind or code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": said,
        "code": clean(code),
        "message": said,
        "hint": None if hint is None else clean(hint),
        **more,
    }


def phrase(status: int) -> str:
    """What HTTP calls a status."""
    return HTTPStatus(status).phrase


def problem(
    status: int,
    code: str,
    message: str,
    hint: str | None = None,
    *,
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The response that says it."""
    body = document(status, code, message, hint, kind=kind, **more)
    return JSONResponse(body, status, dict(headers or {}), MEDIA_TYPE)


def of_error(error: OrdoError) -> Response:
    """What one of ordo's own errors becomes."""
    headers = _nearest(HEADERS, error, {})
    return problem(
        _nearest(STATUSES, error, 500), error.reason, error.message, error.hint, kind=error.code, headers=headers
    )


def bug(error: BaseException) -> Response:
    """What nobody expected: the details go to the log and never over the wire."""
    log.get(__name__).error("bug", error=type(error).__name__, exc_info=error)
    message = f"a bug in ordo stopped this request ({type(error).__name__})"
    return problem(500, "bug", message, "it is in the server's log; please report it")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route for its OpenAPI, beside those that every route has."""
    told = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/HttpProblem"}}}
    return {status: {"content": told, "description": phrase(status)} for status in statuses}


def install(app: FastAPI) -> None:
    """Let every error of this app leave it as a problem."""
    app.add_exception_handler(OrdoError, _ordo_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _ordo_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OrdoError)
    return of_error(error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [{"field": _place(each["loc"]), "message": clean(str(each["msg"]), 200)} for each in error.errors()]
    first = faults[0]
    sentence = f"{first['field']}: {first['message']}"
    if any(each["loc"][0] == "header" for each in error.errors()):
        hint = "a key has 8 to 64 of A-Z a-z 0-9 . _ : -" if "Idempotency-Key" in sentence else None
        return problem(400, "key_needed" if hint else "malformed", sentence, hint, errors=faults[:SHOWN])
    return problem(422, "invalid", sentence, "see the API's description", errors=faults[:SHOWN])


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {
        404: ("no_such_route", "there is nothing at this address"),
        405: ("no_such_method", "not with this method"),
    }
    code, message = words.get(error.status_code, ("failed", str(error.detail)))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))
    return problem(error.status_code, code, message, headers=headers)


def _methods(request: Request) -> list[str]:
    """What this address takes: of several routes of one path, Starlette names the methods of the first alone."""
    path = request.scope["path"]
    known = request.app.openapi()["paths"].items()
    return sorted(verb.upper() for route, verbs in known if compile_path(route)[0].match(path) for verb in verbs)


def sentence(error: ValidationError) -> str:
    """The first fault of a body."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{_place(first['loc'])}: {first['msg']}"


def _place(location: tuple[Any, ...]) -> str:
    return clean(".".join(str(part) for part in location), 100)


def _nearest[T](table: Mapping[type[OrdoError], T], error: OrdoError, otherwise: T) -> T:
    return next((table[kind] for kind in type(error).__mro__ if kind in table), otherwise)
