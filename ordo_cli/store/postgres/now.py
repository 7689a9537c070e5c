"""One transaction on PostgreSQL for a caller that has no event loop: it makes one for the moment."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.driver import Body
from ordo_cli.store.postgres.connecting import CONNECTING, HINT, Place, Trouble, close, connect
from ordo_cli.store.postgres.driver import begin, commit


def run_now[T](url: str, body: Body[T], busy_seconds: float) -> T:
    """Run one body in a durable transaction of its own. Raises StoreFailed, at most four seconds after the limit."""

    def run() -> T:
        return asyncio.run(_limited(Place(url), body, busy_seconds))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(1) as beside:  # a thread has one loop, and this one is busy with us
        return beside.submit(run).result()


async def _limited[T](place: Place, body: Body[T], busy_seconds: float) -> T:
    try:
        async with asyncio.timeout(busy_seconds + 2 * CONNECTING):
            return await _run(place, body, busy_seconds)
    except TimeoutError:
        raise StoreFailed(f"the database at {place} does not answer", hint=HINT, code="STORE") from None


async def _run[T](place: Place, body: Body[T], busy_seconds: float) -> T:
    line = await connect(place, busy_seconds)
    try:
        transaction = await begin(line)
        result = await transaction.step(body)
        await transaction.write_down()
        await commit(line)
        return result
    except Trouble as trouble:
        raise trouble.failure from trouble.error
    except BaseException:
        line.terminate()  # without a goodbye, for which a silent server would be waited for once more
        raise
    finally:
        await close(line)
