"""Accounts: all is checked before anything is written, credentials come first, and a pressed switch stays pressed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli import arming, config
from ordo_cli.brokers.base import BrokerSpec
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.allocation import Split
from ordo_cli.domain.errors import Invalid, NotFound, OrdoError, Refused, SecretsUnavailable, StoreFailed
from ordo_cli.domain.kill import Level, parse_scope
from ordo_cli.home import Home
from ordo_cli.services import accounts, kill, orders, setup
from ordo_cli.services.accounts import Wishes
from ordo_cli.services.planning import PlaceRequest
from tests.backends import Backend
from tests.fakes import FakeClock, Firm, buy, silent_after_accepting
from tests.services.conftest import Add

ALICE = AccountId("alice")
FIELDS = ("api_key", "api_secret")
GIVEN = {"api_key": "key-1", "api_secret": "sentinel-5b"}


def asking(firm: Firm) -> Callable[[str], BrokerSpec]:
    """The firm, when it wants credentials."""
    return lambda name: replace(firm.find(name), credentials=FIELDS)


def armed(home: Home, kind: str, name: str = "") -> bool:
    return os.path.exists(arming.path_of(home.run, kind, name))


async def test_the_first_account_sets_a_fresh_home_up_and_arms_what_it_needs(desk: Desk, home: Home) -> None:
    steps = await accounts.add(desk, "alice", "acme", Wishes(groups=("family",)), {})
    assert [step.what for step in steps if step.made] == ["settings", "armed"]
    assert Path(home.config_file).read_text() == config.template()
    for kind, name in (("global", ""), ("broker", "acme"), ("account", "alice"), ("group", "family")):
        assert armed(home, kind, name), kind
    assert await accounts.add(desk, "bob", "acme", Wishes(), {}) == []


@pytest.mark.parametrize(
    ("name", "broker", "wishes"),
    [
        ("Alice", "acme", Wishes()),
        ("all", "acme", Wishes()),
        ("../x", "acme", Wishes()),
        ("alice", "nobody", Wishes()),
        ("alice", "acme", Wishes(groups=("Family",))),
        ("alice", "acme", Wishes(weight=Decimal(0))),
        ("alice", "acme", Wishes(base_url="http://api.example.com")),
        ("alice", "acme", Wishes(egress="not an address")),
        ("alice", "acme", Wishes(behaviours=("silent",))),
        ("alice", "acme", Wishes(limits={"value_order_max": "-1"})),
        ("alice", "acme", Wishes(limits={"nothing": "1"})),
    ],
)
async def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    desk: Desk, home: Home, name: str, broker: str, wishes: Wishes
) -> None:
    with pytest.raises(OrdoError):
        await accounts.add(desk, name, broker, wishes, {})
    assert await desk.store.accounts.all() == []
    assert not os.path.exists(home.config_file)
    assert not armed(home, "global")


async def test_an_account_cannot_be_added_twice(desk: Desk, add: Add) -> None:
    await add("alice")
    with pytest.raises(Invalid, match="there is an account alice already"):
        await accounts.add(desk, "alice", "acme", Wishes(), {})


async def test_limits_given_with_an_account_are_written_and_on_the_record(desk: Desk, home: Home) -> None:
    await accounts.add(desk, "alice", "acme", Wishes(limits={"value_order_max": "50000"}), {})
    assert config.load(home, {}).limits.accounts == {"alice": {"value_order_max": Decimal(50000)}}
    rows = [row for row in await desk.store.audit.rows({}, 50) if row.type == "limit-change"]
    assert len(rows) == 1
    found = await accounts.describe(desk, "alice")
    assert ("value_order_max", "50000", "limits.accounts.alice.value_order_max") in found.limits


async def test_groups_given_later_bring_their_arming_file(desk: Desk, home: Home, add: Add) -> None:
    await add("alice")
    assert not armed(home, "group", "family")
    await accounts.edit(desk, "alice", Wishes(groups=("family",), weight=Decimal(2)), {})
    assert armed(home, "group", "family")
    found = await accounts.describe(desk, "alice")
    assert (found.account.groups, found.account.weight, found.disarmed) == (("family",), Decimal(2), ())


async def test_what_an_edit_does_not_name_stays(desk: Desk) -> None:
    wishes = Wishes(groups=("family",), base_url="https://x.example", egress="127.0.0.1", weight=Decimal(3))
    await accounts.add(desk, "alice", "acme", wishes, {})
    before = (await accounts.describe(desk, "alice")).account
    await accounts.edit(desk, "alice", Wishes(), {})
    assert (await accounts.describe(desk, "alice")).account == before
    after = await accounts.edit(desk, "alice", Wishes(groups=(), base_url="", egress=""), {})
    assert (after.groups, after.base_url, after.egress, after.weight) == ((), None, None, Decimal(3))


async def test_an_edit_of_nobody_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await accounts.edit(desk, "nobody", Wishes(), {})


@pytest.mark.parametrize("scope", ["account:alice", "group:family", "broker:acme", "global"])
async def test_a_new_account_does_not_arm_what_a_switch_has_stopped(
    desk: Desk, home: Home, add: Add, scope: str
) -> None:
    await add("alice", "family")
    await kill.engage(desk, parse_scope(scope), Level.BLOCK, "enough")
    await accounts.remove(desk, "alice")
    await accounts.add(desk, "alice", "acme", Wishes(groups=("family",)), {})
    kind, _, name = scope.partition(":")
    assert not armed(home, kind, name)
    assert (await accounts.describe(desk, "alice")).disarmed == (scope,)


async def test_an_arming_file_taken_away_by_hand_is_not_made_again(desk: Desk, home: Home, add: Add) -> None:
    await add("alice", "family")
    os.unlink(arming.path_of(home.run, "group", "family"))
    os.unlink(arming.path_of(home.run, "global", ""))
    await accounts.add(desk, "bob", "acme", Wishes(groups=("family",)), {})
    await setup.initialise(desk, None)
    assert not armed(home, "group", "family")
    assert not armed(home, "global")


async def test_disabling_and_enabling(desk: Desk, add: Add) -> None:
    await add("alice")
    assert not (await accounts.enable(desk, "alice", False)).enabled
    with pytest.raises(Invalid, match="disabled"):
        await orders.place(desk, PlaceRequest(buy(), (Target("alice"),), Split.EACH, None))
    assert (await accounts.enable(desk, "alice", True)).enabled


async def test_an_account_with_an_unsettled_leg_is_not_removed(desk: Desk, add: Add) -> None:
    line = await add("alice")
    line.script, line.unreadable = [silent_after_accepting], OSError("the book cannot be read")
    await orders.place(desk, PlaceRequest(buy(), (Target("alice"),), Split.EACH, None))
    with pytest.raises(Refused, match="1 unsettled leg") as caught:
        await accounts.remove(desk, "alice")
    assert "ordo fanout reconcile" in str(caught.value.hint)
    assert (await desk.store.accounts.get(ALICE)).id == ALICE


async def test_removing_takes_limits_along_and_keeps_those_of_others(desk: Desk, home: Home, add: Add) -> None:
    await add("alice")
    await add("bob")
    await accounts.set_value(desk, "limits.accounts.alice.day_orders_max", "5")
    await accounts.set_value(desk, "limits.accounts.bob.day_orders_max", "6")
    await accounts.remove(desk, "alice")
    assert config.load(home, {}).limits.accounts == {"bob": {"day_orders_max": 6}}
    with pytest.raises(NotFound):
        await accounts.remove(desk, "alice")


async def test_a_limit_is_reset_to_its_default(desk: Desk, home: Home) -> None:
    await accounts.set_value(desk, "limits.day_orders_max", "5")
    await accounts.set_value(desk, "limits.day_orders_max", "default")
    assert config.load(home, {}).limits.everyone.day_orders_max == 200


async def test_credentials_need_a_place_that_was_chosen(home: Home, clock: FakeClock, firm: Firm) -> None:
    async with open_desk(home, clock=clock, find=asking(firm)) as desk:
        with pytest.raises(SecretsUnavailable, match="alice was left as it was: no place for secrets was chosen"):
            await accounts.add(desk, "alice", "acme", Wishes(), GIVEN)
        assert await desk.store.accounts.all() == []


async def test_credentials_are_kept_found_changed_and_removed(home: Home, clock: FakeClock, firm: Firm) -> None:
    async with open_desk(home, clock=clock, find=asking(firm)) as desk:
        await setup.initialise(desk, setup.propose(desk, "vault", None, None))
    async with open_desk(home, clock=clock, find=asking(firm)) as desk:
        with pytest.raises(Invalid, match="acme needs api_secret"):
            await accounts.add(desk, "alice", "acme", Wishes(), {"api_key": "key-1"})
        with pytest.raises(Invalid) as caught:
            await accounts.add(desk, "alice", "acme", Wishes(), {**GIVEN, "api_secret": "sentinel\n5b"})
        assert "sentinel" not in str(caught.value)
        await accounts.add(desk, "alice", "acme", Wishes(), GIVEN)
        assert (await accounts.describe(desk, "alice")).credentials == {"api_key": True, "api_secret": True}
        await accounts.edit(desk, "alice", Wishes(), {"api_secret": "other-5b"})
        assert desk.secrets.get(ALICE, "api_secret") == "other-5b"
        assert desk.secrets.get(ALICE, "api_key") == "key-1"
        await accounts.remove(desk, "alice")
        assert desk.secrets.fields(ALICE, FIELDS) == ()


async def test_an_account_that_cannot_be_written_leaves_no_credentials(
    home: Home, clock: FakeClock, firm: Firm, backend: Backend
) -> None:
    async with open_desk(home, clock=clock, find=asking(firm)) as desk:
        await setup.initialise(desk, setup.propose(desk, "vault", None, None))
    async with open_desk(home, clock=clock, find=asking(firm)) as desk:
        backend.refuse(Path(home.database), "INSERT", "accounts")
        with pytest.raises(StoreFailed):
            await accounts.add(desk, "alice", "acme", Wishes(), GIVEN)
        assert desk.secrets.fields(ALICE, FIELDS) == ()


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://user:word@api.example.com",
        "https://api.example.com/?a=1",
        "https://api.example.com/#a",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "https://api.example.com:x",
        "https://[::1",
        "//api.example.com",
        "javascript:alert(1)",
        "https://api.example.com/\n",
    ],
)
def test_a_base_url_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        accounts.check_base_url(url)


@pytest.mark.parametrize(
    "url", ["https://api.example.com/v1", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:9/x"]
)
def test_https_and_this_machine_are_good_base_urls(url: str) -> None:
    assert accounts.check_base_url(url) == url


@pytest.mark.parametrize("egress", ["203.0.113.7", "2001:db8::1", "http://proxy.example:3128", "socks5://[::1]:1080"])
def test_addresses_and_proxies_are_good_egress(egress: str) -> None:
    assert accounts.check_egress(egress) == egress


@pytest.mark.parametrize(
    "egress", ["proxy", "http://proxy", "http://u:p@proxy:1", "ftp://x:1", "300.1.1.1", "http://[x"]
)
def test_other_egress_is_refused(egress: str) -> None:
    with pytest.raises(Invalid):
        accounts.check_egress(egress)


@pytest.mark.parametrize("text", ['api_key = "a"\napi_secret = "b"\n', '{"api_key": "a", "api_secret": "b"}'])
def test_a_secrets_file_is_toml_or_json(text: str) -> None:
    assert accounts.read_credentials(text, "acme", FIELDS) == {"api_key": "a", "api_secret": "b"}


@pytest.mark.parametrize(
    "text",
    [
        "sentinel-9d",
        "{sentinel-9d",
        'api_key = sentinel-9d"',
        "api_key = 5  # sentinel-9d",
        '{"api_key": ["sentinel-9d"]}',
    ],
)
def test_a_secrets_file_that_cannot_be_read_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        accounts.read_credentials(text, "acme", FIELDS)
    assert "sentinel" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_credential_that_the_broker_does_not_have_is_named() -> None:
    with pytest.raises(Invalid, match="acme has no credential 'pin'"):
        accounts.read_credentials('pin = "1234"', "acme", FIELDS)
