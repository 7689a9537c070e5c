"""The audit chain itself: one canonical text for one meaning, and a hash that ties every row to all before it."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.audit import GENESIS, body_of, canonical, instant, link
from ordo_cli.domain.money import text_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def composed(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [composed(each) for each in value]
    return value


@given(st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text() | st.lists(st.text()))
def test_the_canonical_text_means_what_was_given(value: object) -> None:
    assert json.loads(canonical(value)) == composed(value)


@given(st.dictionaries(st.text(st.characters(codec="ascii")), st.integers(0, 9) | st.booleans()))
def test_the_canonical_text_is_what_json_writes_for_the_same(value: dict[str, object]) -> None:
    assert canonical(value) == json.dumps(value, sort_keys=True, separators=(",", ":"))


@given(VALUES)
def test_the_text_is_ascii_whatever_is_in_it(value: object) -> None:
    assert canonical(value).isascii()


def test_two_spellings_of_one_text_are_one() -> None:
    assert canonical("e\u0301") == canonical("é")
    assert canonical({"b": 1, "a": 2}) == canonical(MappingProxyType({"a": 2, "b": 1})) == '{"a":2,"b":1}'


def test_money_and_large_numbers_are_text() -> None:
    assert canonical(Decimal("1500.50")) == '"1500.50"'
    assert canonical(Decimal("1E+3")) == '"1000"'
    assert canonical(2**53) == '"9007199254740992"'
    assert canonical(2**53 - 1) == "9007199254740991"
    assert text_of(Decimal("1500.50")) == "1500.50"


@pytest.mark.parametrize("value", [1.5, float("nan"), b"bytes", {1, 2}, object()])
def test_what_has_no_exact_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no place in the audit log"):
        canonical({"a": [value]})


def test_text_cannot_leave_its_quotes() -> None:
    hostile = 'x","type":"release\x1b[2J\u202e\ud800\n\0'
    assert json.loads(canonical({"message": hostile})) == {"message": hostile}


def test_a_row_is_the_canonical_text_of_its_fields() -> None:
    fields: dict[str, Any] = {
        "actor": "cli",
        "at": "2026-11-23T06:30:00.000001Z",
        "boot": "b",
        "data": {"z": [1, None], "a": "é"},
        "evidence": None,
        "from": "planned",
        "host": "desk",
        "ids": {"leg": "aa-1", "fan_out": "aa"},
        "mono_ns": "12",
        "pid": 7,
        "seq": 3,
        "to": "sending",
        "type": "state",
    }
    body = body_of(
        3,
        "state",
        1_795_415_400_000_001,
        actor="cli",
        host="desk",
        boot="b",
        pid=7,
        elapsed_ns=12,
        ids=fields["ids"],
        before="planned",
        after="sending",
        data=fields["data"],
    )
    assert body == canonical(fields)
    assert instant(1_795_415_400_000_001) == fields["at"]


def test_the_hash_is_the_documented_one() -> None:
    body = body_of(1, "test", 0, actor="me")
    assert link(GENESIS, body) == hashlib.sha256(b"ordo-audit-v1\0" + bytes(32) + body.encode()).digest()
    assert link(link(GENESIS, body), body) != link(GENESIS, body)
