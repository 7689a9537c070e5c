"""A server of a few lines that answers as it is told, and keeps every question it was asked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.brokers.wire.server import Peer

FAN_OUT: dict[str, Any] = {
    "id": "7f3k2m9q4x",
    "key": "key-12345",
    "mode": "paper",
    "outcome": "success",
    "created_at": "2026-11-23T04:00:00.123Z",
    "replayed": False,
    "intent": {
        "side": "buy",
        "instrument": "NSE:INFY",
        "type": "limit",
        "quantity": 10,
        "limit_price": "1500.05",
        "trigger_price": None,
        "product": "cnc",
        "validity": "day",
        "after_market": False,
        "disclosed": None,
        "label": None,
    },
    "summary": {"legs": 1, "accepted": 1, "filled": 1, "refused": 0, "not_sent": 0, "unknown": 0},
    "legs": [
        {
            "id": "7f3k2m9q4x-1",
            "account": "alice",
            "broker": "paper",
            "quantity": 10,
            "state": "filled",
            "tag": "OTAG",
            "broker_order_id": "77",
            "filled_quantity": 10,
            "average_price": "1500.00",
            "latency_ms": 3.1,
            "evidence": "response",
            "cancel": "none",
            "attempt": 1,
            "sent_at": "2026-11-23T04:00:00.124Z",
            "answered_at": "2026-11-23T04:00:00.127Z",
            "problem": None,
        }
    ],
}
ORDER: dict[str, Any] = {
    "side": "buy",
    "instrument": "NSE:INFY",
    "quantity": 10,
    "limit_price": "1500.05",
    "to": "alice",
}
PRESSED: dict[str, Any] = {
    "scope": "global",
    "level": "block",
    "reason": None,
    "engaged": True,
    "quiet": True,
    "quiet_ms": 1.2,
    "senders": [],
    "recorded": True,
    "certain": True,
    "problem": None,
    "accounts": [],
}


class Jumping:
    """Time that passes only where somebody waits for it, and then at once."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def now(self) -> Any:
        from tests.fakes import MONDAY_NOON

        return MONDAY_NOON

    def elapsed(self) -> float:
        return 1000.0 + sum(self.waited)

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)


class Asked:
    """One question as it came over the wire."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")

    @property
    def told(self) -> Any:
        return json.loads(self.body)


def said(status: int, body: Any, *headers: str, kind: str = "application/json") -> bytes:
    """An answer as bytes."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", f"Content-Length: {len(text)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + text


def refused(status: int, code: str, kind: str | None = None, *headers: str, hint: str | None = None) -> bytes:
    """A problem as bytes."""
    body = {
        "type": f"urn:ordo:problem:{kind or code}",
        "title": "Said",
        "status": status,
        "detail": f"because of {code}",
        "code": code,
        "message": f"because of {code}",
        "hint": hint,
    }
    return said(status, body, *headers, kind="application/problem+json")


Answer = bytes | Callable[[Peer], Awaitable[None]]


class Script:
    """Answers the n-th question, on whatever connection, with the n-th answer; the last one for all that follow."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.asked.append(Asked(await peer.question()))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, bytes):
                peer.say(answer)
            else:
                await answer(peer)


async def drops(peer: Peer) -> None:
    """The connection breaks after the question came."""
    peer.reset()


async def silent(peer: Peer) -> None:
    """Nothing is ever said."""
