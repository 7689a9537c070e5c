"""Redis is never the truth: only prices, instruments and funds are read from it, and no wake-up is believed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, dotted, imports, modules, name_of, syntax

READERS = {"ordo_cli/services/cached.py"}  # of values: quotes, instruments and funds of accounts that are not paper


def outside() -> list[Path]:
    return [path for path in modules() if not path.is_relative_to(PACKAGE / "cache")]


def calls_of_the_cache(path: Path) -> set[str]:
    """What this module asks of a cache: the methods, however the desk that holds it is called."""
    found = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Attribute):
            owner, _, method = dotted(node).rpartition(".")
            if owner == "cache" or owner.endswith(".cache"):
                found.add(method)
    return found


def test_values_are_read_and_written_at_one_place() -> None:
    assert {name_of(path) for path in outside() if calls_of_the_cache(path) & {"get", "put"}} == READERS


def test_that_place_knows_nothing_of_orders_keys_legs_or_the_kill_switch() -> None:
    for name in READERS:
        known = imports(syntax(PACKAGE.parent / name))
        forbidden = ("kill", "legs", "orders", "fanouts.FanOut", "keys", "journal", "store", "gate", "secrets")
        assert [full for full in known for word in forbidden if f".{word}" in full] == []


@pytest.mark.parametrize("word", ["store", "gate", "secrets", "arming", "press", "services", "brokers", "desk"])
def test_the_cache_can_reach_nothing_that_it_could_give_away(word: str) -> None:
    known = {full for path in modules() if path.is_relative_to(PACKAGE / "cache") for full in imports(syntax(path))}
    assert [full for full in known if full == f"ordo_cli.{word}" or full.startswith(f"ordo_cli.{word}.")] == []


def test_the_channel_of_the_kill_switch_is_only_ever_rung_and_listened_to() -> None:
    """Its name stands nowhere but as the channel of a wake-up: no state of the switch is kept under it."""
    for path in outside():
        tree = syntax(path)
        if "ordo_cli.cache.KILL" not in imports(tree):
            continue
        uses = {id(node) for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "KILL"}
        rung = {
            id(node.args[0])
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and dotted(node.func).endswith((".cache.publish", ".cache.subscribe"))
        }
        assert uses <= rung, name_of(path)


def test_what_a_wake_up_says_is_read_nowhere_in_services() -> None:
    """They wait for it and look; only a door may hand its text on."""
    found = [
        name_of(path)
        for path in modules()
        if path.is_relative_to(PACKAGE / "services")
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.AsyncFor) and "wakes" in ast.unparse(node.iter)
    ]
    assert found == []
