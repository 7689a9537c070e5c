"""The scopes of the kill switch: what can be named, and which of them cover an account."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.kill import GLOBAL, Level, Scope, ScopeKind, covers, parse_scope, scopes_over

ALICE = Account(AccountId("alice"), BrokerName("paper"), (GroupName("family"), GroupName("fast")))


@pytest.mark.parametrize(
    "text",
    ["", "globl", "global:", "global:x", "broker", "broker:", "account:ALICE", "group:all", "account:../x", "desk:x"],
)
def test_a_scope_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_scope(text)


@pytest.mark.parametrize("text", ["global", "broker:paper", "account:alice", "group:family"])
def test_a_scope_reads_back(text: str) -> None:
    assert str(parse_scope(text)) == text


@given(st.text())
def test_any_text_is_a_scope_that_reads_back_or_refused(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert str(parse_scope(text)) == text


def test_an_account_is_covered_by_everything_it_belongs_to_and_nothing_else() -> None:
    assert set(map(str, scopes_over(ALICE))) == {
        "global",
        "broker:paper",
        "account:alice",
        "group:family",
        "group:fast",
    }
    assert covers(GLOBAL, ALICE)
    assert not covers(Scope(ScopeKind.ACCOUNT, "bob"), ALICE)
    assert not covers(Scope(ScopeKind.GROUP, "alice"), ALICE)


def test_a_higher_level_includes_the_lower() -> None:
    assert Level.BLOCK < Level.CANCEL < Level.FLATTEN
