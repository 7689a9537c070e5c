"""The shape of the code: size, docstrings, the direction of imports, what the domain and a transaction may touch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, ROOT, dotted, imports, modules, name_of, syntax, tracked

GENERATED = {"ordo_cli/store/sql.py": "statements compiled ahead from store/statements.py"}
LONGEST = 400
NO_SUCH_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


def test_every_module_opens_with_one_sentence_saying_what_it_owns() -> None:
    assert [name_of(path) for path in modules() if not ast.get_docstring(syntax(path))] == []


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST and name not in GENERATED} == {}


def test_no_module_is_named_after_nothing() -> None:
    assert [name_of(path) for path in modules() if path.stem in NO_SUCH_NAMES] == []


def test_imports_point_down() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_domain_imports_only_the_standard_library() -> None:
    foreign = {
        (name_of(path), full)
        for path in modules()
        if path.is_relative_to(PACKAGE / "domain")
        for full in imports(syntax(path))
        if full.partition(".")[0] not in sys.stdlib_module_names and not full.startswith("ordo_cli.domain")
    }
    assert foreign == set()


def test_the_domain_does_no_input_or_output() -> None:
    doors = {"open", "print", "input"}
    machinery = {"os", "sqlite3", "socket", "subprocess", "asyncio", "threading", "shutil", "tempfile", "pathlib"}
    found = set()
    for path in modules():
        if not path.is_relative_to(PACKAGE / "domain"):
            continue
        found |= {(name_of(path), full) for full in imports(syntax(path)) if full.partition(".")[0] in machinery}
        calls = (node.func for node in ast.walk(syntax(path)) if isinstance(node, ast.Call))
        found |= {(name_of(path), call.id) for call in calls if isinstance(call, ast.Name) and call.id in doors}
    assert found == set()


STATEMENTS = {"Ask", "AskMany"}


def statements_yielded(function: ast.AST) -> bool:
    """Whether a function hands statements to a transaction: it yields an Ask."""
    return any(
        isinstance(node, ast.Yield)
        and isinstance(node.value, ast.Call)
        and dotted(node.value.func).rpartition(".")[2] in STATEMENTS
        for node in ast.walk(function)
    )


def test_nothing_is_awaited_inside_a_transaction() -> None:
    """A transaction's body is a plain generator: Python itself then refuses an await in it. None may become async."""
    bodies = awaiting = 0
    for path in modules():
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.FunctionDef) and statements_yielded(node):
                bodies += 1
            if isinstance(node, ast.AsyncFunctionDef) and statements_yielded(node):
                awaiting += 1
    assert bodies > 10, "the bodies are no longer recognised by this test"
    assert awaiting == 0


def test_legs_do_not_share_a_fate() -> None:
    """A TaskGroup cancels the other legs when one fails, so the modules that send use gather."""
    senders = [PACKAGE / "services", PACKAGE / "brokers"]
    found = [
        name_of(path)
        for path in modules()
        if any(path.is_relative_to(folder) for folder in senders)
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Attribute) and dotted(node) == "asyncio.TaskGroup"
    ]
    assert found == []


def test_nothing_names_a_path_of_the_machine_it_was_written_on() -> None:
    spoken = re.compile(r"(?<![\w.])/(?:work|root|home/[a-z]+|Users/\w+|tmp/\w{3,})(?=[/\s\"'`]|$)")
    found = []
    for path in tracked():
        if path.suffix in {".lock", ".svg", ".png"} or path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(path)}: {match[0]}" for match in spoken.finditer(text)]
    assert found == []


@pytest.mark.parametrize("path", [ROOT / "ordo_cli", ROOT / "tests", ROOT / ".ci"], ids=lambda path: str(path.name))
def test_no_promise_is_left_open(path: Path) -> None:
    """What is not done is an issue, not a word in a comment."""
    words = ("TODO", "FIXME", "XXX", "HACK")
    open_end = re.compile(rf"#.*\b({'|'.join(words)})\b")
    files = [file for file in path.rglob("*.py") if "__pycache__" not in file.parts]
    assert [name_of(file) for file in files if open_end.search(file.read_text(encoding="utf-8"))] == []
