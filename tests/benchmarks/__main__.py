"""The runner: finds the measures, runs those asked for, prints one table. It never fails because something was slow."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

from tests.benchmarks.measure import Row

HEADINGS = ("measure", "floor ms", "ours ms", "ratio", "must", "aim", "reached")


def modules() -> dict[str, str]:
    """Each measure's name (`P6`) and its module, in the order of the numbers."""
    found = (re.fullmatch(r"(p(\d+)(?:_\w+)?)\.py", path.name) for path in Path(__file__).parent.iterdir())
    numbered = sorted((int(match[2]), match[1]) for match in found if match)
    return {f"P{number} {module}": f"tests.benchmarks.{module}" for number, module in numbered}


def cells(row: Row) -> tuple[str, ...]:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:,.2f}" if value < 1000 else f"{value:,.0f}"

    verdict = row.verdict + (f" ({row.note})" if row.note else "")
    return (row.label, *map(number, (row.floor_ms, row.ours_ms, row.ratio, row.must, row.aim)), verdict)


def table(rows: list[tuple[str, ...]]) -> str:
    """Aligned columns: words to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in [HEADINGS, *rows]) for column in range(len(HEADINGS))]

    def line(row: tuple[str, ...]) -> str:
        middle = (cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True))
        return "  ".join([row[0].ljust(widths[0]), *middle, row[-1]]).rstrip()

    return "\n".join([line(HEADINGS), line(tuple("-" * width for width in widths)), *map(line, rows)])


def main(asked: list[str]) -> int:
    """Measure what was asked for, or everything."""
    wanted = {name.upper() for name in asked}
    known = modules()
    if unknown := wanted - {name.split()[0] for name in known}:
        print(f"no such measure: {' '.join(sorted(unknown))}; there are {' '.join(n.split()[0] for n in known)}")
        return 2
    rows: list[tuple[str, ...]] = []
    broken = 0
    for name, path in known.items():
        number = name.split()[0]
        if wanted and number not in wanted:
            continue
        module = import_module(path)
        print(f"measuring {number} {module.NAME} ...", file=sys.stderr, flush=True)
        try:
            rows += [(f"{number} {label}", *rest) for label, *rest in map(cells, module.measure())]
        except Exception as trouble:  # one measure that cannot run must not hide the others
            broken += 1
            rows.append((f"{number} {module.NAME}", "-", "-", "-", "-", "-", f"BROKEN: {trouble}"[:200]))
    print(table(rows))
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
