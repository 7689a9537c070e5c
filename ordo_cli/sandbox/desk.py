"""One broker's desk in the sandbox: its customers, their sessions and codes, and the floor that all brokers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.chance import SeededChance
from ordo_cli.sandbox.clock import SandboxClock
from ordo_cli.sandbox.codes import Telephone
from ordo_cli.sandbox.floor import Floor
from ordo_cli.sandbox.rates import Limit, Rates
from ordo_cli.sandbox.sessions import Session, Sessions


class Desk:
    """What handlers work with."""

    def __init__(
        self,
        *,
        broker: str,
        accounts: Sequence[SandboxAccount],
        limits: Sequence[Limit],
        echoes: bool,
        floor: Floor,
        clock: SandboxClock,
        chance: SeededChance,
        tell: Callable[[str], None],
    ) -> None:
        self.broker = broker
        self.accounts = list(accounts)
        self.floor = floor
        self.clock = clock
        self.tell = tell
        self.chance = chance.of(f"desk/{broker}")
        self.telephone = Telephone(self.chance, tell)
        self.sessions = Sessions()
        self.rates = Rates(limits)
        self.redirect = "http://127.0.0.1:8021"  # where `ordo login` waits for a browser
        """Where the login page sends the browser: the address that is registered for the broker's app."""
        self.port = 0
        self.echo = echoes
        """Whether the book carries the client's tag back; heeded where that is not confirmed."""
        self.wrong = Counter[str]()
        """Wrong passwords of each customer since the last right one."""
        self.opened: dict[str, datetime] = {}
        """Customers who gave their password and not yet their code, each with until when that holds."""

    def by_key(self, api_key: str) -> SandboxAccount | None:
        return next((account for account in self.accounts if api_key and account.api_key == api_key), None)

    def by_user(self, user: str) -> SandboxAccount | None:
        return next((account for account in self.accounts if account.user.lower() == user.lower()), None)

    def token(self) -> str:
        return self.chance.token(32)

    def begin(self, account: SandboxAccount, until: datetime, token: str | None = None) -> Session:
        """A new session of the account, which ends the one before."""
        session = Session(account, token or self.token(), self.clock.now(), until)
        self.sessions.begin(session)
        return session

    def lend(self, account: SandboxAccount, lives: timedelta) -> str:
        """A token for one exchange."""
        now = self.clock.now()
        token = self.token()
        self.sessions.lend(Session(account, token, now, now + lives))
        return token

    def reset(self) -> None:
        self.sessions.clear()
        self.rates.clear()
        self.telephone.codes.clear()
        self.wrong.clear()
        self.opened.clear()
