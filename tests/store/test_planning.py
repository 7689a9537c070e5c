"""Writing a fan-out down: a key stands for one request for ever, twins and doubts block a leg."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.domain.errors import Invalid, KeyConflict, StoreFailed
from ordo_cli.domain.legs import Evidence, Leg, LegId, Problem, Purpose, Submission
from ordo_cli.domain.orders import BrokerOrderId, OrderState, Validity
from tests.fakes import FakeClock, buy, sell
from tests.store.making import acked, fan_out, opened, terms, unknown


async def test_what_is_written_down_is_what_is_read(tmp_path: Path) -> None:
    intent = buy(7, "1500.05", trigger_price=Decimal("1499.9"), disclosed=3, label="breakout")
    written = fan_out("aa", intent=intent)
    blocked = written.legs[1].to(Submission.BLOCKED, problem=Problem("RISK", "too much", "less"))
    written = replace(written, legs=(written.legs[0], blocked, replace(written.legs[2], purpose=Purpose.CLOSE)))
    async with opened(tmp_path / "ordo.db") as store:
        assert await store.journal.open(written, duplicate_window=10) == written
        assert await store.journal.fan_out("aa") == written
    async with opened(tmp_path / "ordo.db") as store:
        assert await store.journal.fan_out("aa") == written


async def test_every_fact_of_a_leg_survives(tmp_path: Path) -> None:
    clock = FakeClock()

    def filled(leg: Leg) -> Leg:
        return leg.to(
            Submission.ACKED,
            evidence=Evidence.BOOK_FUZZY,
            broker_order_id=BrokerOrderId("00123"),
            working=OrderState.PARTIAL,
            filled_quantity=4,
            average_price=Decimal("1500.0025"),
            problem=Problem("LATE", "a book came late"),
            answered_at=clock.now(),
            latency_ms=3.25,
            supersedes="zz-1",
        )

    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        await store.journal.claim(fan_out("aa").legs[0].id, terms(clock))
        after = await store.journal.move(fan_out("aa").legs[0].id, filled)
        assert (await store.journal.leg("aa-1"))[1] == after
    assert after.attempt == 1
    assert after.sent_at == clock.now()
    assert after.average_price == Decimal("1500.0025")


async def test_the_same_key_and_request_give_the_first_answer(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        first = await store.journal.open(fan_out("aa", key="k"), duplicate_window=10)
        again = await store.journal.open(fan_out("bb", "dave", key="k"), duplicate_window=10)
        assert again == replace(first, replayed=True)
        assert await store.journal.replay("tester", "place", "k", "same") == again
        assert await store.journal.replay("tester", "place", "other", "same") is None
        assert [each.id for each in await store.journal.fan_outs()] == ["aa"]


async def test_the_same_key_with_another_request_is_a_conflict_with_both_prints_on_record(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa", key="k", fingerprint="one"), duplicate_window=10)
        with pytest.raises(KeyConflict, match="used for another request, fan-out aa"):
            await store.journal.open(fan_out("bb", key="k", fingerprint="two"), duplicate_window=10)
        with pytest.raises(KeyConflict):
            await store.journal.replay("tester", "place", "k", "two")
        plan, conflict = (await store.audit.rows({"fan_out": "aa"}))[-2:]
        assert plan.data["fingerprint"] == "one"
        assert (conflict.type, conflict.data["fingerprint"]) == ("key-conflict", "two")


@pytest.mark.parametrize("other", [{"principal": "somebody"}, {"verb": "close"}])
async def test_a_key_belongs_to_its_principal_and_verb(tmp_path: Path, other: dict[str, str]) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa", key="k", fingerprint="one"), duplicate_window=None)
        second = replace(fan_out("bb", key="k", fingerprint="two"), **other)  # type: ignore[arg-type]  # text fields
        assert not (await store.journal.open(second, duplicate_window=None)).replayed


async def test_an_id_that_is_taken_writes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        with pytest.raises(StoreFailed) as failure:
            await store.journal.open(fan_out("aa", "dave", key="other"), duplicate_window=None)
        assert failure.value.reason == "STORE_ID"
        assert await store.journal.replay("tester", "place", "other", "same") is None


async def test_the_same_order_again_within_the_window_is_blocked_leg_by_leg(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.journal.open(fan_out("aa", "alice bob", clock=clock), duplicate_window=10)
        clock.pass_(9.5)
        again = await store.journal.open(fan_out("bb", "bob carol", clock=clock), duplicate_window=10)
    bob, carol = again.legs
    assert bob.submission is Submission.BLOCKED
    assert bob.problem is not None
    assert bob.problem.code == "DUPLICATE"
    assert "aa" in bob.problem.message
    assert bob.problem.hint
    assert carol.submission is Submission.PLANNED


@pytest.mark.parametrize(
    "different",
    [
        sell(10, "1500"),
        buy(11, "1500"),
        buy(10, "1500.05"),
        buy(10, None),
        buy(10, "1500", trigger_price=Decimal(1499)),
    ],
    ids=["side", "quantity", "price", "type", "trigger"],
)
async def test_another_order_is_no_twin(tmp_path: Path, different: object) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa"), duplicate_window=10)
        other = await store.journal.open(fan_out("bb", intent=different), duplicate_window=10)  # type: ignore[arg-type]
    assert {leg.submission for leg in other.legs} == {Submission.PLANNED}


async def test_a_price_written_otherwise_is_a_twin_all_the_same(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa", intent=buy(10, "1500.50")), duplicate_window=10)
        twin = buy(10, "1500.5", validity=Validity.IOC)
        other = await store.journal.open(fan_out("bb", intent=twin), duplicate_window=10)
    assert {leg.submission for leg in other.legs} == {Submission.BLOCKED}


async def test_after_the_window_or_without_one_nothing_is_a_twin(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.journal.open(fan_out("aa", clock=clock), duplicate_window=10)
        wanted = await store.journal.open(fan_out("bb", clock=clock), duplicate_window=None)
        clock.pass_(10.1)
        later = await store.journal.open(fan_out("cc", clock=clock), duplicate_window=10)
    assert {leg.submission for leg in wanted.legs + later.legs} == {Submission.PLANNED}


async def test_a_leg_sent_late_counts_from_its_sending(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        first = await store.journal.open(fan_out("aa", "alice", clock=clock), duplicate_window=10)
        clock.pass_(8)
        await store.journal.claim(first.legs[0].id, terms(clock))
        clock.pass_(8)
        again = await store.journal.open(fan_out("bb", "alice", clock=clock), duplicate_window=10)
    assert again.legs[0].submission is Submission.BLOCKED


async def test_a_blocked_leg_is_nobodys_twin(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        first = await store.journal.open(fan_out("aa", "alice"), duplicate_window=10)
        stop = Problem("KILL", "stopped")
        await store.journal.move(first.legs[0].id, lambda leg: leg.to(Submission.BLOCKED, problem=stop))
        again = await store.journal.open(fan_out("bb", "alice"), duplicate_window=10)
    assert again.legs[0].submission is Submission.PLANNED


async def test_an_unknown_leg_blocks_entries_in_its_account_and_instrument_only(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        first = await store.journal.open(fan_out("aa", "alice"), duplicate_window=None)
        await store.journal.claim(first.legs[0].id, terms(clock))
        await store.journal.move(first.legs[0].id, unknown)
        both = await store.journal.open(fan_out("bb", "alice bob"), duplicate_window=None)
        close = fan_out("cc", "alice", intent=sell(10))
        closing = replace(close, legs=(replace(close.legs[0], purpose=Purpose.CLOSE),))
        closed = await store.journal.open(closing, duplicate_window=None)
        await store.journal.move(first.legs[0].id, acked())
        after = await store.journal.open(fan_out("dd", "alice"), duplicate_window=None)
    alice, bob = both.legs
    assert alice.problem is not None
    assert alice.problem.code == "UNKNOWN_PENDING"
    assert "aa-1" in alice.problem.message
    assert alice.problem.hint
    assert [leg.submission for leg in (bob, *closed.legs, *after.legs)] == [Submission.PLANNED] * 3


async def test_a_plan_is_one_audit_row_with_every_verdict(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa", "alice bob"), duplicate_window=10)
        await store.journal.open(fan_out("bb", "bob carol"), duplicate_window=10)
        rows = await store.audit.rows({"type": "plan"})
        assert [row.ids for row in rows] == [{"fan_out": "aa"}, {"fan_out": "bb"}]
        assert rows[1].data["legs"] == ["bob 10 Obb1 blocked:DUPLICATE", "carol 10 Obb2 planned"]
        assert rows[1].data["intent"]["limit_price"] == "1500"


async def test_a_leg_that_the_checks_blocked_keeps_their_reason(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa", "alice"), duplicate_window=10)
        again = fan_out("bb", "alice")
        blocked = again.legs[0].to(Submission.BLOCKED, problem=Problem("RISK", "too much"))
        opened_one = await store.journal.open(replace(again, legs=(blocked,)), duplicate_window=10)
    assert opened_one.legs[0].problem == Problem("RISK", "too much")


@pytest.mark.parametrize("bad", ["aa", "aa-", "-1", "aa-01", "aa-0", "aa-x", "aa-\u0661"])
async def test_a_leg_is_named_by_its_fan_out_and_number(tmp_path: Path, bad: str) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        with pytest.raises(Invalid, match="is not a leg"):
            await store.journal.move(LegId(bad), acked())
