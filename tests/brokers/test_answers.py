"""Tables of answers: only what a row cites is certain, and what no row fits is unknown."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pytest

from ordo_cli.brokers.answers import Means, Table, _row, load
from ordo_cli.brokers.base import WRONG_ANSWER
from ordo_cli.domain.errors import Rejected, SessionExpired

GOOD = {"http": 400, "code": "InputException", "means": "rejected", "as": "INPUT", "source": "DOC/16"}
TABLES = [each.name.removesuffix(".toml") for each in (files("ordo_cli.brokers") / "tables").iterdir()]


def table(*rows: Mapping[str, Any]) -> Table:
    return Table("acme", 1, tuple(_row("acme", row) for row in rows))


def test_the_first_row_that_fits_decides_and_none_means_nobody_knows() -> None:
    rows = table({**GOOD, "message": "(?i)margin", "as": "MARGIN"}, GOOD)
    told = [rows.error_of(400, "InputException", text) for text in ("Margin is short", "bad tag")]
    assert [error and error.reason for error in told] == ["MARGIN", "INPUT"]
    assert rows.error_of(400, "OrderException", "bad tag") is None
    assert rows.error_of(500, "InputException", "bad tag") is None


def test_a_session_that_is_over_is_said_as_that() -> None:
    error = table({**GOOD, "means": "session"}).error_of(400, "InputException", "")
    assert isinstance(error, SessionExpired)
    wrong = table({**GOOD, "means": "wrong_answer"}).error_of(400, "InputException", "wrong code")
    assert isinstance(wrong, Rejected)
    assert wrong.reason == WRONG_ANSWER


def test_what_a_broker_wrote_reaches_nobody_as_it_is() -> None:
    error = table(GOOD).error_of(400, "InputException", "\x1b[2Jno\nmoney")
    assert error is not None
    assert error.message == "no money"


@pytest.mark.parametrize(
    "row",
    [
        {**GOOD, "source": ""},
        {name: value for name, value in GOOD.items() if name != "source"},
        {"means": "rejected", "as": "X", "source": "DOC"},
        {"http": 502, "means": "rejected", "as": "X", "source": "DOC"},
        {**GOOD, "nonsense": 1},
    ],
)
def test_a_row_that_proves_nothing_is_refused(row: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"row|status"):
        _row("acme", row)


@pytest.mark.parametrize("name", [name for name in TABLES if not name.startswith("__")])
def test_every_table_that_ships_is_whole(name: str) -> None:
    found = load(name)
    assert found.version >= 1
    assert found.rows
    assert all(row.source and row.named for row in found.rows)
    raw = tomllib.loads((files("ordo_cli.brokers") / "tables" / f"{name}.toml").read_text(encoding="utf-8"))
    assert raw.keys() == {"version", "answer"}
    for row in found.rows:
        if row.means in {Means.REJECTED, Means.RATE, Means.EGRESS}:
            assert row.http is None or 200 <= row.http < 500, "a gateway's failure refuses nothing"
