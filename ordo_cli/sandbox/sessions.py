"""Sessions: which tokens a broker has given out, for whom, and when they end by the broker's rule."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from ordo_cli.domain.market import IST
from ordo_cli.domain.values import dataclass
from ordo_cli.sandbox.accounts import SandboxAccount


@dataclass(frozen=True, slots=True)
class Session:
    account: SandboxAccount
    token: str
    began: datetime
    until: datetime


def next_at(hour: time, now: datetime) -> datetime:
    """The next time that it is so late in India, after now."""
    local = now.astimezone(IST)
    today = datetime.combine(local.date(), hour, IST)
    return today if today > local else today + timedelta(days=1)


class Sessions:
    """The live tokens of one broker. A new one of an account displaces its others unless the broker lets both live."""

    def __init__(self) -> None:
        self._by_token: dict[str, Session] = {}
        self._once: dict[str, Session] = {}

    def begin(self, session: Session, *, displacing: bool = True) -> None:
        if displacing:
            self.end_all(session.account)
        self._by_token[session.token] = session

    def find(self, token: str, now: datetime) -> Session | None:
        """The session of this token while it lives."""
        found = self._by_token.get(token)
        return found if found is not None and now < found.until else None

    def live(self, now: datetime) -> list[Session]:
        """Those that open something at this moment."""
        return [session for token, session in self._by_token.items() if self.find(token, now) is not None]

    def has_expired(self, token: str, now: datetime) -> bool:
        """Whether this was a session, and time alone ended it."""
        found = self._by_token.get(token)
        return found is not None and now >= found.until

    def end(self, token: str) -> None:
        self._by_token.pop(token, None)

    def end_all(self, account: SandboxAccount) -> None:
        self._by_token = {key: one for key, one in self._by_token.items() if one.account != account}

    def clear(self) -> None:
        self._by_token.clear()
        self._once.clear()

    def lend(self, ticket: Session) -> None:
        """A token for one exchange only: a request token, an authorisation code, a handle between two steps."""
        self._once[ticket.token] = ticket

    def look(self, token: str, now: datetime) -> Session | None:
        found = self._once.get(token)
        return found if found is not None and now < found.until else None

    def redeem(self, token: str, now: datetime) -> Session | None:
        """The ticket behind a token, which is worth nothing from then on."""
        found = self._once.pop(token, None)
        return found if found is not None and now < found.until else None
