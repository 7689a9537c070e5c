"""Logging in: what goes wrong first. A broker that does as it is told, a real journal and a real vault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ordo_cli.brokers.base import WRONG_ANSWER
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.errors import (
    Busy,
    Invalid,
    NoAnswer,
    NotAllowed,
    OrdoError,
    Rejected,
    SecretsUnavailable,
    SessionExpired,
    SessionNeeded,
    Unreachable,
)
from ordo_cli.domain.sessions import ATTEMPTS, LoginState, Standing
from ordo_cli.domain.tokens import Rights, TokenScope
from ordo_cli.secrets import VAULT
from ordo_cli.services import accounts, login, setup, status
from tests.backends import Backend
from tests.fakes import MONDAY_NOON, FakeClock, Firm, ScriptedLogin, Step, asks, lives
from tests.services.conftest import Opener

ALICE = (Target("alice"),)
CODE = "493817-marked"


@pytest.fixture
async def desk(reopen: Opener) -> AsyncIterator[Desk]:
    """A desk with a place for secrets, which a login needs."""
    async with reopen() as first:
        await setup.initialise(first, setup.propose(first, VAULT, None, None))
    async with reopen() as opened:
        yield opened


Joins = Callable[..., Awaitable[ScriptedLogin]]


@pytest.fixture
def joins(desk: Desk, firm: Firm) -> Joins:
    """Add an account whose login takes these steps."""

    async def adder(name: str, *steps: Step) -> ScriptedLogin:
        firm.logins[name] = ScriptedLogin(list(steps))
        await accounts.add(desk, name, "acme", accounts.Wishes(), {})
        return firm.logins[name]

    return adder


def wrong() -> Rejected:
    return Rejected("that is not the code", code=WRONG_ANSWER)


async def standing(desk: Desk, name: str = "alice") -> LoginState:
    (found,) = await login.status(desk, (Target(name),))
    return found


async def refusal(work: Awaitable[object]) -> OrdoError:
    with pytest.raises(OrdoError) as caught:
        await work
    return caught.value


async def test_a_wrong_code_is_counted_and_another_may_be_tried(desk: Desk, joins: Joins) -> None:
    alice = await joins("alice", asks(), wrong(), lives())
    await login.start(desk, ALICE)
    said = await refusal(login.answer(desk, "alice", CODE))
    assert (type(said), said.reason) == (SessionNeeded, "wrong_answer")
    assert said.hint == "2 more tries: ordo login otp alice"
    waiting = await standing(desk)
    assert waiting.challenge is not None
    assert (waiting.standing, waiting.challenge.attempts) == (Standing.WAITING, 1)
    assert (await login.answer(desk, "alice", " right \n")).standing is Standing.LIVE
    assert alice.log[-1] == ("answer", (b"state", "right"))


async def test_the_last_wrong_code_ends_it_and_no_further_one_reaches_the_broker(desk: Desk, joins: Joins) -> None:
    alice = await joins("alice", asks(), *[wrong()] * ATTEMPTS)
    await login.start(desk, ALICE)
    reasons = [(await refusal(login.answer(desk, "alice", CODE))).reason for _ in range(ATTEMPTS + 1)]
    assert reasons == ["wrong_answer"] * (ATTEMPTS - 1) + ["too_many_attempts"] * 2
    assert [called for called, _ in alice.log] == ["start"] + ["answer"] * ATTEMPTS
    assert (await standing(desk)).standing is Standing.LOGGED_OUT


async def test_a_code_that_comes_too_late_is_not_shown_to_the_broker(
    desk: Desk, joins: Joins, clock: FakeClock
) -> None:
    alice = await joins("alice", asks(300), asks(900))
    await login.start(desk, ALICE)
    clock.pass_(300)
    assert (await refusal(login.answer(desk, "alice", CODE))).reason == "challenge_expired"
    assert [called for called, _ in alice.log] == ["start"]
    assert (await login.start(desk, ALICE))[0].standing is Standing.WAITING  # asked anew
    assert [called for called, _ in alice.log] == ["start", "start"]


async def test_a_code_is_used_once(desk: Desk, joins: Joins) -> None:
    alice = await joins("alice", asks(), lives())
    await login.start(desk, ALICE)
    await login.answer(desk, "alice", CODE)
    assert (await refusal(login.answer(desk, "alice", CODE))).reason == "answered"
    assert [called for called, _ in alice.log] == ["start", "answer"]


async def test_of_two_that_answer_at_once_one_wins(desk: Desk, joins: Joins, reopen: Opener) -> None:
    alice = await joins("alice", asks(), lives())
    await login.start(desk, ALICE)
    async with reopen() as other:
        found = await asyncio.gather(
            *(login.answer(each, "alice", CODE) for each in (desk, other, desk, other)), return_exceptions=True
        )
    won = [each for each in found if isinstance(each, LoginState)]
    assert [each.standing for each in won] == [Standing.LIVE]
    assert {type(each) for each in found if each not in won} <= {Busy, SessionNeeded}
    assert [called for called, _ in alice.log] == ["start", "answer"]


async def test_whoever_is_too_late_by_a_breath_is_told_so_by_the_journal(desk: Desk, joins: Joins) -> None:
    """On two machines no lock file is shared: the row itself has one winner."""
    await joins("alice", asks())
    await login.start(desk, ALICE)
    asked = await login.pending(desk, "alice")
    claims = await asyncio.gather(*(desk.store.sessions.claim(asked) for _ in range(5)), return_exceptions=True)
    assert sorted(str(getattr(each, "reason", "won")) for each in claims) == ["answered"] * 4 + ["won"]


async def test_a_process_that_dies_while_it_answers_leaves_a_login_to_be_started_again(
    desk: Desk, joins: Joins, reopen: Opener
) -> None:
    alice = await joins("alice", asks(), asks(600))
    await login.start(desk, ALICE)

    def die(label: str) -> None:
        if label == "login_claimed":
            raise KeyboardInterrupt

    async with reopen(failpoint=die) as dying:
        with pytest.raises(KeyboardInterrupt):
            await login.answer(dying, "alice", CODE)
    assert (await refusal(login.answer(desk, "alice", CODE))).reason == "answered"
    assert (await login.start(desk, ALICE))[0].standing is Standing.WAITING
    assert [called for called, _ in alice.log] == ["start", "start"]


async def test_an_answer_that_never_left_may_be_given_again_and_is_not_counted(desk: Desk, joins: Joins) -> None:
    await joins("alice", asks(), Unreachable("connection refused"), lives())
    await login.start(desk, ALICE)
    assert isinstance(await refusal(login.answer(desk, "alice", CODE)), Unreachable)
    assert (await login.pending(desk, "alice")).attempts == 0
    assert (await login.answer(desk, "alice", CODE)).standing is Standing.LIVE


async def test_an_answer_that_nobody_confirmed_is_not_given_twice(desk: Desk, joins: Joins) -> None:
    await joins("alice", asks(), NoAnswer("no answer within 15 s"))
    await login.start(desk, ALICE)
    assert (await refusal(login.answer(desk, "alice", CODE))).reason == "no_answer"
    assert (await refusal(login.answer(desk, "alice", CODE))).reason == "answered"


async def test_what_a_broker_says_does_not_repeat_the_code(desk: Desk, joins: Joins) -> None:
    await joins("alice", asks(), Rejected(f"{CODE} is blocked", code="BLOCKED"))
    await login.start(desk, ALICE)
    said = await refusal(login.answer(desk, "alice", CODE))
    assert CODE not in said.message
    assert said.reason == "BLOCKED"


async def test_a_bug_of_an_adapter_does_not_quote_the_code_either(desk: Desk, joins: Joins) -> None:
    await joins("alice", asks(), ValueError(f"invalid literal for int(): '{CODE}'"))
    await login.start(desk, ALICE)
    said = await refusal(login.answer(desk, "alice", CODE))
    assert said.message == "the login of alice came to nothing: what the broker said was not understood (ValueError)"
    assert said.__suppress_context__
    assert said.reason == "bug"


async def test_what_a_broker_says_does_not_repeat_a_token_either(desk: Desk, joins: Joins) -> None:
    alice = await joins("alice", lives(token="token-marked"))
    await login.start(desk, ALICE)
    alice.probed = NoAnswer("token-marked was not confirmed")
    alice.ended = KeyError("token-marked")
    for found in (*await login.start(desk, ALICE), *await login.out(desk, ALICE)):
        assert found.problem is not None
        assert "marked" not in str(found.problem)


@pytest.mark.parametrize("text", ["", "  \n", "a\x1bb", "9" * 5000])
async def test_what_can_be_no_answer_is_refused_before_it_counts(desk: Desk, joins: Joins, text: str) -> None:
    alice = await joins("alice", asks())
    await login.start(desk, ALICE)
    assert isinstance(await refusal(login.answer(desk, "alice", text)), Invalid)
    assert (await login.pending(desk, "alice")).attempts == 0
    assert [called for called, _ in alice.log] == ["start"]


async def test_without_the_key_no_broker_is_asked_and_no_attempt_is_lost(
    desk: Desk, joins: Joins, reopen: Opener
) -> None:
    alice, bob = await joins("alice", asks()), await joins("bob", asks())
    await login.start(desk, ALICE)
    async with reopen() as locked:
        locked.secrets._place = Locked()
        (found,) = await login.start(locked, (Target("bob"),))
        assert found.problem is not None
        assert found.problem.code == "keyring_locked"
        assert isinstance(await refusal(login.answer(locked, "alice", CODE)), SecretsUnavailable)
    assert bob.log == []
    assert [called for called, _ in alice.log] == ["start"]
    assert (await login.pending(desk, "alice")).attempts == 0


class Locked:
    """A keyring that nobody unlocks."""

    title = "the keyring"

    def open(self) -> bool:
        return False

    def read(self, account: str, field: str) -> str | None:
        raise SecretsUnavailable("the keyring is locked", hint="unlock it, then repeat", code="keyring_locked")

    def write(self, account: str, field: str, value: str) -> None:
        self.read(account, field)

    def erase(self, account: str, field: str) -> None:
        self.read(account, field)


TAMPERED = {
    "a bit turned": "UPDATE sessions SET sealed = CAST(substr(sealed, 1, 40) || X'00' || substr(sealed, 42) AS BLOB)",
    "cut short": "UPDATE sessions SET sealed = substr(sealed, 1, 30)",
    "emptied": "UPDATE sessions SET sealed = X''",
    "taken from another account": "UPDATE sessions SET sealed = (SELECT sealed FROM sessions WHERE account = 'bob')",
    "taken from a challenge": "UPDATE sessions SET sealed = (SELECT sealed FROM challenges WHERE account = 'carol')",
    "made to last longer": "UPDATE sessions SET expires_at = expires_at + 1",
}


@pytest.mark.parametrize("statement", TAMPERED.values(), ids=TAMPERED.keys())
async def test_a_session_that_was_changed_in_the_database_is_not_used(
    desk: Desk, joins: Joins, firm: Firm, statement: str, backend: Backend
) -> None:
    alice = await joins("alice", lives(), lives())
    await joins("bob", lives())
    await joins("carol", asks())
    await login.start(desk)
    backend.execute(Path(desk.home.database), f"{statement} WHERE account = 'alice'")
    account = await desk.store.accounts.get(AccountId("alice"))
    said = await refusal(desk.lines.to(account))
    assert isinstance(said, SessionNeeded)
    assert said.hint == "log in again: ordo login alice"
    assert firm.sessions == []
    assert (await login.start(desk, ALICE))[0].problem is None  # logging in again mends it
    await desk.lines.to(account)
    assert [called for called, _ in alice.log] == ["start", "start"]


async def test_a_challenge_that_was_changed_in_the_database_is_not_answered(
    desk: Desk, joins: Joins, backend: Backend
) -> None:
    alice = await joins("alice", asks())
    await joins("bob", asks())
    await login.start(desk)
    backend.execute(
        Path(desk.home.database), "UPDATE challenges SET sealed = (SELECT sealed FROM challenges WHERE account = 'bob')"
    )
    assert isinstance(await refusal(login.answer(desk, "alice", CODE)), SessionNeeded)
    assert [called for called, _ in alice.log] == ["start"]


async def test_an_account_that_cannot_log_in_holds_up_no_other(desk: Desk, joins: Joins) -> None:
    await joins("alice", lives())
    await joins("bob", Unreachable("connection refused"))
    await joins("carol", asks())
    await joins("dave", KeyError("a bug of an adapter"))
    await accounts.add(desk, "erin", "acme", accounts.Wishes(), {})
    found = {each.account: each for each in await login.start(desk)}
    assert {name: str(each.standing) for name, each in found.items()} == {
        "alice": "live",
        "bob": "logged out",
        "carol": "waiting",
        "dave": "logged out",
        "erin": "not needed",
    }
    problems = {name: each.problem.code for name, each in found.items() if each.problem is not None}
    assert problems == {"bob": "unreachable", "dave": "bug"}


async def test_accounts_log_in_side_by_side(desk: Desk, joins: Joins) -> None:
    together = asyncio.Barrier(3)

    async def wait() -> None:
        await together.wait()

    for name in ("alice", "bob", "carol"):
        (await joins(name, lives())).meanwhile = wait
    assert {each.standing for each in await login.start(desk)} == {Standing.LIVE}


async def test_a_challenge_that_waits_is_handed_out_again_and_answered_by_another_process(
    desk: Desk, joins: Joins, reopen: Opener
) -> None:
    alice = await joins("alice", asks(), lives())
    (first,) = await login.start(desk, ALICE)
    async with reopen() as other:
        (second,) = await login.start(other, ALICE)
        assert first.challenge is not None
        assert first.challenge == second.challenge
        assert (await login.answer(other, "alice", CODE)).standing is Standing.LIVE
    assert (await standing(desk)).standing is Standing.LIVE
    assert [called for called, _ in alice.log] == ["start", "answer"]


async def test_a_login_may_ask_several_things_in_turn(desk: Desk, joins: Joins) -> None:
    alice = await joins("alice", asks(state=b"one"), asks(state=b"two", prompt="the PIN"), lives())
    await login.start(desk, ALICE)
    second = await login.answer(desk, "alice", "first")
    assert second.challenge is not None
    assert (second.standing, second.challenge.prompt) == (Standing.WAITING, "the PIN")
    assert (await login.answer(desk, "alice", "second")).standing is Standing.LIVE
    assert alice.log[1:] == [("answer", (b"one", "first")), ("answer", (b"two", "second"))]


async def test_one_login_at_a_time_for_an_account(desk: Desk, joins: Joins, reopen: Opener) -> None:
    alice = await joins("alice", asks())
    meanwhile: list[LoginState] = []

    async with reopen() as other:

        async def another() -> None:
            meanwhile.extend(await login.start(other, ALICE))

        alice.meanwhile = another
        await login.start(desk, ALICE)
    assert meanwhile[0].problem is not None
    assert meanwhile[0].problem.code == "busy"
    assert [called for called, _ in alice.log] == ["start"]


async def test_what_is_live_is_probed_and_left_alone(desk: Desk, joins: Joins) -> None:
    alice = await joins("alice", lives())
    await login.start(desk, ALICE)
    (again,) = await login.start(desk, ALICE)
    assert (again.standing, again.problem) == (Standing.LIVE, None)
    alice.probed = NoAnswer("no answer within 15 s")
    (unsure,) = await login.start(desk, ALICE)
    assert unsure.standing is Standing.LIVE
    assert unsure.problem is not None
    assert [called for called, _ in alice.log] == ["start", "probe", "probe"]


async def test_a_session_that_its_broker_ended_early_is_found_and_begun_anew(desk: Desk, joins: Joins) -> None:
    alice = await joins("alice", lives(), asks())
    await login.start(desk, ALICE)
    alice.probed = SessionExpired("logged in elsewhere")
    assert (await login.start(desk, ALICE))[0].standing is Standing.WAITING


async def test_logging_out_forgets_the_session_whether_or_not_the_broker_hears_of_it(desk: Desk, joins: Joins) -> None:
    alice = await joins("alice", lives(), lives())
    await login.start(desk, ALICE)
    assert (await login.out(desk, ALICE))[0].standing is Standing.LOGGED_OUT
    assert alice.log[-1] == ("logout", {"access_token": "a-token-of-acme"})
    await login.start(desk, ALICE)
    alice.ended = Unreachable("connection refused")
    (found,) = await login.out(desk, ALICE)
    assert found.standing is Standing.LOGGED_OUT
    assert found.problem is not None
    assert "at the broker it lives on" in (found.problem.hint or "")
    account = await desk.store.accounts.get(AccountId("alice"))
    assert isinstance(await refusal(desk.lines.to(account)), SessionNeeded)


async def test_a_line_is_opened_with_the_newest_session_whichever_process_began_it(
    desk: Desk, joins: Joins, firm: Firm, reopen: Opener
) -> None:
    await joins("alice", lives(token="first-token"), lives(token="second-token"))
    account = await desk.store.accounts.get(AccountId("alice"))
    await login.start(desk, ALICE)
    await asyncio.gather(*(desk.lines.to(account) for _ in range(5)))
    async with reopen() as other:
        await login.out(other, ALICE)
        assert isinstance(await refusal(desk.lines.to(account)), SessionNeeded)
        await login.start(other, ALICE)
    await asyncio.gather(*(desk.lines.to(account) for _ in range(5)))
    tokens = [each.token["access_token"] for each in firm.sessions if each is not None]
    assert tokens == ["first-token", "second-token"]


async def test_a_session_that_is_over_opens_no_line(desk: Desk, joins: Joins, clock: FakeClock) -> None:
    await joins("alice", lives(60))
    account = await desk.store.accounts.get(AccountId("alice"))
    await login.start(desk, ALICE)
    await desk.lines.to(account)
    clock.pass_(60)
    assert (await refusal(desk.lines.to(account))).message == "the session of alice is over"
    assert (await standing(desk)).standing is Standing.EXPIRED
    (row,) = (await status.status(desk)).accounts
    assert (str(row.session), row.session_until) == ("expired", MONDAY_NOON + timedelta(seconds=60))


async def test_the_horizon_is_held_against_the_close_of_the_market(desk: Desk, joins: Joins) -> None:
    await joins("alice", lives(3 * 3600))  # noon and three hours: before 15:30
    await joins("bob", lives(4 * 3600))
    await login.start(desk)
    assert [(await standing(desk, name)).covers_close for name in ("alice", "bob")] == [False, True]


async def test_a_session_does_not_outlive_what_it_was_made_with(desk: Desk, joins: Joins, firm: Firm) -> None:
    await joins("alice", lives(), lives())
    await login.start(desk, ALICE)
    await accounts.edit(desk, "alice", accounts.Wishes(base_url="https://elsewhere.example"), {})
    assert (await standing(desk)).standing is Standing.LOGGED_OUT
    await login.start(desk, ALICE)
    await accounts.remove(desk, "alice")
    await joins("alice")
    assert (await standing(desk)).standing is Standing.LOGGED_OUT


async def test_every_step_is_on_record_and_nothing_secret_with_it(desk: Desk, joins: Joins, backend: Backend) -> None:
    await joins("alice", asks(state=b"state-marked"), wrong(), lives(token="token-marked"))
    await login.start(desk, ALICE)
    await refusal(login.answer(desk, "alice", CODE))
    await login.answer(desk, "alice", CODE)
    await login.out(desk, ALICE)
    rows = await desk.store.audit.rows({"type": "login"}, 50)
    assert [row.after for row in rows] == ["waiting", "answered", "waiting", "answered", "live", "logged out"]
    assert {row.ids["account"] for row in rows} == {"alice"}
    assert "marked" not in str(rows)
    assert "marked" not in backend.everything(Path(desk.home.database))


async def test_nobody_logs_in_without_the_right_to(desk: Desk, joins: Joins) -> None:
    alice = await joins("alice", asks())
    reader = desk.acting_as("token:1", Rights(frozenset({TokenScope.READ})))
    trader = desk.acting_as("token:2", Rights(frozenset({TokenScope.TRADE}), accounts=(Target("bob"),)))
    for rightless in (reader, trader):
        for work in (
            login.start(rightless, ALICE),
            login.answer(rightless, "alice", CODE),
            login.out(rightless, ALICE),
        ):
            assert isinstance(await refusal(work), NotAllowed)
    assert alice.log == []
    able = desk.acting_as("token:3", Rights(frozenset({TokenScope.TRADE}), accounts=ALICE), "request-1")
    await login.start(able, ALICE)
    (row,) = await desk.store.audit.rows({"type": "login"}, 5)
    assert row.actor == "token:3"
