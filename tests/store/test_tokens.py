"""Tokens in the database: what several processes do with one at the same time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from ordo_cli.domain.tokens import FULL, Token
from ordo_cli.store.store import Store
from tests.fakes import FakeClock
from tests.store.making import opened


async def touched(store: Store) -> None:
    """Let what is written in the background be written."""
    await asyncio.sleep(0)
    await store.database.settle()


async def test_of_two_processes_that_saw_a_token_unused_one_writes_its_use_down(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as one, opened(tmp_path / "ordo.db", clock) as other:
        await one.tokens.add(Token("t1", "bot", b"digest", FULL, clock.now()))
        seen = await one.tokens.find("t1")
        assert seen is not None
        one.tokens.touch(seen, clock.now())
        await touched(one)
        other.tokens.touch(seen, clock.now() + timedelta(seconds=1))
        await touched(other)
        after = await other.tokens.find("t1")
        assert after is not None
        assert after.last_used_at == clock.now()


async def test_a_token_comes_back_as_it_went_in(tmp_path: Path) -> None:
    clock = FakeClock()
    token = Token("t1", "bot", bytes(range(32)), FULL, clock.now(), clock.now() + timedelta(days=30))
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.tokens.add(token)
        assert await store.tokens.all() == [token]
        assert await store.tokens.find("t2") is None
