"""Orders and sessions: without one nothing is planned, one that ends on the way stops its own account alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ordo_cli.brokers.base import Permit
from ordo_cli.cli.exits import LOGIN, PARTIAL, exit_code_of
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId, Target, parse_target
from ordo_cli.domain.errors import SessionExpired, SessionNeeded
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.legs import Submission
from ordo_cli.domain.orders import OrderIntent, Tag
from ordo_cli.secrets import VAULT
from ordo_cli.services import accounts, doctor, login, orders, portfolio, setup
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import FakeClock, Firm, ScriptedBroker, ScriptedLogin, buy, lives
from tests.services.conftest import Opener


@pytest.fixture
async def desk(reopen: Opener, firm: Firm) -> AsyncIterator[Desk]:
    """Alice and bob log in, carol need not."""
    async with reopen() as first:
        await setup.initialise(first, setup.propose(first, VAULT, None, None))
    async with reopen() as opened:
        for name in ("alice", "bob", "carol"):
            if name != "carol":
                firm.logins[name] = ScriptedLogin([lives(3600), lives(3600)])
            await accounts.add(opened, name, "acme", accounts.Wishes(), {})
        yield opened


async def line(desk: Desk, firm: Firm, name: str) -> ScriptedBroker:
    return firm.line(await desk.store.accounts.get(AccountId(name)))


async def place(desk: Desk, *targets: str) -> FanOut:
    request = PlaceRequest(buy(), tuple(parse_target(word) for word in targets), confirmed=True)
    return await orders.place(desk, request)


def fates(fan_out: FanOut) -> dict[str, tuple[str, str | None]]:
    return {leg.account: (str(leg.submission), leg.problem.code if leg.problem else None) for leg in fan_out.legs}


async def test_an_account_that_is_not_logged_in_is_left_out_and_the_others_go_on(desk: Desk, firm: Firm) -> None:
    await login.start(desk, (Target("alice"),))
    fan_out = await place(desk, "all")
    assert fates(fan_out) == {"alice": ("acked", None), "bob": ("blocked", "SESSION"), "carol": ("acked", None)}
    assert exit_code_of(fan_out) == PARTIAL
    problem = next(leg.problem for leg in fan_out.legs if leg.account == "bob")
    assert problem is not None
    assert (problem.message, problem.hint) == ("bob is not logged in", "ordo login bob")
    assert (await line(desk, firm, "bob")).log == []


async def test_when_nobody_is_logged_in_the_exit_code_says_so(desk: Desk) -> None:
    with pytest.raises(SessionNeeded):
        await place(desk, "alice")
    fan_out = await place(desk, "alice", "bob")
    assert exit_code_of(fan_out) == LOGIN
    found = await portfolio.positions(desk, (Target("alice"),))
    assert [failure.problem.code for failure in found.failures] == ["session_needed"]


async def test_a_session_that_ends_while_its_leg_waits_stops_the_leg(
    desk: Desk, firm: Firm, clock: FakeClock, reopen: Opener
) -> None:
    await login.start(desk, (Target("alice"), Target("bob")))

    lined = await line(desk, firm, "alice")
    async with reopen() as other:
        clock.pass_(3598)

        class Slow(ScriptedBroker):
            async def place(self, intent: OrderIntent, tag: Tag, permit: object) -> object:  # type: ignore[override]
                clock.pass_(2)  # it connects while the session ends
                await permit.claim()  # type: ignore[attr-defined]
                raise AssertionError("claimed for a session that is over")

        firm.lines[AccountId("alice")] = Slow(clock, lined.account)
        fan_out = await place(other, "alice", "carol")
    assert fates(fan_out) == {"alice": ("blocked", "SESSION"), "carol": ("acked", None)}


async def test_a_session_that_dies_at_the_broker_costs_its_own_leg_alone(desk: Desk, firm: Firm) -> None:
    await login.start(desk, (Target("alice"), Target("bob")))

    def died(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: object) -> None:
        with permit.passing():  # type: ignore[attr-defined]
            permit.bytes_sent += 100  # type: ignore[attr-defined]
        raise SessionExpired("the token is not known")

    (await line(desk, firm, "alice")).script = [died]
    fan_out = await place(desk, "alice", "bob")
    assert fates(fan_out) == {"alice": ("rejected", "SESSION"), "bob": ("acked", None)}
    (leg,) = [leg for leg in fan_out.legs if leg.account == "alice"]
    assert leg.submission is Submission.REJECTED  # not sent again under a new session


async def test_the_doctor_names_who_is_not_logged_in(desk: Desk, firm: Firm) -> None:
    async def verdict() -> tuple[str, str]:
        (found,) = [await doctor._sessions(desk, await desk.store.accounts.all())]
        return str(found.verdict), found.message

    assert await verdict() == ("warn", "not logged in: alice bob")
    await login.start(desk)
    assert await verdict() == ("warn", "these end before today's market does: alice bob")
    firm.logins["alice"].steps = [lives(8 * 3600)]
    firm.logins["bob"].steps = [lives(8 * 3600)]
    await login.out(desk)
    await login.start(desk)
    assert await verdict() == ("ok", "2 live beyond today's market close")


async def test_a_session_that_the_broker_refuses_stops_the_rest_of_its_account_and_nobody_else(
    desk: Desk, firm: Firm, reopen: Opener
) -> None:
    await login.start(desk, (Target("alice"), Target("bob")))
    alice = await line(desk, firm, "alice")

    def over(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        with permit.passing():
            permit.bytes_sent += 10
        raise SessionExpired("the session of alice is over", hint="log in to alice first")

    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        entered.set()
        await go_on.wait()

    alice.before_placing = slowly
    alice.script.append(over)
    first = asyncio.ensure_future(place(desk, "alice", "bob"))
    await entered.wait()
    request = PlaceRequest(buy(limit="1490"), (Target("alice"),), allow_duplicate=True, confirmed=True)
    second = asyncio.ensure_future(orders.place(desk, request))  # planned while the session lived, and waits its turn
    while len(await desk.store.journal.fan_outs()) < 2:
        await asyncio.sleep(0)
    go_on.set()
    assert fates(await first) == {"alice": ("rejected", "SESSION"), "bob": ("acked", None)}
    assert fates(await second) == {"alice": ("blocked", "SESSION")}
    assert alice.log.count("place") == 1, "an order went out on a session that was known to be over"
    async with reopen() as other:
        with pytest.raises(SessionNeeded):
            await place(other, "alice")
    states = await login.start(desk, (Target("alice"),))
    assert [state.standing for state in states] == ["live"]
    alice.before_placing = None
    assert fates(await place(desk, "alice")) == {"alice": ("acked", None)}


async def test_a_newer_session_is_not_taken_for_the_one_that_is_over(desk: Desk, reopen: Opener, firm: Firm) -> None:
    await login.start(desk, (Target("alice"),))
    old = await desk.sessions.row(AccountId("alice"))
    async with reopen() as other:
        await login.out(other, (Target("alice"),))
        await login.start(other, (Target("alice"),))
    await desk.sessions.row(AccountId("alice"))  # as any read does, before the late word about the old one
    await desk.sessions.ended(old)
    assert fates(await place(desk, "alice")) == {"alice": ("acked", None)}
