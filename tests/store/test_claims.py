"""Claims: what lets a leg go out is judged in the transaction that makes it SENDING."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName
from ordo_cli.domain.capabilities import RateLimits
from ordo_cli.domain.errors import IllegalMove, KillEngaged, LimitExceeded, NotFound
from ordo_cli.domain.journal import DayLimits, Wait
from ordo_cli.domain.kill import GLOBAL, Level, Scope, ScopeKind
from ordo_cli.domain.legs import Leg, LegId, Purpose, Submission
from ordo_cli.store.store import Store
from tests.fakes import FakeClock, sell
from tests.store.making import DAY, OWNER, acked, fan_out, opened, operation, terms, unknown

ALICE = AccountId("alice")


async def planned(store: Store, name: str, accounts: str = "alice", **more: object) -> list[LegId]:
    made = await store.journal.open(fan_out(name, accounts, **more), duplicate_window=None)  # type: ignore[arg-type]
    return [leg.id for leg in made.legs]


async def test_a_claim_makes_the_leg_sending_with_its_owner_and_one_audit_row(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        (leg_id,) = await planned(store, "aa")
        leg = await store.journal.claim(leg_id, terms(clock))
        assert isinstance(leg, Leg)
        assert (leg.submission, leg.attempt, leg.sent_at) == (Submission.SENDING, 1, clock.now())
        assert (await store.journal.leg("aa-1"))[1] == leg
        assert await store.journal.owners() == {leg_id: OWNER}
        (row,) = await store.audit.rows({"leg": "aa-1"})
        assert (row.type, row.before, row.after) == ("state", "planned", "sending")
        assert row.ids == {"fan_out": "aa", "leg": "aa-1", "attempt": 1, "account": "alice"}


async def test_a_leg_is_claimed_once(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        (leg_id,) = await planned(store, "aa")
        tries = [store.journal.claim(leg_id, terms(clock)) for _ in range(8)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(each, Leg) for each in results) == 1
        assert sum(isinstance(each, IllegalMove) for each in results) == 7
        assert (await store.journal.day_use(ALICE, DAY)).orders == 1


async def test_a_leg_that_does_not_exist_is_not_claimed(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        with pytest.raises(NotFound):
            await store.journal.claim(LegId("zz-1"), terms(clock))
        with pytest.raises(NotFound):
            await store.journal.move(LegId("zz-1"), acked())


@pytest.mark.parametrize(
    "scope", [GLOBAL, Scope(ScopeKind.BROKER, "paper"), Scope(ScopeKind.ACCOUNT, "alice")], ids=str
)
async def test_an_engaged_switch_refuses_the_claim_and_the_leg_stays_planned(tmp_path: Path, scope: Scope) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        (leg_id,) = await planned(store, "aa")
        await store.switches.engage(scope, Level.BLOCK, "enough")
        with pytest.raises(KillEngaged) as refusal:
            await store.journal.claim(leg_id, terms(clock))
        assert str(scope) in str(refusal.value)
        assert (await store.journal.leg(leg_id))[1].submission is Submission.PLANNED
        await store.switches.release(scope, "fine again")
        assert isinstance(await store.journal.claim(leg_id, terms(clock)), Leg)


async def test_a_switch_elsewhere_does_not_stop_it(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        (leg_id,) = await planned(store, "aa")
        await store.switches.engage(Scope(ScopeKind.ACCOUNT, "bob"), Level.FLATTEN, None)
        assert isinstance(await store.journal.claim(leg_id, terms(clock)), Leg)


async def test_a_group_that_the_account_joined_after_planning_stops_it_too(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        alice = Account(ALICE, BrokerName("paper"))
        await store.accounts.add(alice)
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        await store.accounts.save(replace(alice, groups=(GroupName("family"),)))
        await store.switches.engage(Scope(ScopeKind.GROUP, "family"), Level.BLOCK, None)
        with pytest.raises(KillEngaged, match="group:family"):
            await store.journal.claim(LegId("aa-1"), terms(clock))
        assert not isinstance(await store.journal.claim(LegId("aa-2"), terms(clock, "bob")), Wait)


async def test_a_close_and_a_cancel_pass_an_engaged_switch_and_a_modify_does_not(tmp_path: Path) -> None:
    from dataclasses import replace

    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        close = fan_out("aa", "alice", intent=sell())
        close = replace(close, legs=(replace(close.legs[0], purpose=Purpose.CLOSE),))
        await store.journal.open(close, duplicate_window=None)
        await store.switches.engage(GLOBAL, Level.BLOCK, None)
        limits = DayLimits(orders=0, value=Decimal(0), open_orders=0)
        assert isinstance(await store.journal.claim(close.legs[0].id, terms(clock, limits=limits)), Leg)
        assert await store.journal.operation(ALICE, "cancel", operation(scopes=(GLOBAL,))) is None
        with pytest.raises(KillEngaged):
            await store.journal.operation(ALICE, "modify", operation(scopes=(GLOBAL,)))


async def test_no_rolling_second_holds_more_than_the_cap(tmp_path: Path) -> None:
    clock, rates = FakeClock(), RateLimits(per_second=10, kept_for_cancels=2)
    async with opened(tmp_path / "ordo.db", clock) as store:
        sent: list[float] = []
        for number in range(30):
            (leg_id,) = await planned(store, f"f{number:02}")
            while isinstance(answer := await store.journal.claim(leg_id, terms(clock, rates=rates)), Wait):
                assert 0 < answer.seconds <= 1.25
                clock.pass_(answer.seconds)
            sent.append(clock.elapsed())
            clock.pass_(0.01)
    # A first byte leaves up to a quarter of a second after its claim; even the worst case keeps to the cap.
    assert all(later - earlier >= 1.25 for earlier, later in zip(sent, sent[8:], strict=False))


async def test_cancels_have_two_places_that_nothing_else_takes(tmp_path: Path) -> None:
    clock, rates = FakeClock(), RateLimits(per_second=4, kept_for_cancels=2)
    async with opened(tmp_path / "ordo.db", clock) as store:
        for number in range(2):
            (leg_id,) = await planned(store, f"f{number}")
            assert isinstance(await store.journal.claim(leg_id, terms(clock, rates=rates)), Leg)
        (third,) = await planned(store, "f3")
        assert await store.journal.claim(third, terms(clock, rates=rates)) == Wait(1.25)
        assert await store.journal.operation(ALICE, "modify", operation(rates)) == Wait(1.25)
        assert await store.journal.operation(ALICE, "cancel", operation(rates)) is None
        assert await store.journal.operation(ALICE, "cancel", operation(rates)) is None
        assert await store.journal.operation(ALICE, "cancel", operation(rates)) == Wait(1.25)
        assert await store.journal.operation(AccountId("bob"), "cancel", operation(rates)) is None


async def test_a_minute_has_its_cap_and_a_day_has_its(tmp_path: Path) -> None:
    clock = FakeClock()
    minute = RateLimits(per_second=100, kept_for_cancels=0, per_minute=3)
    day = RateLimits(per_second=100, kept_for_cancels=0, per_day=3)
    async with opened(tmp_path / "ordo.db", clock) as store:
        legs = [(await planned(store, f"f{number}"))[0] for number in range(4)]
        for leg in legs[:3]:
            assert isinstance(await store.journal.claim(leg, terms(clock, rates=minute)), Leg)
        clock.pass_(20)
        assert await store.journal.claim(legs[3], terms(clock, rates=minute)) == Wait(40.25)
        clock.pass_(41)
        with pytest.raises(LimitExceeded) as refusal:
            await store.journal.claim(legs[3], terms(clock, rates=day))
        assert refusal.value.reason == "OPS_EXCEEDED"
        assert await store.journal.operation(ALICE, "cancel", operation(day)) is None


async def test_an_hour_has_its_cap_which_no_order_waits_for_and_no_cancel_meets(tmp_path: Path) -> None:
    clock, rates = FakeClock(), RateLimits(per_second=100, kept_for_cancels=0, per_hour=3)
    async with opened(tmp_path / "ordo.db", clock) as store:
        legs = [(await planned(store, f"f{number}"))[0] for number in range(4)]
        for leg in legs[:3]:
            assert isinstance(await store.journal.claim(leg, terms(clock, rates=rates)), Leg)
        clock.pass_(600)
        with pytest.raises(LimitExceeded, match=r"all 3 order operations .* in an hour") as refusal:
            await store.journal.claim(legs[3], terms(clock, rates=rates))
        assert refusal.value.reason == "OPS_EXCEEDED"
        assert refusal.value.hint == "cancels still go; entries again in 51 minutes"
        with pytest.raises(LimitExceeded, match="in an hour"):
            await store.journal.operation(ALICE, "modify", operation(rates))
        assert await store.journal.operation(ALICE, "cancel", operation(rates)) is None
        clock.pass_(3001)
        assert isinstance(await store.journal.claim(legs[3], terms(clock, rates=rates)), Leg)


async def test_an_order_takes_only_so_many_modifications(tmp_path: Path) -> None:
    rates = RateLimits(per_second=100, kept_for_cancels=0, modifications_per_order=1)
    async with opened(tmp_path / "ordo.db") as store:
        (leg,) = await planned(store, "aa")
        assert await store.journal.operation(ALICE, "modify", operation(rates), leg=leg) is None
        with pytest.raises(LimitExceeded, match="modified 1 times"):
            await store.journal.operation(ALICE, "modify", operation(rates), leg=leg)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (DayLimits(orders=2, hint={"DAY_ORDERS_MAX": "raise it"}.get), "DAY_ORDERS_MAX"),
        (DayLimits(value=Decimal("45000.00"), hint={"DAY_VALUE_MAX": "raise it"}.get), "DAY_VALUE_MAX"),
        (DayLimits(open_orders=2, hint={"OPEN_ORDERS_MAX": "raise it"}.get), "OPEN_ORDERS_MAX"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_a_days_limit_refuses_what_would_pass_it(tmp_path: Path, limits: DayLimits, code: str) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        for number in range(2):
            (leg,) = await planned(store, f"f{number}")
            assert isinstance(await store.journal.claim(leg, terms(clock, value=Decimal(15000), limits=limits)), Leg)
        (leg,) = await planned(store, "f3")
        with pytest.raises(LimitExceeded) as refusal:
            await store.journal.claim(leg, terms(clock, value=Decimal("15000.0001"), limits=limits))
        assert (refusal.value.reason, refusal.value.hint) == (code, "raise it")
        use = await store.journal.day_use(ALICE, DAY)
        assert (use.orders, use.value, use.open_orders) == (2, Decimal(30000), 2)


async def test_a_tagless_account_has_one_order_in_flight_per_instrument_and_side(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        (first,) = await planned(store, "f1")
        (second,) = await planned(store, "f2")
        (opposite,) = await planned(store, "f3", intent=sell())
        assert isinstance(await store.journal.claim(first, terms(clock, tagless=True)), Leg)
        assert isinstance(await store.journal.claim(second, terms(clock, tagless=True)), Wait)
        assert isinstance(await store.journal.claim(opposite, terms(clock, tagless=True)), Leg)
        await store.journal.move(first, unknown)
        assert isinstance(await store.journal.claim(second, terms(clock, tagless=True)), Wait)
        await store.journal.move(first, acked())
        assert isinstance(await store.journal.claim(second, terms(clock, tagless=True)), Leg)


async def test_the_pre_image_of_the_last_attempt_is_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        (leg,) = await planned(store, "f1")
        assert await store.journal.pre_image(leg) is None
        for ids in (frozenset({"1"}), frozenset({"1", "2"})):
            await store.journal.claim(leg, terms(clock, pre_image=ids))
            assert await store.journal.pre_image(leg) == ids
            await store.journal.move(leg, lambda now: now.to(Submission.NOT_SENT))
            await store.journal.move(leg, lambda now: now.to(Submission.PLANNED))


async def test_a_thousand_claims_at_once_cost_few_commits(tmp_path: Path) -> None:
    clock, commits = FakeClock(), []
    async with opened(tmp_path / "ordo.db", clock) as store:
        legs = await planned(store, "aa", " ".join(f"a{number}" for number in range(1000)))

        store.database.on_commit(lambda _, bodies: commits.append(bodies))
        claimed = await asyncio.gather(*(store.journal.claim(leg, terms(clock)) for leg in legs))
    assert all(isinstance(leg, Leg) for leg in claimed)
    assert sum(commits) == 1000
    assert len(commits) <= 60
