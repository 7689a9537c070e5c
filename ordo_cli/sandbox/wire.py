"""Requests as they came and replies as they leave: bytes, headers and the encodings that brokers use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from html import escape
from urllib.parse import parse_qsl, unquote

from ordo_cli.domain.values import dataclass, field

JSON = "application/json"
HTML = "text/html; charset=utf-8"


class Unreadable(Exception):
    """A body that is not what its call takes."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whole. Header names in lower case; `path` decoded, `target` as it was sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    peer: str = "127.0.0.1"

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def asked(self, name: str) -> str:
        """The first value of a query parameter, empty when there is none."""
        return next((value for key, value in self.query if key == name), "")

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    def form(self) -> dict[str, str]:
        """The fields of a form. Raises Unreadable for a body that is none."""
        if self.body and not self.header("content-type").startswith("application/x-www-form-urlencoded"):
            raise Unreadable("the body is not a form")
        try:
            return dict(parse_qsl(self.body.decode("utf-8"), keep_blank_values=True))
        except UnicodeDecodeError:
            raise Unreadable("the body is not UTF-8") from None

    def json(self) -> object:
        """The JSON of the body, numbers with a point as Decimal. Raises Unreadable for anything else."""
        if not self.header("content-type").startswith(JSON):
            raise Unreadable("the body is not JSON by its content type")
        try:
            return json.loads(self.body, parse_float=Decimal)
        except ValueError:
            raise Unreadable("the body is not JSON") from None

    def json_object(self) -> dict[str, object]:
        found = self.json()
        if not isinstance(found, dict):
            raise Unreadable("the body is not a JSON object")
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; the server adds length and connection headers."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def _number(value: object) -> object:
    """Amounts leave as JSON numbers, as brokers write them: they were exact until here, and print back the same."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} is nothing that a broker sends")


def json_reply(data: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, json.dumps(data, default=_number, ensure_ascii=False).encode(), JSON, headers)


def html_reply(title: str, body: str, status: int = 200) -> Reply:
    """A page; `body` is markup, whatever stands in it was escaped by whoever wrote it."""
    head = f"<!doctype html><html><head><meta charset=utf-8><title>{escape(title)}</title></head>"
    page = f"{head}<body>{body}</body></html>"
    return Reply(status, page.encode(), HTML)


def redirect_reply(where: str) -> Reply:
    return Reply(302, b"", HTML, (("Location", where), ("Cache-Control", "no-store")))
