"""The source of ordo as the house tests read it: files, their text, their syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ordo_cli"


def modules() -> list[Path]:
    """Every module of the package, generated ones included."""
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    """A path as it is named in a message: from the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[Path]:
    """The files that belong to the repository: what git knows, or, without its folder, what is no by-product."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode == 0:
        found = [ROOT / line for line in listed.stdout.splitlines()]
    else:
        byproducts = ("__pycache__", ".venv", ".git", "_cache/", "dist", "build", "htmlcov")
        found = [
            path for path in ROOT.rglob("*") if not any(part in str(path.relative_to(ROOT)) for part in byproducts)
        ]
    return [path for path in found if path.is_file()]


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def imports(tree: ast.Module) -> Iterator[str]:
    """Every imported module or thing, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def bound(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for in this module: {"sleep": "time.sleep"}."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found
