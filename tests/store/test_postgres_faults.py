"""When PostgreSQL is killed at any moment: nobody sends on the word of a commit that nobody can vouch for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import asyncpg
import pytest

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.domain.kill import GLOBAL, Level
from ordo_cli.domain.legs import Leg, LegId, Submission
from ordo_cli.store.postgres import connecting
from ordo_cli.store.postgres.connecting import Line, failed
from ordo_cli.store.postgres.driver import commit
from ordo_cli.store.sql import POSTGRESQL
from tests import postgres
from tests.backends import Backend
from tests.fakes import FakeClock
from tests.pgproxy import Proxy
from tests.store.making import fan_out, opened, terms
from tests.store.test_faults import STEPS, facts, failure_of, prepared

pytestmark = pytest.mark.postgresql_only
CLOCK = FakeClock()


@pytest.fixture
def proxy(tmp_path: Path, backend: Backend) -> Iterator[Proxy]:
    with Proxy(backend.where(tmp_path / "ordo.db")) as found:
        yield found


@pytest.mark.parametrize("step", STEPS)
async def test_whichever_message_the_server_dies_at_nothing_is_kept_and_the_next_attempt_works(
    proxy: Proxy, step: str
) -> None:
    async with opened(proxy.url, CLOCK) as store:
        await prepared(store)
        before = await facts(store)
        number = 1  # the first message begins the transaction, and a death there is made good
        while True:
            number += 1
            proxy.kill_at(number)
            failure = await failure_of(STEPS[step](store))
            met = proxy.failed
            proxy.kill_at(0)
            if failure is None:
                break
            assert failure.reason == "STORE"
            assert "connection to the database was lost" in failure.message
            assert await facts(store) == before, f"after message {number}"
        assert not met
        assert number > 5
        assert await facts(store) != before
        assert (await store.audit.verify()).state == "whole"


async def test_connections_that_died_while_they_were_idle_are_replaced_without_a_word(proxy: Proxy) -> None:
    async with opened(proxy.url) as store:
        for number in range(3):
            await asyncio.gather(*(store.journal.fan_outs() for _ in range(3)))  # several lie idle
            proxy.kill_all()
            assert (await store.journal.open(fan_out(f"b{number}"), duplicate_window=None)).id == f"b{number}"
            proxy.kill_all()
            assert len(await store.journal.fan_outs()) == number + 1


async def test_a_claim_whose_commit_was_not_confirmed_fails_although_the_row_is_there(proxy: Proxy) -> None:
    async with opened(proxy.url, CLOCK) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        proxy.lose_the_answer_to_commit()
        with pytest.raises(StoreFailed, match="counts as not done"):
            await store.journal.claim(LegId("aa-1"), terms(CLOCK))
        assert (await store.journal.leg("aa-1"))[1].submission is Submission.SENDING
        assert (await store.audit.verify()).state == "whole"
        moved = await store.journal.move(LegId("aa-1"), lambda leg: leg.to(Submission.NOT_SENT))
        assert moved.submission is Submission.NOT_SENT


async def test_a_server_that_falls_silent_is_not_waited_for_for_ever(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "ANSWERING", 0.2)
    async with opened(proxy.url, CLOCK, busy_seconds=2.0) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        proxy.silent = True
        claim = asyncio.create_task(store.journal.claim(LegId("aa-1"), terms(CLOCK)))
        with pytest.raises(StoreFailed, match=r"was lost|does not answer"):
            await claim
        proxy.silent = False
        assert (await store.journal.leg("aa-1"))[1].submission is Submission.PLANNED
        assert isinstance(await store.journal.claim(LegId("aa-1"), terms(CLOCK)), Leg)


async def test_when_a_commit_dies_everybody_in_it_is_told_so(proxy: Proxy) -> None:
    async with opened(proxy.url, CLOCK) as store:
        await store.journal.open(fan_out("aa", "alice bob carol dave"), duplicate_window=None)
        legs = (await store.journal.fan_out("aa")).legs
        proxy.kill_at(12)
        results = await asyncio.gather(
            *(store.journal.claim(leg.id, terms(CLOCK)) for leg in legs), return_exceptions=True
        )
        assert proxy.failed
        after = {leg.id: leg.submission for leg in (await store.journal.fan_out("aa")).legs}
        for leg, result in zip(legs, results, strict=True):
            assert isinstance(result, Leg) == (after[leg.id] is Submission.SENDING), "only who has the word was claimed"


async def test_the_press_of_a_switch_waits_until_a_running_claim_is_over(tmp_path: Path, backend: Backend) -> None:
    """Not by the writer's lock alone: an UPDATE by hand waits as well."""
    path = tmp_path / "ordo.db"
    async with opened(path, CLOCK) as store:
        await store.switches.release(GLOBAL, "known")
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        url = backend.where(path)
        claiming, pressing = await postgres.connect(url), await postgres.connect(url)
        await claiming.execute("BEGIN")
        assert await claiming.fetch(POSTGRESQL["engaged"][0], "paper", "alice")
        press = asyncio.create_task(pressing.execute("UPDATE switches SET engaged = 1 WHERE kind = 'global'"))
        await asyncio.wait([press], timeout=0.2)
        assert not press.done()
        await claiming.execute("COMMIT")
        await press
        with pytest.raises(Exception, match="kill switch is engaged"):
            await store.journal.claim(LegId("aa-1"), terms(CLOCK))
        await claiming.close()
        await pressing.close()


async def test_claims_and_presses_at_once_leave_no_claim_after_a_press(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db", CLOCK) as one, opened(tmp_path / "ordo.db", CLOCK) as other:
        await one.journal.open(fan_out("aa", " ".join(f"a{number}" for number in range(60))), duplicate_window=None)
        legs = (await one.journal.fan_out("aa")).legs
        claims = [asyncio.create_task(one.journal.claim(leg.id, terms(CLOCK, leg.account))) for leg in legs]
        await asyncio.wait(claims[:1])
        await other.switches.engage(GLOBAL, Level.BLOCK, "enough")
        await asyncio.gather(*claims, return_exceptions=True)
        rows = await one.audit.rows({}, 1000)
        pressed = next(row.seq for row in rows if row.type == "kill")
        assert not [row.seq for row in rows if row.type == "state" and row.after == "sending" and row.seq > pressed]
        assert (await one.audit.verify()).state == "whole"


async def test_a_commit_that_a_standby_did_not_confirm_is_none() -> None:
    class Warned:
        warnings: list[str] = []  # noqa: RUF012  # a stand-in for a connection

        def is_closed(self) -> bool:
            return False

        async def execute(self, text: str) -> str:
            self.warnings.append("The transaction has already committed locally, but might not have been replicated")
            return text

    with pytest.raises(StoreFailed, match="does not vouch"):
        await commit(cast(Line, Warned()))


async def test_a_spoiled_transaction_is_not_taken_for_a_commit() -> None:
    class Spoiled:
        warnings: list[str] = []  # noqa: RUF012  # a stand-in for a connection

        async def execute(self, text: str) -> str:
            return "ROLLBACK"

    with pytest.raises(StoreFailed, match="did not commit"):
        await commit(cast(Line, Spoiled()))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+asyncpg://postgres:hunter2@127.0.0.1:1/x", "cannot be used"),
        ("postgresql+asyncpg://nobody:hunter2@127.0.0.1:{port}/no_such_database", "cannot be used"),
        ("postgresql+asyncpg://u:hunter2@127.0.0.1:notaport/x", "is not a URL"),
        ("postgresql+asyncpg://u:hunt/er2@[::1/x", "is not a URL"),
    ],
)
async def test_a_database_that_cannot_be_reached_is_said_without_its_password(url: str, said: str) -> None:
    port = postgres.required_server().rpartition(":")[2].partition("/")[0]
    with pytest.raises(StoreFailed) as failure:
        async with opened(url.format(port=port)):
            raise AssertionError("it opened")
    whole = f"{failure.value!r} {failure.value.message} {failure.value.__cause__!r} {failure.value.__context__!r}"
    assert said in failure.value.message
    assert "hunt" not in whole.replace(repr(failure.value.__context__), "")


def test_each_trouble_has_its_own_words() -> None:
    assert failed(asyncpg.LockNotAvailableError("x")).reason == "STORE_BUSY"
    assert "full" in failed(asyncpg.DiskFullError("x")).message
    assert "standby" in failed(asyncpg.ReadOnlySQLTransactionError("x")).message
    assert failed(asyncpg.UniqueViolationError("first\nDETAIL: a row")).message.endswith("first")
