"""Tags: how a leg is found again in a broker's book."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.legs import LegId
from ordo_cli.domain.tags import CROCKFORD, is_ours, tag_of

keys = st.binary(min_size=16, max_size=32)
legs = st.text(min_size=1, max_size=40).filter(str.isprintable).map(LegId)
letters = st.sampled_from(CROCKFORD)


@given(keys, legs)
def test_a_tag_is_sixteen_upper_case_letters_and_digits_and_ours(key: bytes, leg: LegId) -> None:
    tag = tag_of(key, leg)
    assert re.fullmatch(r"O[0-9A-HJKMNP-TV-Z]{15}", tag)
    assert is_ours(tag)
    assert tag == tag_of(key, leg)


@given(keys, legs, st.integers(1, 15), letters)
def test_every_single_wrong_character_is_noticed(key: bytes, leg: LegId, at: int, letter: str) -> None:
    tag = tag_of(key, leg)
    changed = tag[:at] + letter + tag[at + 1 :]
    assert is_ours(changed) == (changed == tag)


@given(keys, legs, st.integers(1, 13))
def test_two_characters_that_changed_places_are_noticed(key: bytes, leg: LegId, at: int) -> None:
    tag = tag_of(key, leg)
    swapped = tag[:at] + tag[at + 1] + tag[at] + tag[at + 2 :]
    assert is_ours(swapped) == (swapped == tag)


@given(st.text())
def test_a_foreign_tag_is_not_ours(text: str) -> None:
    if len(text) != 16:
        assert not is_ours(text)


def test_no_tag_and_a_mangled_one_are_not_ours() -> None:
    tag = tag_of(b"k" * 32, LegId("abc-1"))
    assert not is_ours(None)
    assert not is_ours("1:" + tag)
    assert not is_ours(tag.lower())


def test_another_install_or_leg_gives_another_tag() -> None:
    tags = {tag_of(bytes([key]) * 32, LegId(f"leg-{number}")) for key in range(4) for number in range(500)}
    assert len(tags) == 2_000
