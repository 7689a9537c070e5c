"""The journal's other questions: moves, looking up by the beginning of an id, what is unsettled, whose an order is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.errors import IllegalMove, Invalid, NotFound
from ordo_cli.domain.journal import DayUse
from ordo_cli.domain.legs import LegId, Submission
from ordo_cli.domain.orders import BrokerOrderId, OrderState, Tag
from tests.fakes import FakeClock
from tests.store.making import DAY, OWNER, acked, fan_out, opened, terms

ALICE = AccountId("alice")


async def test_a_move_that_the_table_does_not_have_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        rows = await store.audit.head()
        with pytest.raises(IllegalMove):
            await store.journal.move(LegId("aa-1"), acked())
        assert (await store.journal.leg("aa-1"))[1].submission is Submission.PLANNED
        assert await store.audit.head() == rows


async def test_a_move_to_where_the_leg_is_leaves_no_trace(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        rows = await store.audit.head()
        await store.journal.move(LegId("aa-1"), lambda leg: leg)
        assert await store.audit.head() == rows


async def test_each_move_has_one_row_that_says_from_to_and_how_it_is_known(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        await store.journal.claim(LegId("aa-1"), terms(clock))
        await store.journal.move(LegId("aa-1"), acked("B7"), data={"bytes": 412})
        part = {"filled": 4, "average": Decimal("1500.50")}
        await store.journal.move(
            LegId("aa-1"), lambda leg: leg.live(OrderState.PARTIAL, **part), kind="recon"  # type: ignore[arg-type]
        )
        rows = await store.audit.rows({"leg": "aa-1"})
    assert [(row.type, row.before, row.after, row.evidence) for row in rows] == [
        ("state", "planned", "sending", None),
        ("state", "sending", "acked:open", "response"),
        ("recon", "acked:open", "acked:partial", "response"),
    ]
    assert rows[1].data == {"broker_order_id": "B7", "bytes": 412}
    assert rows[2].data == {"filled_quantity": 4, "average_price": "1500.50"}
    assert (rows[0].actor, rows[0].host, rows[0].pid, rows[0].boot) == ("tester", OWNER.host, OWNER.pid, OWNER.boot_id)


async def test_the_beginning_of_an_id_is_enough_when_it_is_the_only_one(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        for name in ("abc1", "abd2", "xyz3"):
            await store.journal.open(fan_out(name), duplicate_window=None)
        journal = store.journal
        assert (await journal.fan_out("x")).id == "xyz3"
        assert (await journal.fan_out("abc")).id == "abc1"
        assert (await journal.leg("x-2"))[1].id == "xyz3-2"
        assert (await journal.leg("abd2-3"))[1].id == "abd2-3"
        with pytest.raises(Invalid, match="abc1, abd2"):
            await journal.fan_out("ab")
        with pytest.raises(Invalid, match="abc1-2, abd2-2"):
            await journal.leg("ab-2")
        with pytest.raises(Invalid, match="several legs"):
            await journal.leg("xyz3")
        for nobody in ("%", "_bc1", "abc1x", "", "x*", "\U0010ffff"):
            with pytest.raises(NotFound):
                await journal.fan_out(nobody)
            with pytest.raises(NotFound):
                await journal.leg(nobody)
        with pytest.raises(NotFound):
            await journal.leg("x-9")


async def test_a_beginning_that_too_many_share_means_no_leg_of_the_first_few(tmp_path: Path) -> None:
    """Only the first few are looked at: that one of them alone has a third leg does not make it the one meant."""
    async with opened(tmp_path / "ordo.db") as store:
        for number in range(9):
            accounts = "alice bob carol" if number in (2, 8) else "alice"
            await store.journal.open(fan_out(f"ab{number}", accounts), duplicate_window=None)
        with pytest.raises(Invalid, match="several"):
            await store.journal.leg("ab-3")


async def test_an_id_that_is_the_beginning_of_another_is_found_itself(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        for name in ("ab", "abc"):
            await store.journal.open(fan_out(name), duplicate_window=None)
        assert (await store.journal.fan_out("ab")).id == "ab"
        assert (await store.journal.leg("ab-1"))[1].id == "ab-1"


async def test_many_candidates_are_cut(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        for number in range(9):
            await store.journal.open(fan_out(f"a{number}"), duplicate_window=None)
        with pytest.raises(Invalid, match=r"a0, a1, a2, a3, a4, …"):
            await store.journal.fan_out("a")


async def test_the_newest_fan_outs_come_first(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        for name, accounts in (("aa", "alice bob"), ("cc", "bob"), ("bb", "alice carol dave")):
            await store.journal.open(fan_out(name, accounts, clock=clock), duplicate_window=None)
            clock.pass_(1)
        assert [each.id for each in await store.journal.fan_outs()] == ["bb", "cc", "aa"]
        assert [each.id for each in await store.journal.fan_outs(2)] == ["bb", "cc"]
        found = await store.journal.fan_outs(account=ALICE)
        assert [(each.id, len(each.legs)) for each in found] == [("bb", 3), ("aa", 2)]


async def test_unsettled_are_the_legs_of_which_more_is_to_come(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.journal.open(fan_out("aa", "alice bob carol dave"), duplicate_window=None)
        await store.journal.move(LegId("aa-1"), lambda leg: leg.to(Submission.BLOCKED))
        for number in (2, 3):
            await store.journal.claim(LegId(f"aa-{number}"), terms(clock))
            await store.journal.move(LegId(f"aa-{number}"), acked(f"B{number}"))
        await store.journal.move(LegId("aa-3"), lambda leg: leg.live(OrderState.FILLED, 10))
        assert [leg.id for _, leg in await store.journal.unsettled()] == ["aa-2", "aa-4"]
        assert [leg.id for _, leg in await store.journal.unsettled(AccountId("bob"))] == ["aa-2"]
        assert await store.journal.owners() == {LegId("aa-4"): OWNER}


async def test_an_order_is_ours_by_its_id_or_tag_in_its_own_account(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        await store.journal.claim(LegId("aa-1"), terms(clock))
        await store.journal.move(LegId("aa-1"), acked("B1"))
        ids = [BrokerOrderId("B1"), BrokerOrderId("B2")]
        assert await store.journal.by_order_ids(ALICE, ids) == {"B1": "aa-1"}
        assert await store.journal.by_order_ids(AccountId("bob"), ids) == {}
        assert await store.journal.by_tags(ALICE, [Tag("Oaa1"), Tag("Oaa2")]) == {"Oaa1": "aa-1"}


async def test_the_last_book_of_a_day_is_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        assert await store.journal.last_book(ALICE, DAY) is None
        for ids in (["1"], ["1", "2"]):
            await store.journal.remember_book(ALICE, DAY, [BrokerOrderId(each) for each in ids], clock.now())
            assert await store.journal.last_book(ALICE, DAY) == frozenset(ids)
        assert await store.journal.last_book(ALICE, DAY + timedelta(days=1)) is None


async def test_the_use_of_a_day_is_counted_per_account(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.accounts.add(Account(ALICE, BrokerName("paper")))
        await store.accounts.add(Account(AccountId("bob"), BrokerName("paper")))
        await store.journal.open(fan_out("aa", "alice bob"), duplicate_window=None)
        await store.journal.claim(LegId("aa-1"), terms(clock, value=Decimal("15000.12345")))
        uses = await store.journal.day_uses(DAY)
        assert uses == {ALICE: DayUse(1, Decimal("15000.1235"), 1)}
        assert await store.journal.day_use(AccountId("bob"), DAY) == DayUse(0, Decimal(0), 0)
        assert (await store.journal.day_use(ALICE, DAY + timedelta(days=1))).orders == 0
        assert await store.journal.last_operations() == {ALICE: clock.now()}


async def test_a_modified_quantity_is_kept_and_told(tmp_path: Path) -> None:
    from dataclasses import replace

    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        await store.journal.claim(LegId("aa-1"), terms(clock))
        await store.journal.move(LegId("aa-1"), acked())
        await store.journal.move(LegId("aa-1"), lambda leg: replace(leg, quantity=25), kind="modify")
        assert (await store.journal.leg("aa-1"))[1].quantity == 25
        assert (await store.audit.rows({"type": "modify"}))[0].data == {"quantity": 25}
