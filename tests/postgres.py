"""The PostgreSQL that tests run on: found, one schema to each test, and looked into from beside."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

GIVEN = "ORDO_TEST_POSTGRES_URL"
REQUIRED = "ORDO_TEST_REQUIRE_SERVICES"
LOCAL = "postgresql+asyncpg://postgres@127.0.0.1:5432/postgres"
FAMILY = "ORDO_TEST_SCHEMAS"
"""Set while a test runs on PostgreSQL: what the names of its schemas begin with, in its other processes too."""


@functools.cache
def server() -> str | None:
    """The URL of a server that answers, or None."""
    url = os.environ.get(GIVEN) or LOCAL
    try:
        _alone(lambda: _ask(url, "SELECT 1"))
    except (OSError, asyncpg.PostgresError):
        return None
    return url


def required_server() -> str:
    """A server that answers. Skips the test without one, or fails it where services are required."""
    url = server()
    if url is None:
        missing = f"no PostgreSQL answers at {os.environ.get(GIVEN, LOCAL)}"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return url


def url_of(path: object) -> str:
    """The URL of a schema of its own for what would be this file, made when it is first asked for."""
    name = f"{os.environ[FAMILY]}_{hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()}"
    # Two processes that make one schema at once both find it missing, and one fails, for all its IF NOT EXISTS.
    execute(
        required_server(),
        f"SELECT pg_advisory_xact_lock(hashtext('{name}')); CREATE SCHEMA IF NOT EXISTS {name}",
    )
    url = required_server()
    return f"{url}{'&' if '?' in url else '?'}search_path={name}"


def drop(family: str) -> None:
    """Let go of every schema of a test."""
    for (name,) in fetch(required_server(), "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)", family):
        execute(required_server(), f"DROP SCHEMA IF EXISTS {name} CASCADE")


def fetch(url: str, text: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Rows, by a connection beside the one that is tested; from any thread, within a loop or without."""
    return _alone(lambda: _ask(url, text, *parameters))


def execute(url: str, text: str) -> None:
    _alone(lambda: _do(url, text))


async def connect(url: str) -> Any:
    return await asyncpg.connect(url.replace("+asyncpg", ""))


async def _ask(url: str, text: str, *parameters: object) -> list[tuple[Any, ...]]:
    line = await connect(url)
    try:
        return [tuple(row) for row in await line.fetch(text, *parameters)]
    finally:
        await line.close()


async def _do(url: str, text: str) -> None:
    line = await connect(url)
    try:
        await line.execute(text)
    finally:
        await line.close()


def _alone[T](work: Callable[[], Awaitable[T]]) -> T:
    """Run it in a thread with a loop of its own."""
    found: list[T] = []
    problems: list[BaseException] = []

    async def run() -> None:
        found.append(await work())

    def whole() -> None:
        try:
            asyncio.run(run())
        except BaseException as problem:
            problems.append(problem)

    thread = threading.Thread(target=whole)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
    return found[0]
