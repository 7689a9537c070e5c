"""Who may press the kill switch: whom the database knows, and whom this process knows while the database is silent.

A press needs no database, so one that is down must not keep anybody from stopping. What this process has read of a
token lets its holder stop and no more: to cancel, to close and everything else waits for the database's own word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials

from ordo_cli import log
from ordo_cli.api.auth import HINT, bearer
from ordo_cli.api.problems import Unauthenticated
from ordo_cli.desk import Desk
from ordo_cli.domain.errors import OrdoError, StoreFailed
from ordo_cli.domain.tokens import Token
from ordo_cli.services import presses, tokens

AT_ONCE = 0.1  # seconds that the database gets to say whose token it is, if this process knows that itself
PATIENCE = 5.0  # seconds that it gets if this process does not; whoever presses from afar waits no longer
AFTERWARDS = 3.0  # seconds that it gets behind the press, for what takes more than to stop
EVERY = 10.0  # seconds between looks which tokens may press, and which presses are still to be written down
SILENT = "the database does not answer"
ELSEWHERE = "what works without it, at the machine: ordo kill, or SIGUSR1 to ordo serve"


class Presser:
    """Somebody who may stop everything; `sure` when the database has just said so."""

    def __init__(self, desk: Desk, pressers: Pressers, text: str, sure: bool) -> None:
        self.desk, self.sure = desk, sure
        self._pressers, self._text = pressers, text

    async def require_word(self, recorded: bool) -> None:
        """Raises unless the database vouches for the token and, as far as one can tell, still answers."""
        if self.sure and recorded:
            return
        asked = await self._pressers.ask(self._text, AFTERWARDS)
        if not asked.done():
            raise StoreFailed(SILENT)
        if asked.result() is None:
            raise Unauthenticated("this token is not valid any more")


class Pressers:
    """The tokens of one server process, for its presses."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._asking: set[asyncio.Task[Token | None]] = set()

    async def admit(self, text: str, request: str) -> tuple[Presser, str]:
        """Who presses with this token, and their name. Raises Unauthenticated, or StoreFailed where nobody can tell."""
        known = tokens.remembered(self._desk, text)
        asked = await self.ask(text, PATIENCE if known is None else AT_ONCE)
        failure = (asked.exception() if asked.done() else None) or StoreFailed(SILENT)
        sure = asked.done() and asked.exception() is None
        who = asked.result() if sure else tokens.remembered(self._desk, text)
        if who is None and not sure:
            raise _nobody_knows(failure)
        if who is None:
            raise Unauthenticated("this token is not valid here, or not any more", hint=HINT)
        if not sure:
            log.get(__name__).warning("pressed_by_memory", who=who.id, request=request, error=str(failure))
        return Presser(self._desk.acting_as(who.actor, who.rights, request), self, text, sure), who.actor

    async def ask(self, text: str, seconds: float) -> asyncio.Task[Token | None]:
        """Ask the database whose token it is, and wait so long. What it says later is remembered all the same."""
        asked = asyncio.ensure_future(tokens.authenticate(self._desk, text))
        self._asking.add(asked)
        asked.add_done_callback(self._answered)
        await asyncio.wait({asked}, timeout=seconds)
        return asked

    def _answered(self, asked: asyncio.Task[Token | None]) -> None:
        self._asking.discard(asked)
        if not asked.cancelled():
            asked.exception()  # whoever still waits raises it; a late one is nobody's

    async def stand_by(self) -> None:
        """For as long as the server lives: know who may press, and write presses down that are not written yet."""
        while True:
            await self._desk.clock.sleep(EVERY)
            await self.look()
            await self._tried(presses.retry(self._desk))

    async def look(self) -> None:
        """Read who may press, if it can be read."""
        await self._tried(tokens.learn(self._desk))

    async def _tried(self, work: Awaitable[object]) -> None:
        try:
            await work
        except OrdoError:
            pass
        except Exception as error:
            log.get(__name__).error("stand_by", error=type(error).__name__, exc_info=error)

    async def close(self) -> None:
        """Wait for nothing any more."""
        asking = set(self._asking)
        for each in asking:
            each.cancel()
        if asking:
            await asyncio.wait(asking)


async def presser_of(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Presser:
    """Who presses. Raises Unauthenticated, or StoreFailed with what works all the same."""
    if given is None:
        raise Unauthenticated("this needs a token", hint=HINT)
    pressers: Pressers = request.app.state.pressers
    presser, request.state.actor = await pressers.admit(given.credentials, request.state.request_id)
    return presser


def _nobody_knows(failure: BaseException) -> BaseException:
    """For a token that this process has never seen: a stranger must not act, and hears what can be done."""
    if not isinstance(failure, StoreFailed):
        return failure
    message = f"{failure.message}, so nobody can tell whose token this is; NOTHING WAS STOPPED"
    return StoreFailed(message, hint=ELSEWHERE, code=failure.reason)


PresserDep = Annotated[Presser, Depends(presser_of)]
