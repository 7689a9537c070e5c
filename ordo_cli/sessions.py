"""The live sessions of accounts: kept sealed in the store, opened for the line of their account and nobody else."""

from __future__ import annotations

import asyncio
from copy import copy
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from ordo_cli import log
from ordo_cli.brokers.base import BrokerSession, Challenge
from ordo_cli.domain import market
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import Busy, SessionNeeded
from ordo_cli.domain.sessions import ChallengeId, KeptChallenge, KeptSession

if TYPE_CHECKING:
    from ordo_cli.domain.seams import Chance, Clock
    from ordo_cli.locks import Locks
    from ordo_cli.secrets import Secrets
    from ordo_cli.secrets.sealing import Seals
    from ordo_cli.store.sessions import Sessions as Rows

SESSION, CHALLENGE = "session", "challenge"  # what a sealed row is for
PATIENCE, PAUSE = 100, 0.05  # tries, and seconds between them, while another process makes the first key


class Sessions:
    """What logins ended in. Rows may be read by anybody who reads the database; what is in them, only through here."""

    def __init__(
        self, rows: Rows, secrets: Secrets, install: str, *, locks: Locks, clock: Clock, chance: Chance
    ) -> None:
        self._rows, self._secrets, self._install = rows, secrets, install
        self._locks, self._clock, self._chance = locks, clock, chance
        self._sealer: Seals | None = None
        self._until: dict[AccountId, datetime] = {}
        self._seen: dict[AccountId, KeptSession] = {}  # the one that an account's line was last opened with
        self._reading: asyncio.Task[dict[AccountId, KeptSession]] | None = None

    def over(self, rows: Rows) -> Sessions:
        """The same, with changes written down under the name of whoever these rows belong to."""
        other = copy(self)  # what is known of keys and expiry goes along
        other._rows, other._reading = rows, None
        return other

    @property
    def _seals(self) -> Seals:
        if self._sealer is None:
            from ordo_cli.secrets.sealing import Seals  # with the vault, 10 ms; only where there are sessions

            self._sealer = Seals(self._secrets, self._install)
        return self._sealer

    async def row(self, account: AccountId) -> KeptSession:
        """The account's session as it is stored. Raises SessionNeeded when there is none that lasts."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
        kept = (await asyncio.shield(self._reading)).get(account)
        if kept is None:
            self._until.pop(account, None)
            raise SessionNeeded(f"{account} is not logged in", hint=f"ordo login {account}")
        self._until[account] = kept.expires_at
        self.still(account)
        self._seen[account] = kept
        return kept

    async def ended(self, kept: KeptSession) -> None:
        """The broker says that this session is over: nobody uses it again, here or elsewhere.

        One that has begun since lives on: the word may be late, and was about the other.
        """
        if self._seen.get(kept.account) == kept:
            self._until[kept.account] = self._clock.now()
        if not await self._rows.end(kept, "the broker says that it is over"):
            self._until.pop(kept.account, None)  # somebody has logged in since

    async def _read(self) -> dict[AccountId, KeptSession]:
        """All of them, once for everybody who asks in the same turn of the loop: a fan-out asks for each leg."""
        await asyncio.sleep(0)
        self._reading = None  # whoever asks from here on may know of something newer
        return await self._rows.all()

    def not_needed(self, account: AccountId) -> None:
        """This account needs no session, whatever it needed before."""
        self._until.pop(account, None)

    def still(self, account: AccountId) -> None:
        """Raises SessionNeeded when the session last seen of this account is over by now. Asks nobody."""
        until = self._until.get(account)
        if until is not None and until <= self._clock.now():
            raise SessionNeeded(f"the session of {account} is over", hint=f"ordo login {account}")

    async def opened(self, kept: KeptSession) -> BrokerSession:
        """What a broker is shown. Raises SessionNeeded when the row was changed, SecretsUnavailable without the key."""
        import json  # 6 ms that accounts without a login need not pay

        found = json.loads(await self._open(kept.account, SESSION, kept.sealed))
        session = BrokerSession(found["token"], datetime.fromisoformat(found["expires_at"]))
        log.hide(*session.token.values())
        if session.expires_at != kept.expires_at:  # the column is for whoever only looks; what is sealed is true
            raise _tampered(kept.account)
        return session

    async def keep(self, account: AccountId, session: BrokerSession) -> KeptSession:
        """Seal a session and keep it in place of the one before."""
        import json  # 6 ms, as above

        log.hide(*session.token.values())
        text = json.dumps({"token": dict(session.token), "expires_at": session.expires_at.isoformat()})
        sealed = await self._sealed(account, SESSION, text.encode())
        kept = KeptSession(account, sealed, self._clock.now(), session.expires_at)
        await self._rows.keep(kept)
        self._until[account] = session.expires_at
        return kept

    async def ask(self, account: AccountId, challenge: Challenge) -> KeptChallenge:
        """Keep what a broker asks, for whoever answers."""
        id = ChallengeId(self._chance.token(10))
        sealed = await self._sealed(account, f"{CHALLENGE}:{id}", challenge.state)
        kept = KeptChallenge(
            id=id,
            account=account,
            kind=challenge.kind,
            prompt=challenge.prompt,
            sealed=sealed,
            created_at=self._clock.now(),
            expires_at=challenge.expires_at,
        )
        await self._rows.ask(kept)
        return kept

    async def state_of(self, challenge: KeptChallenge) -> bytes:
        """What the adapter wanted back with the answer. Raises SessionNeeded when the row was changed."""
        return await self._open(challenge.account, f"{CHALLENGE}:{challenge.id}", challenge.sealed)

    async def prepare(self) -> None:
        """See that sealing will work, before a broker is asked for something that could not be kept."""
        today = market.trading_day(self._clock.now())
        for _ in range(PATIENCE):
            if await asyncio.to_thread(self._seals.fresh, today):
                return
            try:
                async with self._locks.only_one("data-key"):
                    if not await asyncio.to_thread(self._seals.fresh, today):
                        await asyncio.to_thread(self._seals.make, today)
            except Busy:
                await self._clock.sleep(PAUSE)
        raise Busy("another ordo is making the key that sessions are sealed with", hint="try again")

    async def _sealed(self, account: AccountId, purpose: str, plain: bytes) -> bytes:
        await self.prepare()
        return self._seals.seal(account, purpose, plain)

    async def _open(self, account: AccountId, purpose: str, sealed: bytes) -> bytes:
        from ordo_cli.secrets.sealing import Unsealable  # as above

        try:
            return await self._secrets.reading(partial(self._seals.unseal, account, purpose, sealed))
        except Unsealable as error:
            log.get(__name__).error("unsealable", account=account, purpose=purpose, why=str(error))
            raise _tampered(account) from None


def _tampered(account: AccountId) -> SessionNeeded:
    return SessionNeeded(
        f"what is stored of {account}'s login cannot be opened: it was changed, or its key is gone",
        hint=f"log in again: ordo login {account}",
    )
