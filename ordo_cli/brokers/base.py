"""What ordo asks of a broker, and what a broker declares of itself. Adapters implement this; they inherit nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ordo_cli.brokers.masters import Master, MasterSource, NoMaster
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.capabilities import Capabilities as Capabilities
from ordo_cli.domain.capabilities import RateLimits as RateLimits
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Instrument, InstrumentId
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderReport, Tag
from ordo_cli.domain.pacing import Pace
from ordo_cli.domain.portfolio import Funds, Holding, Margin, Position, Quote, Trade
from ordo_cli.domain.seams import Chance, Clock
from ordo_cli.domain.sessions import ChallengeKind as ChallengeKind
from ordo_cli.domain.urls import is_this_machine
from ordo_cli.domain.values import dataclass, field, replace

if TYPE_CHECKING:
    from httpx import AsyncBaseTransport

TOTP_SEED = "totp_seed"
"""The optional credential from which ordo makes the codes of an account itself, where its user wants that."""

WRONG_ANSWER = "WRONG_ANSWER"
"""The code of a Rejected by which the broker lets the same challenge be answered once more."""


class Permit(Protocol):
    """One attempt's leave to write, and the count of what it wrote."""

    bytes_sent: int
    first_byte_at: float | None  # by the elapsed clock

    async def claim(self) -> None:
        """Make it durable that this may leave; awaited with the connection open and the request ready, just before.

        It may wait for the account's turn. Raises what forbids it: then nothing may be written.
        """
        ...

    def passing(self) -> AbstractContextManager[None]:
        """Held across the first write alone, after `claim`, and nothing is awaited inside.

        Raises KillEngaged (a scope is not armed, or that could not be read) or Refused with reason DEADLINE or
        STALE (no claim, or one over 250 ms ago). Raised: nothing may be written.
        """
        ...


class Broker(Protocol):
    """One account's line to its broker.

    Every call may raise Unreachable (zero bytes left), NoAnswer, Rejected or SessionExpired, and nothing else of the
    network. `place` and `modify` write only inside `permit.passing()`, with `permit.claim()` awaited right before it,
    and are never repeated below ordo.
    """

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport: ...

    async def modify(self, order_id: BrokerOrderId, changes: Changes, permit: Permit) -> OrderReport: ...

    async def cancel(self, order_id: BrokerOrderId) -> OrderReport:
        """Ask for it; the report is the order as the broker then shows it, not a promise that it is cancelled."""
        ...

    async def orders(self) -> Sequence[OrderReport]:
        """The complete order book of the day; raises NoAnswer rather than give part of it."""
        ...

    async def trades(self) -> Sequence[Trade]: ...

    async def positions(self) -> Sequence[Position]: ...

    async def holdings(self) -> Sequence[Holding]: ...

    async def funds(self) -> Funds: ...

    async def margin(self, intent: OrderIntent) -> Margin | None:
        """What this order would block if it were sent now, and what is there for it; None from one who does not tell.

        Asked only of a broker whose capabilities say `margins`.
        """
        ...

    async def quotes(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
        """Those that it knows; an instrument without a quote is missing from the answer."""
        ...

    async def instrument(self, instrument: InstrumentId) -> Instrument | None: ...

    async def search(self, text: str, limit: int = 20) -> Sequence[Instrument]: ...


@dataclass(frozen=True, slots=True)
class BrokerSession:
    """What a login ended in. `token` is whatever the adapter needs to speak for the account, by its own names."""

    token: Mapping[str, str] = field(repr=False)
    expires_at: datetime  # by the broker's rule; aware


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a broker asks before it goes on: plain data, answered in this process or another, now or later."""

    kind: ChallengeKind
    prompt: str  # one sentence for whoever answers
    expires_at: datetime
    state: bytes = field(repr=False)  # what the adapter needs with the answer; nobody else reads it


@dataclass(frozen=True, slots=True)
class Tools:
    """What an adapter may use of the outside world."""

    clock: Clock
    chance: Chance
    data: Path  # folder for what a broker keeps on this machine (the paper exchange's file, instrument masters)
    read_timeout: float = 15.0  # seconds an order waits for its answer
    options: Mapping[str, str] = field(default_factory=dict)  # the `[brokers.<name>]` table of config.toml, as text
    session: BrokerSession | None = field(default=None, repr=False)  # of the account, where its broker has a login
    master: Master = field(default_factory=NoMaster)  # of the broker, as it is on this machine
    transport: AsyncBaseTransport | None = None  # instead of a wire of its own: tests play recorded answers through it
    pace: Pace | None = None  # of the account's reads, where its broker wants one kept


class Login(Protocol):
    """How the accounts of a broker log in.

    Every call may raise Unreachable (zero bytes left), NoAnswer or Rejected, and nothing else of the network; what it
    raises repeats nothing secret. It keeps nothing: what a later step needs is in the challenge's state.
    """

    async def start(
        self, account: Account, credentials: Mapping[str, str], tools: Tools
    ) -> BrokerSession | Challenge: ...

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession | Challenge:
        """The next step. Raises Rejected with WRONG_ANSWER when the same challenge may be answered once more."""
        ...

    async def probe(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        """The cheapest read there is. Raises SessionExpired when the broker does not know this session any more."""
        ...

    async def logout(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        """End the session at the broker; one that is over already is no error."""
        ...


class LaterLogin:
    """A login whose module is imported when it is first used; whether there is one, each order asks of each account."""

    def __init__(self, make: Callable[[], Login]) -> None:
        self._make = make

    async def start(self, account: Account, credentials: Mapping[str, str], tools: Tools) -> BrokerSession | Challenge:
        return await self._make().start(account, credentials, tools)

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession | Challenge:
        return await self._make().answer(account, credentials, tools, state, text)

    async def probe(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        await self._make().probe(account, credentials, tools, session)

    async def logout(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        await self._make().logout(account, credentials, tools, session)


Connect = Callable[[Account, Mapping[str, str], Tools], AbstractAsyncContextManager[Broker]]
"""Open the line of one account: the account, its credentials by field name, and the tools with its live session."""


def no_login(account: Account) -> Login | None:
    """What is said of a broker that lets its accounts in as they are."""
    return None


def check_way(account: Account) -> None:
    """What a broker at the other end of a network checks.

    Raises Invalid for an address or a way out that cannot be used, and for behaviours, which are paper's.
    """
    from ordo_cli.brokers.opening import check_account  # 20 ms that saying what a broker can do need not wait for

    check_account(account)


@dataclass(frozen=True, slots=True)
class BrokerSpec:
    name: BrokerName
    title: str
    mode: Mode
    credentials: tuple[str, ...]
    capabilities: Callable[[Account], Capabilities]
    rates: RateLimits
    connect: Connect
    check_account: Callable[[Account], None] = lambda account: None
    """Raises Invalid for account settings (behaviours, base URL) that this broker does not know."""
    behaviours: Mapping[str, str] = field(default_factory=dict)
    """Trouble that its accounts can be told to rehearse, each with what it does."""
    login: Callable[[Account], Login | None] = no_login
    """How this account logs in; None for one that needs no session."""
    master: MasterSource | None = None
    """Where its list of instruments is; None for one that needs none."""
    optional: tuple[str, ...] = ()
    """Credentials that an account may have and need not, such as the seed that makes its TOTP codes."""
    notes: str = ""
    """For `ordo broker show`: what to register, which rules about addresses bite, what nobody has confirmed."""

    def of(self, account: Account) -> BrokerSpec:
        """This broker as the account meets it: at an address of this machine it is a sandbox, and never live."""
        if self.mode is not Mode.LIVE or account.base_url is None or not is_this_machine(account.base_url):
            return self
        return replace(self, mode=Mode.SANDBOX)
