"""The accounts' sessions and what their brokers ask before they let them in; both sealed, each change audited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.sessions import ATTEMPTS, ChallengeId, ChallengeKind, KeptChallenge, KeptSession, too_late
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import Ask, Body
from ordo_cli.store.rows import micros, time_of

if TYPE_CHECKING:
    from ordo_cli.store.base import Database

SessionRow = tuple[str, bytes, int, int]
ChallengeRow = tuple[str, str, str, str, bytes, int, int, int, int | None]


class Sessions:
    def __init__(self, database: Database, origin: Callable[[], Origin]) -> None:
        self._database = database
        self._origin = origin

    async def all(self) -> dict[AccountId, KeptSession]:
        """The session of every account that has one, whether or not it is over."""
        return await self._database.read(_all)

    async def of(self, account: AccountId) -> KeptSession | None:
        return await self._database.read(_session, account)

    async def challenges(self) -> dict[AccountId, KeptChallenge]:
        """The newest challenge of every account that was asked something."""
        return await self._database.read(_challenges)

    async def challenge(self, account: AccountId) -> KeptChallenge | None:
        """The newest challenge of one account, answered or not."""
        return await self._database.read(_challenge, account)

    async def keep(self, session: KeptSession) -> None:
        """The account is logged in: this session replaces the one before, and no challenge is open any more."""
        await self._database.run(_keeping, session, self._origin())

    async def ask(self, challenge: KeptChallenge) -> None:
        """Remember what the broker asks; it replaces whatever it asked before."""
        await self._database.run(_asking, challenge, self._origin())

    async def claim(self, challenge: KeptChallenge) -> None:
        """Be the one who answers: exactly one of all that try at the same time is.

        It is answered from here on, also when this process dies. Raises SessionNeeded, saying why it cannot be.
        """
        await self._database.run(_claiming, challenge, self._origin())

    async def refused(self, challenge: KeptChallenge, code: str, *, again: bool, counted: bool = True) -> None:
        """The answer led nowhere; `again` lets another one be given, not `counted` gives the attempt back."""
        await self._database.run(_refusing, challenge, code, again, counted, self._origin())

    async def forget(self, account: AccountId, why: str) -> bool:
        """Forget session and challenges; whether there was anything to forget."""
        return await self._database.run(_forgetting, account, why, self._origin())

    async def end(self, session: KeptSession, why: str) -> bool:
        """Forget this very session; whether it was still the account's. A newer one, and what is asked, stay."""
        return await self._database.run(_ending, session, why, self._origin())


def _all() -> Body[dict[AccountId, KeptSession]]:
    return {AccountId(row[0]): _session_of(row) for row in (yield Ask("sessions"))}


def _session(account: AccountId) -> Body[KeptSession | None]:
    rows = yield Ask("session", {"account": account})
    return _session_of(rows[0]) if rows else None


def _challenges() -> Body[dict[AccountId, KeptChallenge]]:
    found: dict[AccountId, KeptChallenge] = {}
    for row in (yield Ask("all_challenges")):
        found.setdefault(AccountId(row[1]), _challenge_of(row))
    return found


def _challenge(account: AccountId) -> Body[KeptChallenge | None]:
    rows = yield Ask("challenges_of", {"account": account})
    return _challenge_of(rows[0]) if rows else None


def _keeping(session: KeptSession, origin: Origin) -> Body[None]:
    before = yield Ask("session", {"account": session.account})
    yield Ask("remove_session", {"account": session.account})
    yield Ask("close_challenges", {"account": session.account, "now": origin.at})
    row = (session.account, session.sealed, micros(session.created_at), micros(session.expires_at))
    yield Ask("add_session", row)
    until = session.expires_at.isoformat()
    yield _tell(origin, session.account, "session" if before else None, "live", until=until)


def _asking(challenge: KeptChallenge, origin: Origin) -> Body[None]:
    yield Ask("remove_challenges", {"account": challenge.account})
    yield Ask("add_challenge", _challenge_row(challenge))
    yield _tell(origin, challenge.account, None, "waiting", challenge=challenge.id, kind=str(challenge.kind))


def _claiming(challenge: KeptChallenge, origin: Origin) -> Body[None]:
    terms = {"id": challenge.id, "now": origin.at, "attempts_most": ATTEMPTS}
    if not (yield Ask("claim_challenge", terms)):
        now = yield from _challenge(challenge.account)
        raise too_late(challenge, now, time_of(origin.at))
    yield _tell(origin, challenge.account, "waiting", "answered", challenge=challenge.id)


def _refusing(challenge: KeptChallenge, code: str, again: bool, counted: bool, origin: Origin) -> Body[None]:
    if again:
        yield Ask("reopen_challenge", {"id": challenge.id, "given_back": 0 if counted else 1})
    after = "waiting" if again else "refused"
    yield _tell(origin, challenge.account, "answered", after, challenge=challenge.id, code=code)


def _forgetting(account: AccountId, why: str, origin: Origin) -> Body[bool]:
    session = yield Ask("session", {"account": account})
    challenges = yield Ask("challenges_of", {"account": account})
    if not session and not challenges:
        return False
    yield Ask("remove_session", {"account": account})
    yield Ask("remove_challenges", {"account": account})
    yield _tell(origin, account, "session" if session else "waiting", "logged out", why=why)
    return True


def _ending(session: KeptSession, why: str, origin: Origin) -> Body[bool]:
    if (yield from _session(session.account)) != session:
        return False
    yield Ask("remove_session", {"account": session.account})
    yield _tell(origin, session.account, "session", "logged out", why=why)
    return True


def _session_of(row: SessionRow) -> KeptSession:
    account, sealed, created, expires = row
    return KeptSession(AccountId(account), bytes(sealed), time_of(created), time_of(expires))


def _challenge_of(row: ChallengeRow) -> KeptChallenge:
    id, account, kind, prompt, sealed, created, expires, attempts, answered = row
    return KeptChallenge(
        id=ChallengeId(id),
        account=AccountId(account),
        kind=ChallengeKind(kind),
        prompt=prompt,
        sealed=bytes(sealed),
        created_at=time_of(created),
        expires_at=time_of(expires),
        attempts=attempts,
        answered_at=None if answered is None else time_of(answered),
    )


def _challenge_row(challenge: KeptChallenge) -> ChallengeRow:
    return (
        challenge.id,
        challenge.account,
        str(challenge.kind),
        challenge.prompt,
        challenge.sealed,
        micros(challenge.created_at),
        micros(challenge.expires_at),
        challenge.attempts,
        None,
    )


def _tell(origin: Origin, account: AccountId, before: str | None, after: str, **data: object) -> Tell:
    return Tell(origin, "login", ids={"account": account}, before=before, after=after, data=data)
