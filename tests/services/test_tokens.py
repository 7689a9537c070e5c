"""Tokens: shown once, kept as a hash, recognised in constant time, dead at once, and on the record without a secret."""

from __future__ import annotations

import asyncio
import hmac
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Target, parse_target
from ordo_cli.domain.errors import Invalid, NotAllowed, NotFound
from ordo_cli.domain.tokens import Rights, TokenScope, parse_lifetime
from ordo_cli.domain.trail import State
from ordo_cli.services import tokens
from ordo_cli.services.tokens import Made
from tests.backends import Backend
from tests.fakes import FakeClock
from tests.services.conftest import Add, Opener

READ, TRADE, ADMIN = TokenScope.READ, TokenScope.TRADE, TokenScope.ADMIN


async def made(desk: Desk, name: str = "bot", *scopes: TokenScope, accounts: str = "", **more: object) -> Made:
    targets = [parse_target(word) for word in accounts.split()]
    return await tokens.create(desk, name, scopes or (READ,), targets, **more)  # type: ignore[arg-type]


async def touched(desk: Desk) -> None:
    """Let what is written in the background be written."""
    await asyncio.sleep(0)
    await desk.store.database.settle()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.upper(),
        lambda text: text.replace("ordo_", "ordo-"),
        lambda text: text.replace(text[5:17], "0" * 12),
        lambda text: text[:17],
        lambda text: "",
        lambda text: "ordo__",
        lambda text: "é" * 70,
        lambda text: "\ud800",
    ],
)
async def test_a_text_that_is_not_quite_a_token_is_nobody(desk: Desk, change: object) -> None:
    text = (await made(desk)).text
    assert await tokens.authenticate(desk, change(text)) is None  # type: ignore[operator]
    assert await tokens.authenticate(desk, text) is not None


async def test_an_unknown_id_is_compared_like_a_known_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Constant time is proved by what is done, which a stopwatch in a test could not."""
    text, compared = (await made(desk)).text, []
    real = hmac.compare_digest

    def comparing(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", comparing)
    for each in (text, text[:-1] + "x", "ordo_000000000000_" + text[18:]):
        await tokens.authenticate(desk, each)
    assert compared == [(32, 32)] * 3


async def test_the_secret_of_one_token_does_not_open_another(desk: Desk) -> None:
    one, other = await made(desk, "one"), await made(desk, "other")
    assert await tokens.authenticate(desk, one.text[:18] + other.text[18:]) is None


async def test_a_token_that_is_over_is_nobody(desk: Desk, clock: FakeClock) -> None:
    text = (await made(desk, lifetime=timedelta(hours=1))).text
    clock.pass_(3599)
    assert await tokens.authenticate(desk, text) is not None
    clock.pass_(1)
    assert await tokens.authenticate(desk, text) is None


async def test_a_revoked_token_is_dead_at_once_in_every_process(desk: Desk, reopen: Opener) -> None:
    one = await made(desk)
    async with reopen() as other:
        assert await tokens.authenticate(other, one.text) is not None
        await tokens.revoke(desk, "bot")
        assert await tokens.authenticate(other, one.text) is None
        assert await tokens.authenticate(desk, one.text) is None


async def test_the_text_is_nowhere_but_in_the_answer(desk: Desk) -> None:
    one = await made(desk, "bot", TRADE)
    await tokens.authenticate(desk, one.text)
    await touched(desk)
    await tokens.revoke(desk, one.token.id)
    secret = one.text.rpartition("_")[2]
    assert secret not in repr(one)
    files = [path for path in Path(desk.home.data).rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
    told = json.dumps([[line.data, line.ids] for line in await desk.store.audit.rows()], default=dict)
    assert secret not in told
    assert one.token.digest.hex() not in told


async def test_making_and_revoking_are_on_the_record(desk: Desk, add: Add) -> None:
    await add("alice", "family")
    one = await made(desk, "bot", TRADE, READ, accounts="@family", max_value=Decimal("50000"))
    await tokens.revoke(desk, "bot")
    born, ended = (await desk.store.audit.rows({"type": "token"}))[-2:]
    assert (born.after, ended.after) == ("created", "revoked")
    assert born.ids == ended.ids == {"token": one.token.id}
    assert born.data == {
        "name": "bot",
        "scopes": ["read", "trade"],
        "accounts": ["@family"],
        "max_value": "50000",
        "expires_at": None,
    }
    assert (await desk.store.audit.verify()).state is State.WHOLE


async def test_what_a_token_may_do_is_kept_as_it_was_given(desk: Desk, add: Add) -> None:
    await add("alice", "family")
    await add("bob")
    one = await made(desk, "bot", TRADE, accounts="bob @family bob", max_value=Decimal("0.05"))
    found = await tokens.authenticate(desk, one.text)
    assert found is not None
    assert found.rights == Rights(frozenset({TRADE}), (Target("bob"), Target("@family")), Decimal("0.05"))
    assert found.actor == f"token:{one.token.id}"


async def test_all_is_every_account_and_those_of_tomorrow(desk: Desk, add: Add) -> None:
    await add("alice")
    assert (await made(desk, "bot", accounts="all alice")).token.rights.accounts is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accounts": "nobody"}, "no account nobody"),
        ({"accounts": "@none"}, "group @none"),
        ({"accounts": "alice=10"}, "not for quantities"),
        ({"max_value": Decimal(0)}, "up to 0 rupees"),
    ],
)
async def test_a_token_that_makes_no_sense_is_not_made(
    desk: Desk, add: Add, change: dict[str, object], message: str
) -> None:
    await add("alice")
    with pytest.raises((Invalid, NotFound), match=message):
        await made(desk, **change)  # type: ignore[arg-type]
    assert await tokens.everyone(desk) == []


async def test_a_token_needs_a_scope_and_a_name(desk: Desk) -> None:
    with pytest.raises(Invalid, match="without a scope"):
        await tokens.create(desk, "bot", ())
    with pytest.raises(Invalid, match="cannot name"):
        await tokens.create(desk, "Bot One", (READ,))


async def test_a_name_is_one_living_tokens_and_free_after_it(desk: Desk, clock: FakeClock) -> None:
    first = await made(desk)
    with pytest.raises(Invalid, match="a token bot already"):
        await made(desk)
    await tokens.revoke(desk, "bot")
    clock.pass_(1)
    second = await made(desk)
    assert (await tokens.revoke(desk, "bot")).id == second.token.id
    assert [(token.id, state) for token, state in await tokens.everyone(desk)] == [
        (first.token.id, "revoked"),
        (second.token.id, "revoked"),
    ]


async def test_two_who_take_a_name_at_once_do_not_both_get_it(desk: Desk, reopen: Opener) -> None:
    async with reopen() as other:
        outcomes = await asyncio.gather(made(desk), made(other), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Invalid", "Made"]


async def test_revoking_what_is_not_there_is_said_and_twice_changes_nothing(desk: Desk, clock: FakeClock) -> None:
    with pytest.raises(NotFound, match="'bot'"):
        await tokens.revoke(desk, "bot")
    one = await made(desk)
    ended = await tokens.revoke(desk, one.token.id)
    clock.pass_(60)
    assert await tokens.revoke(desk, one.token.id) == ended
    assert len(await desk.store.audit.rows({"type": "token"})) == 2


async def test_its_use_is_written_down_at_most_once_a_minute(desk: Desk, clock: FakeClock, reopen: Opener) -> None:
    one = await made(desk)

    commits: list[int] = []
    desk.store.database.on_commit(lambda _, bodies: commits.append(bodies))

    async def used() -> int:
        """How often the database was written to by a round of uses."""
        commits.clear()
        for _ in range(20):
            await tokens.authenticate(desk, one.text)
        await touched(desk)
        return sum(commits)

    assert await used() == 1
    first = (await tokens.everyone(desk))[0][0].last_used_at
    clock.pass_(59)
    assert await used() == 0
    async with reopen() as other:
        await tokens.authenticate(other, one.text)
        await touched(other)
        assert (await tokens.everyone(desk))[0][0].last_used_at == first
    clock.pass_(1)
    assert await used() == 1
    assert (await tokens.everyone(desk))[0][0].last_used_at == clock.now()


async def test_a_database_that_cannot_be_written_keeps_nobody_out(desk: Desk, backend: Backend) -> None:
    one = await made(desk)
    backend.refuse(Path(desk.home.database), "UPDATE", "tokens")
    assert await tokens.authenticate(desk, one.text) is not None
    await touched(desk)


async def test_tokens_are_the_matter_of_an_administrator_of_everything(desk: Desk, add: Add) -> None:
    await add("alice")
    for rights in (Rights(frozenset({READ, TRADE})), Rights(frozenset({ADMIN}), (Target("alice"),))):
        other = desk.acting_as("token:t1", rights)
        for attempt in (made(other), tokens.everyone(other), tokens.revoke(other, "bot")):
            with pytest.raises(NotAllowed):
                await attempt
    await made(desk.acting_as("token:t1", Rights(frozenset({ADMIN}))))
    assert (await desk.store.audit.rows({"type": "token"}))[-1].actor == "token:t1"


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("90m", timedelta(minutes=90)),
        ("8w", timedelta(weeks=8)),
        ("never", None),
    ],
)
def test_a_lifetime_is_read_as_it_is_written(text: str, lifetime: timedelta | None) -> None:
    assert parse_lifetime(text) == lifetime


@pytest.mark.parametrize(
    "text", ["", "30", "d", "0d", "-1d", "1.5d", "30D", "30 d", "\u0969\u0966d", "99999d", "1y", "never "]
)
def test_a_lifetime_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="how long a token lives"):
        parse_lifetime(text)
