"""Rights: what a token may do, for whom, and how it is told no."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName, Target
from ordo_cli.domain.errors import NotAllowed
from ordo_cli.domain.tokens import FULL, Rights, Token, TokenScope, TokenState

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
ALICE = Account(AccountId("alice"), BrokerName("acme"), (GroupName("family"),))
BOB = Account(AccountId("bob"), BrokerName("acme"))


def rights(*scopes: TokenScope, accounts: str | None = None) -> Rights:
    named = None if accounts is None else tuple(Target(word) for word in accounts.split())
    return Rights(frozenset(scopes), named)


def test_a_scope_that_is_not_held_is_refused_by_name_of_what_it_would_take() -> None:
    with pytest.raises(NotAllowed, match="its scopes are read") as refusal:
        rights(TokenScope.READ).require(TokenScope.TRADE, TokenScope.CANCEL)
    assert refusal.value.hint == "it takes a token with --scope trade or cancel"


def test_a_token_without_scopes_may_do_nothing() -> None:
    for scope in TokenScope:
        with pytest.raises(NotAllowed, match="none"):
            rights().require(scope)


def test_one_of_several_scopes_is_enough() -> None:
    rights(TokenScope.CANCEL).require(TokenScope.TRADE, TokenScope.CANCEL)


@pytest.mark.parametrize("scope", [scope for scope in TokenScope if scope is not TokenScope.ADMIN])
def test_no_scope_implies_another_but_admin_all(scope: TokenScope) -> None:
    assert [other for other in TokenScope if rights(scope).allows(other)] == [scope]
    assert rights(TokenScope.ADMIN).allows(scope)


def test_accounts_are_covered_by_name_by_group_or_all() -> None:
    covered = {
        words: [each.id for each in (ALICE, BOB) if rights(accounts=words).covers(each)]
        for words in (None, "", "alice", "@family", "@other", "bob @family", "all", "family", "@alice")
    }
    assert covered == {
        None: ["alice", "bob"],
        "": [],
        "alice": ["alice"],
        "@family": ["alice"],
        "@other": [],
        "bob @family": ["alice", "bob"],
        "all": ["alice", "bob"],
        "family": [],
        "@alice": [],
    }


def test_an_account_outside_is_named_and_one_is_enough_to_refuse_all() -> None:
    with pytest.raises(NotAllowed, match="not for bob; nothing was done"):
        rights(accounts="@family").require_accounts([ALICE, BOB])
    rights(accounts="@family").require_accounts([ALICE])
    FULL.require_accounts([ALICE, BOB])


def test_an_account_that_is_gone_is_covered_only_by_its_name() -> None:
    assert rights(accounts="alice").names(AccountId("alice"))
    assert not rights(accounts="@family").names(AccountId("alice"))
    assert FULL.names(AccountId("alice"))


def test_what_concerns_the_installation_takes_an_administrator_of_every_account() -> None:
    rights(TokenScope.ADMIN).require_all_of_it()
    for some in (rights(TokenScope.ADMIN, accounts="alice"), rights(TokenScope.READ)):
        with pytest.raises(NotAllowed):
            some.require_all_of_it()


def test_a_token_dies_when_it_is_over_or_revoked_and_never_shows_its_digest() -> None:
    def token(**more: datetime) -> Token:
        return Token("id", "desk", b"digest-of-it", FULL, NOW, **more)

    assert token().state(NOW) is TokenState.LIVE
    assert token(expires_at=NOW + timedelta(seconds=1)).state(NOW) is TokenState.LIVE
    assert token(expires_at=NOW).state(NOW) is TokenState.EXPIRED
    assert token(revoked_at=NOW, expires_at=NOW).state(NOW) is TokenState.REVOKED
    assert "digest" not in repr(token())
    assert token().actor == "token:id"
