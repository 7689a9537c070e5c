"""Whoever waits for an answer is told how the waiting ended, whatever else is wrong with this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ordo_cli.brokers.wire.exchange import Exchange, Limits
from ordo_cli.brokers.wire.line import Line, Waits


class Gone:
    """In place of httpx, which cannot be imported now."""

    def __getattr__(self, name: str) -> object:
        raise ImportError("too many open files")


@pytest.mark.parametrize(
    "end",
    [
        lambda line: line.eof_received(),
        lambda line: line.connection_lost(None),
        lambda line: line.connection_lost(OSError("reset")),
        lambda line: line.data_received(b"no answer at all\r\n\r\n"),
        lambda line: None,
    ],
    ids=["end", "closed", "reset", "rubbish", "silence"],
)
async def test_waiting_ends_where_httpx_cannot_be_imported(
    end: Callable[[Line], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line()
    answered = line.listen(Exchange(b"GET", b"/", [(b"Host", b"x")], b"", Limits()), Waits(whole=0.05))
    monkeypatch.setattr("ordo_cli.brokers.wire.line.httpx", Gone())
    monkeypatch.setattr("ordo_cli.brokers.wire.exchange.httpx", Gone())
    end(line)
    with pytest.raises(ImportError, match="too many open files"):
        await asyncio.wait_for(answered, 5)
