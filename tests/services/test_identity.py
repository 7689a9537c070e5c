"""Identity: one order goes to the accounts of several brokers only when all of them mean the same by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain import identity
from ordo_cli.domain.accounts import AccountId, BrokerName, Target
from ordo_cli.domain.errors import LimitExceeded
from ordo_cli.domain.instruments import Instrument, Kind, parse_instrument
from ordo_cli.domain.orders import OrderIntent, Product, Side
from ordo_cli.services import accounts, cached, orders
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import FakeClock, Firm, ScriptedBroker, buy

CALL = parse_instrument("NFO:NIFTY24NOV2624500CE")
Join = Callable[[str, str], Awaitable[ScriptedBroker]]


@pytest.fixture
def join(desk: Desk, firm: Firm) -> Join:
    """Add an account at one of two brokers."""
    firm.names = ["acme", "zenith"]

    async def joiner(name: str, broker: str) -> ScriptedBroker:
        await accounts.add(desk, name, broker, accounts.Wishes(), {})
        return firm.line(await desk.store.accounts.get(AccountId(name)))

    return joiner


def for_both(intent: OrderIntent) -> PlaceRequest:
    return PlaceRequest(intent, (Target("alice"), Target("bob")))


def option(quantity: int = 75) -> OrderIntent:
    return OrderIntent(Side.BUY, CALL, quantity, limit_price=Decimal(100), product=Product.NRML)


async def refusal(desk: Desk, request: PlaceRequest) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        await orders.place(desk, request)
    return caught.value


@pytest.mark.parametrize(
    ("intent", "theirs", "words"),
    [
        (buy(), {"isin": "INE467B01029"}, "the ISIN is INE009A01021 at acme and INE467B01029 at zenith"),
        (buy(), {"lot": 5}, "the lot is 1 at acme and 5 at zenith"),
        (option(), {"id": parse_instrument("NFO:NIFTY01DEC2624500CE")}, "the expiry is 2026-11-24"),
        (option(), {"id": parse_instrument("NFO:NIFTY24NOV2624550CE")}, "the strike is 24500.00"),
        (option(), {"id": parse_instrument("NFO:NIFTY24NOV2624500PE")}, "the right is CE at acme and PE at zenith"),
    ],
    ids=["isin", "lot", "expiry", "strike", "right"],
)
async def test_brokers_that_mean_different_things_get_nothing_at_all(
    desk: Desk, join: Join, intent: OrderIntent, theirs: dict[str, object], words: str
) -> None:
    alice, bob = await join("alice", "acme"), await join("bob", "zenith")
    isin = "INE009A01021" if "isin" in theirs else None
    alice.facts, bob.facts = {"isin": isin}, {"isin": isin} | theirs
    error = await refusal(desk, for_both(intent))
    assert error.reason == "IDENTITY_MISMATCH"
    assert words in error.message
    assert "acme" in error.message
    assert "zenith" in error.message
    assert alice.book == bob.book == []
    assert await desk.store.journal.fan_outs(5) == []


async def test_the_refusal_is_in_the_audit_and_the_key_stays_free(desk: Desk, join: Join, clock: FakeClock) -> None:
    await join("alice", "acme")
    bob = await join("bob", "zenith")
    bob.facts = {"lot": 5}
    request = PlaceRequest(buy(), (Target("alice"), Target("bob")), key="a-key-of-mine")
    await refusal(desk, request)
    rows = await desk.store.audit.rows({"type": "risk"})
    assert [row.data["code"] for row in rows] == ["IDENTITY_MISMATCH"]
    bob.facts = {}
    clock.pass_(cached.INSTRUMENT + 1)
    assert (await orders.place(desk, request)).summary.accepted == 2


async def test_brokers_that_agree_or_do_not_tell_their_isin_are_sent_to(desk: Desk, join: Join) -> None:
    alice, bob = await join("alice", "acme"), await join("bob", "zenith")
    alice.facts, bob.facts = {"isin": "INE009A01021"}, {"isin": None}
    assert (await orders.place(desk, for_both(buy()))).summary.accepted == 2


async def test_one_broker_that_takes_a_name_for_another_contract_is_refused_too(desk: Desk, join: Join) -> None:
    alice = await join("alice", "acme")
    alice.facts = {"id": parse_instrument("NFO:NIFTY01DEC2624500CE")}
    error = await refusal(desk, PlaceRequest(option(), (Target("alice"),)))
    assert (error.reason, "acme takes" in error.message) == ("IDENTITY_MISMATCH", True)
    assert alice.book == []


def test_three_brokers_are_compared_each_with_each() -> None:
    infy = parse_instrument("NSE:INFY")

    def known(isin: str | None) -> Instrument:
        return Instrument(infy, "Infosys", Kind.EQUITY, Decimal("0.05"), isin=isin)

    told = {BrokerName("a"): known("INE009A01021"), BrokerName("b"): known(None), BrokerName("c"): known("INE1")}
    found = identity.mismatch(infy, told)
    assert found is not None
    assert "a and c do not mean the same" in found.message
    assert identity.mismatch(infy, {BrokerName("a"): known("INE009A01021"), BrokerName("b"): None}) is None
