"""Locks between hosts: one holder for each account, given back with the connection, asked for together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.postgres.connecting import Place, connect
from ordo_cli.store.postgres.hosts import AccountLocks
from tests.backends import Backend
from tests.pgproxy import Proxy

pytestmark = pytest.mark.postgresql_only


@pytest.fixture
def proxy(tmp_path: Path, backend: Backend) -> Iterator[Proxy]:
    with Proxy(backend.where(tmp_path / "ordo.db")) as found:
        yield found


def host(url: str) -> AccountLocks:
    return AccountLocks(partial(connect, Place(url), 5))


async def test_an_account_has_one_holder_among_all_hosts(tmp_path: Path, backend: Backend) -> None:
    one, other = host(backend.where(tmp_path / "x")), host(backend.where(tmp_path / "x"))
    elsewhere = host(backend.where(tmp_path / "another-ordo"))
    assert await one.take("alice")
    assert not await other.take("alice")
    assert await other.take("bob")
    assert await elsewhere.take("alice"), "another schema is another ordo"
    one.leave("alice")
    assert await one.take("carol")  # what was left before is free by then
    assert await other.take("alice")
    for each in (one, other, elsewhere):
        await each.close()


async def test_a_host_that_ends_gives_all_back(tmp_path: Path, backend: Backend) -> None:
    one, other = host(backend.where(tmp_path / "x")), host(backend.where(tmp_path / "x"))
    assert await one.take("alice")
    await one.close()
    assert await other.take("alice")
    await other.close()


async def test_many_accounts_cost_few_questions(proxy: Proxy) -> None:
    locks = host(proxy.url)
    assert await locks.take("first")
    before = proxy.count
    assert all(await asyncio.gather(*(locks.take(f"a{number}") for number in range(250))))
    for number in range(250):
        locks.leave(f"a{number}")
    assert await locks.take("last")
    assert proxy.count - before < 12
    await locks.close()


async def test_a_lost_connection_takes_back_what_it_held(proxy: Proxy, tmp_path: Path, backend: Backend) -> None:
    one, other = host(proxy.url), host(backend.where(tmp_path / "ordo.db"))
    assert await one.take("alice")
    proxy.kill_all()
    assert await one.take("bob")
    assert not await other.take("alice")
    one.leave("alice")
    one.leave("bob")
    assert await one.take("carol")
    assert await other.take("alice")
    await one.close()
    await other.close()


async def test_whoever_gives_up_waiting_holds_nothing(proxy: Proxy, tmp_path: Path, backend: Backend) -> None:
    one, other = host(proxy.url), host(backend.where(tmp_path / "ordo.db"))
    waiting = asyncio.create_task(one.take("alice"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await one.take("bob")
    assert await one.take("carol")
    assert await other.take("alice")
    await one.close()
    await other.close()


async def test_no_database_no_lock(tmp_path: Path) -> None:
    locks = host("postgresql+asyncpg://postgres@127.0.0.1:1/x")
    for _ in range(2):
        with pytest.raises(StoreFailed, match="cannot be used"):
            await locks.take("alice")
    await locks.close()
