"""Sessions and challenges in the store: one winner for each answer, and a row in the audit for each step."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import SessionNeeded
from ordo_cli.domain.sessions import ATTEMPTS, ChallengeId, ChallengeKind, KeptChallenge, KeptSession
from ordo_cli.store.store import Store
from tests.fakes import FakeClock
from tests.store.making import opened

ALICE = AccountId("alice")


def challenge(clock: FakeClock, name: str = "c1", account: AccountId = ALICE, seconds: int = 300) -> KeptChallenge:
    now = clock.now()
    return KeptChallenge(
        ChallengeId(name), account, ChallengeKind.OTP, "the code", b"\x00sealed", now, now + timedelta(seconds=seconds)
    )


def session(clock: FakeClock, sealed: bytes = b"\x00sealed") -> KeptSession:
    return KeptSession(ALICE, sealed, clock.now(), clock.now() + timedelta(hours=1))


async def why_not(store: Store, asked: KeptChallenge) -> str:
    with pytest.raises(SessionNeeded) as caught:
        await store.sessions.claim(asked)
    return caught.value.reason


async def test_an_answer_has_one_winner_however_many_stores_try(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as one, opened(tmp_path / "ordo.db", clock) as two:
        for number in range(10):
            asked = challenge(clock, f"c{number}")
            await one.sessions.ask(asked)
            tries = [store.sessions.claim(asked) for store in (one, two) * 4]
            found = await asyncio.gather(*tries, return_exceptions=True)
            assert [each for each in found if not isinstance(each, SessionNeeded)] == [None]
        assert [row.after for row in await one.audit.rows({"type": "login"}, 100)] == ["waiting", "answered"] * 10


async def test_why_an_answer_is_not_taken(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        asked = challenge(clock)
        assert await why_not(store, asked) == "no_challenge"
        await store.sessions.ask(asked)
        for attempt in range(1, ATTEMPTS + 1):
            await store.sessions.claim(asked)
            assert await why_not(store, asked) == ("answered" if attempt < ATTEMPTS else "too_many_attempts")
            await store.sessions.refused(asked, "WRONG_ANSWER", again=True)
        assert await why_not(store, asked) == "too_many_attempts"
        newer = challenge(clock, "c2")
        await store.sessions.ask(newer)
        assert await why_not(store, asked) == "no_challenge"
        clock.pass_(300)
        assert await why_not(store, newer) == "challenge_expired"


async def test_an_attempt_that_was_none_is_given_back(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        asked = challenge(clock)
        await store.sessions.ask(asked)
        for _ in range(ATTEMPTS + 2):
            await store.sessions.claim(asked)
            await store.sessions.refused(asked, "unreachable", again=True, counted=False)
        found = await store.sessions.challenge(ALICE)
        assert found == asked


async def test_a_session_replaces_the_one_before_and_closes_what_was_asked(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        asked = challenge(clock)
        await store.sessions.ask(asked)
        await store.sessions.keep(session(clock, b"one"))
        assert await why_not(store, asked) == "answered"
        clock.pass_(60)
        newer = session(clock, b"two\xff\x00")
        await store.sessions.keep(newer)
        assert await store.sessions.of(ALICE) == newer
        assert await store.sessions.all() == {ALICE: newer}


async def test_what_is_forgotten_is_gone_and_said_once(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.sessions.keep(session(clock))
        await store.sessions.ask(challenge(clock))
        await store.sessions.ask(challenge(clock, "c9", AccountId("bob")))
        assert await store.sessions.forget(ALICE, "logged out")
        assert not await store.sessions.forget(ALICE, "logged out")
        assert await store.sessions.of(ALICE) is None
        assert list(await store.sessions.challenges()) == ["bob"]
        rows = await store.audit.rows({"type": "login"}, 10)
        assert [(row.before, row.after) for row in rows][-1] == ("session", "logged out")
        assert len(rows) == 4
