"""How long a call is asked again, and when never: one rule for every way of sending it.

A generator that does nothing itself: it yields what is to be done (`Send`, `Pause`) and is told what came of it. The
clients drive it, each with its own library.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

from ordo_cli.client.calls import Call, Repeat
from ordo_cli.client.problems import error_of
from ordo_cli.domain.errors import NoAnswer, OrdoError, Unreachable
from ordo_cli.domain.seams import Chance
from ordo_cli.domain.values import dataclass

FIRST, LONGEST = 0.1, 2.0  # seconds between two tries, doubling
SOON = frozenset({429, 503})  # the server itself says: later
BETWEEN = frozenset({502, 504})  # a proxy lost it, when it is no problem of ordo's
IN_FLIGHT = 409  # with Retry-After: the first request of this key is still running
PROBLEM = "application/problem+json"
LOOK = "look before you ask again: ordo status, ordo orders"
OLD = "the server may be of another version; compare `ordo --version` there and here"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_problem(self) -> bool:
        return self.headers.get("content-type", "").partition(";")[0].strip() == PROBLEM


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came: `sent` says that bytes may have left, `why` says what is known, without any secret."""

    sent: bool
    why: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send the call now, and wait no longer than this."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Step = Send | Pause
Steps = Generator[Step, Reply | Lost | None, Reply]


def asking(
    call: Call,
    elapsed: Callable[[], float],
    chance: Chance,
    patience: float,
    timeout: float,
    away: float | None = None,
) -> Steps:
    """Ask until there is an answer, the time is up, or asking again could do something twice.

    `away` is the patience with a server that nothing has reached yet, and with all reads. Raises the error that the
    server named, Unreachable when nothing left, NoAnswer when it may have happened.
    """
    began, pause, sent, doubt = elapsed(), FIRST, False, False
    end, soon = began + patience + call.seconds, began + (patience if away is None else away)
    while True:
        got = yield Send(max(0.05, min(timeout + call.seconds, end - elapsed())))
        assert got is not None
        sent = sent or isinstance(got, Reply) or got.sent
        if isinstance(got, Reply) and (got.status < 400 or _under_way(call, got)):
            if 300 <= got.status < 400:  # no redirect is followed: an order goes where the user sent it
                raise silence(call, f"it answered with {got.status}, as no ordo does", sent=True)
            return got
        wait = _wait(call, got, pause * chance.uniform(0.5, 1.0))
        if wait is None or elapsed() + wait >= (end if sent and call.method != "GET" else soon):
            raise _end(call, got, sent, doubt)
        doubt = doubt or (got.sent if isinstance(got, Lost) else got.status >= 500 and not got.is_problem)
        yield Pause(wait)
        pause = min(LONGEST, pause * 2)


def _under_way(call: Call, got: Reply) -> bool:
    """Whether who only wants to know that it is under way has been told so, and where."""
    return call.asynchronous and got.status == IN_FLIGHT and "location" in got.headers


def _wait(call: Call, got: Reply | Lost, pause: float) -> float | None:
    """Seconds until the call may be asked again; None when it may not."""
    if isinstance(got, Lost):
        return None if got.sent and call.repeat is Repeat.NEVER else pause
    if call.repeat is Repeat.NEVER:
        return None
    after = got.headers.get("retry-after", "")
    told = max(pause, float(after)) if after.isascii() and after.isdigit() else pause
    if got.status in SOON or (got.status in BETWEEN and not got.is_problem):
        return told
    return told if got.status == IN_FLIGHT and after and call.repeat is Repeat.BY_KEY else None


def _end(call: Call, got: Reply | Lost, sent: bool, doubt: bool) -> OrdoError:
    """The error that ends a call. `doubt` says that an earlier try may have been taken.

    A refusal of what was asked speaks for earlier tries too, because the server looks for the key first. One for other
    reasons (later, not you, a bug) does not.
    """
    if isinstance(got, Lost):
        return silence(call, got.why, sent=sent)
    if got.status in BETWEEN and not got.is_problem:
        return silence(call, f"a proxy answered with {got.status}", sent=True)
    error = error_of(got.status, got.content)
    under_way = got.status == IN_FLIGHT and call.repeat is Repeat.BY_KEY and "retry-after" in got.headers
    failed = type(error) is OrdoError and got.status >= 500
    if call.method != "GET" and (under_way or failed or (doubt and got.status in {*SOON, 401, 403})):
        return silence(call, error.message, sent=True)
    return error


def silence(call: Call, why: str, *, sent: bool) -> OrdoError:
    """The error for a call without an answer: told apart by whether it may have happened."""
    if not sent:
        return Unreachable(f"the server cannot be reached: {why}; nothing was sent", hint="is `ordo serve` running?")
    if call.method == "GET":
        return Unreachable(f"the server gave no answer: {why}", hint="ask again")
    hint = LOOK if call.key is None else _same_key(call.key)
    return NoAnswer(f"the server gave no answer, so it may have been done: {why}", hint=hint)


def unreadable(call: Call, why: str) -> OrdoError:
    """The error for an answer that came and means nothing here."""
    said = f"the server's answer cannot be read ({why})"
    if call.method == "GET":
        return OrdoError(said, hint=OLD, code="unreadable")
    hint = LOOK if call.key is None else _same_key(call.key)
    return NoAnswer(f"{said}, so it may have been done", hint=hint)


def _same_key(key: str) -> str:
    return f"ask again with the same key, which never sends twice: {key}"
