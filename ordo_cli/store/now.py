"""One transaction without an event loop, wherever the journal is: how `ordo kill` writes its row. Light on purpose."""

from __future__ import annotations

from ordo_cli.domain.urls import SQLITE, is_postgresql
from ordo_cli.store.driver import BUSY_SECONDS

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from ordo_cli.store.driver import Body


def run_now[T](path_or_url: str, body: Body[T], busy_seconds: float = BUSY_SECONDS) -> T:
    """Run one body in a durable transaction of its own. Raises StoreFailed."""
    if is_postgresql(path_or_url):
        from ordo_cli.store.postgres.now import run_now as run_there  # with asyncpg, 130 ms

        return run_there(path_or_url, body, busy_seconds)
    from ordo_cli.store.driver import run_now as run_here

    return run_here(path_or_url.removeprefix(SQLITE), body, busy_seconds)
