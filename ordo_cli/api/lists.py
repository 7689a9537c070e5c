"""Lists of instruments for accounts that were logged in over HTTP: fetched behind the answer, as orders need them."""

from __future__ import annotations

import asyncio

from ordo_cli import log
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.services import masters


class Lists:
    """What this server fetches by itself. An end of it waits for none: what has come is kept, and taken up again."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tasks: set[asyncio.Task[None]] = set()

    def freshen(self, account: AccountId) -> None:
        """Begin to fetch the list of this account's broker, where it is missing or of an earlier trading day."""
        task = asyncio.ensure_future(self._freshen(account))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _freshen(self, account: AccountId) -> None:
        logger = log.get(__name__)
        try:
            done = await masters.freshen(self._desk, [account])
        except Exception as error:  # the login stands, and each order says what it lacks
            logger.error("list_not_fetched", account=account, error=type(error).__name__)
            return
        for each in done:
            if each.problem is None:
                logger.info("list_fetched", name=each.name, rows=each.rows, seconds=each.seconds)
            elif each.problem.code != masters.UNDER_WAY:
                logger.warning("list_not_fetched", name=each.name, message=each.problem.message)
