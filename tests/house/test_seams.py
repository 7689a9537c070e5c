"""Time, chance and waiting are reached through the seams only, so that the real code can run in made-up time."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, bound, dotted, modules, syntax

BANNED = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.clock_gettime",
    "time.clock_gettime_ns",
    "time.localtime",
    "time.gmtime",
    "time.sleep",
    "asyncio.sleep",
    "os.urandom",
    "os.getrandom",
    "uuid.uuid1",
    "uuid.uuid3",
    "uuid.uuid4",
    "uuid.uuid7",
}
BANNED_WHOLE = {"random", "secrets"}

# Where the rule does not hold, what is allowed there, and why. An entry that is no longer needed fails a test too.
ALLOWED: dict[str, tuple[set[str], str]] = {
    "machine.py": (BANNED | BANNED_WHOLE, "it is the seam"),
    "arming.py": (
        {"time.monotonic", "time.sleep", "time.time_ns"},
        "it runs before anything of ordo is imported, and waits for writers at most a quarter of a second",
    ),
    "client/press.py": ({"time.monotonic"}, "a kill from afar waits for nothing but its server, and for five seconds"),
    "press.py": (
        {"time.monotonic", "time.sleep", "time.time"},
        "the kill entry imports nothing of ordo before the file is gone",
    ),
}


def only_a_turn_of_the_loop(call: ast.Call) -> bool:
    """`sleep(0)` waits for no time, only for what is ready to run."""
    return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def uses(tree: ast.Module) -> set[str]:
    """The banned names that this module mentions, called or handed on."""
    known = bound(tree)
    found = set()
    turns = {id(call.func) for call in ast.walk(tree) if isinstance(call, ast.Call) and only_a_turn_of_the_loop(call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute | ast.Name) or id(node) in turns:
            continue
        first, _, rest = dotted(node).partition(".")
        base = known.get(first, "")
        full = f"{base}.{rest}" if rest else base
        if full in BANNED or (full.partition(".")[0] in BANNED_WHOLE):
            found.add(full if full in BANNED else full.partition(".")[0])
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_asks_the_seams_and_not_the_machine(path: Path) -> None:
    allowed, _ = ALLOWED.get(path.relative_to(PACKAGE).as_posix(), (set(), ""))
    assert uses(syntax(path)) - allowed == set()


def test_every_exception_is_still_needed() -> None:
    unused = [name for name in ALLOWED if not uses(syntax(PACKAGE / name))]
    assert unused == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.monotonic()",
        "import time as clock\nclock.time()",
        "from time import sleep\nsleep(1)",
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.now()",
        "import asyncio\nasync def f(): await asyncio.sleep(0.1)",
        "from uuid import uuid4\nfield(default_factory=uuid4)",
        "import random\nrandom.choice([1])",
        "from secrets import token_hex\ntoken_hex()",
        "import os\nos.urandom(8)",
    ],
)
def test_the_check_sees_this(source: str) -> None:
    assert uses(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "desk.clock.now()",
        "from ordo_cli import secrets\nsecrets.get('a')",
        "from ordo_cli.domain import seams\nseams.sleep()",
        "from datetime import datetime\ndatetime.fromisoformat('2026-01-01')",
        "import asyncio\nasyncio.timeout(3)",
        "import asyncio\nasync def f(): await asyncio.sleep(0)",
    ],
)
def test_the_check_leaves_this_alone(source: str) -> None:
    assert not uses(ast.parse(source))
