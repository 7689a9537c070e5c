"""Codes from a seed: RFC 6238's own, each used once, two a day, and never again after a no."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ordo_cli.brokers.base import TOTP_SEED, WRONG_ANSWER, Challenge, ChallengeKind
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.errors import Invalid, Refused, Rejected
from ordo_cli.domain.sessions import Standing
from ordo_cli.secrets import VAULT
from ordo_cli.services import accounts, login, setup, totp
from tests.fakes import MONDAY_NOON, FakeClock, Firm, ScriptedLogin, Step, lives
from tests.services.conftest import Opener

SEED = "JBSWY3DPEHPK3PXP"  # 80 bits, as brokers hand out
ALICE = (Target("alice"),)


@pytest.fixture
async def desk(reopen: Opener) -> AsyncIterator[Desk]:
    async with reopen() as first:
        await setup.initialise(first, setup.propose(first, VAULT, None, None))
    async with reopen() as opened:
        yield opened


async def joined(desk: Desk, firm: Firm, *steps: Step, seed: str | None = SEED) -> ScriptedLogin:
    firm.optional = (TOTP_SEED,)
    firm.logins["alice"] = ScriptedLogin(list(steps))
    await accounts.add(desk, "alice", "acme", accounts.Wishes(), {} if seed is None else {TOTP_SEED: seed})
    return firm.logins["alice"]


def asks(kind: ChallengeKind = ChallengeKind.TOTP) -> Challenge:
    return Challenge(kind, "the code of the authenticator", MONDAY_NOON + timedelta(hours=9), b"state")


@pytest.mark.parametrize(
    ("second", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_codes_are_those_of_the_standard(second: int, code: str) -> None:
    assert totp.code_of("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", second // totp.STEP) == code
    assert totp.code_of("gezd gnbv gy3t qojq gezd gnbv gy3t qojq", second // totp.STEP) == code


@pytest.mark.parametrize("seed", ["", "0189", "not a seed!", "A"])
def test_what_is_no_seed_is_refused_and_not_repeated(seed: str) -> None:
    with pytest.raises(Invalid) as refused:
        totp.check_seed(seed)
    assert not seed or seed not in refused.value.message


async def test_an_account_with_its_seed_logs_in_without_a_person(desk: Desk, firm: Firm, clock: FakeClock) -> None:
    alice = await joined(desk, firm, asks(), lives())
    (state,) = await login.start(desk, ALICE)
    assert state.standing is Standing.LIVE
    step = int(clock.now().timestamp()) // totp.STEP
    assert alice.log[-1] == ("answer", (b"state", totp.code_of(SEED, step)))


@pytest.mark.parametrize("kind", [ChallengeKind.OTP, ChallengeKind.REDIRECT])
async def test_what_is_no_totp_waits_for_its_person(desk: Desk, firm: Firm, kind: ChallengeKind) -> None:
    alice = await joined(desk, firm, asks(kind), lives())
    (state,) = await login.start(desk, ALICE)
    assert state.standing is Standing.WAITING
    assert [called for called, _ in alice.log] == ["start"]


async def test_without_the_seed_a_totp_waits_too(desk: Desk, firm: Firm) -> None:
    await joined(desk, firm, asks(), lives(), seed=None)
    (state,) = await login.start(desk, ALICE)
    assert state.standing is Standing.WAITING


async def test_a_step_is_used_once_whoever_waits_for_the_next(desk: Desk, clock: FakeClock) -> None:
    first = await totp.code(desk, AccountId("alice"), SEED)
    before = clock.now()
    second = await totp.code(desk, AccountId("alice"), SEED)
    assert first != second
    assert clock.now() > before, "it waited for the next step"
    assert int(clock.now().timestamp()) // totp.STEP == int(before.timestamp()) // totp.STEP + 1


async def test_twice_a_day_and_not_a_third_time_until_tomorrow(desk: Desk, clock: FakeClock) -> None:
    for _ in range(totp.MOST):
        await totp.code(desk, AccountId("alice"), SEED)
    with pytest.raises(Refused) as refused:
        await totp.code(desk, AccountId("alice"), SEED)
    assert refused.value.reason == "totp_budget"
    await totp.code(desk, AccountId("bob"), SEED)
    clock.pass_(24 * 3600)
    await totp.code(desk, AccountId("alice"), SEED)


async def test_after_a_no_nothing_is_tried_again_by_itself(desk: Desk, firm: Firm) -> None:
    alice = await joined(desk, firm, asks(), Rejected("that is not the code", code=WRONG_ANSWER), lives())
    (state,) = await login.start(desk, ALICE)
    assert state.standing is Standing.WAITING
    assert state.problem is not None
    assert [called for called, _ in alice.log] == ["start", "answer"]
    (again,) = await login.start(desk, ALICE)
    assert again.standing is Standing.WAITING
    assert [called for called, _ in alice.log] == ["start", "answer"], "a waiting challenge is for a person"


async def test_a_wrong_password_is_never_followed_by_a_code(desk: Desk, firm: Firm) -> None:
    alice = await joined(desk, firm, Rejected("wrong password", code="PASSWORD"))
    (state,) = await login.start(desk, ALICE)
    assert state.problem is not None
    assert [called for called, _ in alice.log] == ["start"]


async def test_a_record_that_cannot_be_read_counts_as_used_up(desk: Desk) -> None:
    folder = Path(desk.home.run) / "totp"
    folder.mkdir()
    (folder / "alice.json").write_text("nonsense")
    with pytest.raises(Refused):
        await totp.code(desk, AccountId("alice"), SEED)
