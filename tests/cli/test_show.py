"""How results look: plain in a pipe, exact, safe for terminals and spreadsheets."""

from __future__ import annotations

import csv
import io
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ordo_cli.cli import show

ROWS = [("alice", 10, Decimal("1491.8"), "filled"), ("bob", -5, None, "not_sent")]
COLUMNS = ("account", "quantity", "price", "state")


def test_columns_line_up_and_numbers_stand_right(capsys: pytest.CaptureFixture[str]) -> None:
    show.table("not shown in a pipe", COLUMNS, ROWS)
    assert capsys.readouterr().out == (
        "ACCOUNT  QUANTITY    PRICE  STATE\n"
        "alice          10  1491.80  filled\n"
        "bob            -5           not_sent\n"
    )


def test_csv_is_what_a_spreadsheet_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    show.table("", COLUMNS, ROWS, as_csv=True)
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [list(COLUMNS), ["alice", "10", "1491.80", "filled"], ["bob", "-5", "", "not_sent"]]


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_text_is_a_formula(text: str) -> None:
    cell = next(csv.reader(io.StringIO(show.csv_text(("note",), [(text,)]).split("\n", 1)[1])))[0]
    assert cell.startswith("'")


def test_a_negative_number_is_a_number() -> None:
    assert show.csv_text(("a", "b"), [(-5, Decimal("-1.5"))]) == "a,b\n-5,-1.50\n"


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "a\x1b]0;title\x07b", "\x9b31m", "x\u202ey", "a\nfake row", "a\rb", "[bold]"]
)
def test_foreign_text_stays_on_its_line_and_steers_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show.table("", ("note", "state"), [(text, "open")])
    show.facts(text, [("note", text)])
    show.line(text)
    out = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\u202e", "\x07", "\r"} & set(out)
    assert len(out.splitlines()) == 5


def test_markup_in_foreign_text_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    console = Console(width=80, file=io.StringIO())
    console.print(show.grid("[red]t[/red]", ("note",), [["[bold]x[/nope]"]]))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[bold]x[/nope]" in said
    assert "[red]t[/red]" in said


NOTED = [("alice", "10", "filled", ""), ("carol", "10", "rejected", "no stock of that name is held")]
NOTES = ("account", "quantity", "state", "note")


def drawn(monkeypatch: pytest.MonkeyPatch, room: int) -> list[str]:
    from rich.console import Console

    monkeypatch.setenv("COLUMNS", str(room))
    console = Console(width=room, file=io.StringIO())
    console.print(show.grid("", NOTES, NOTED))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_running_text_gives_way_first_when_a_row_is_too_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, 50) == [
        "account  quantity  state     note",
        "alice          10  filled",
        "carol          10  rejected  no stock of that name",
        "                             is held",
    ]


def test_a_row_that_is_still_too_wide_goes_on_in_a_second_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, 40) == [
        "account  quantity  state",
        "  note",
        "alice          10  filled",
        "carol          10  rejected",
        "  no stock of that name is held",
    ]


@pytest.mark.parametrize("room", [1, 5, 12, 20, 30])
def test_no_terminal_is_too_narrow_and_no_word_is_lost(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    lines = drawn(monkeypatch, room)
    assert max(map(len, lines)) <= room
    said = "".join("".join(lines).split())
    for word in ("carol", "rejected", "nostockofthatnameisheld"):
        assert word in said or room < 12


def test_cells_of_every_kind() -> None:
    moment = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    assert [show.cell(value) for value in (None, True, False, 3, ["a", "b"], Decimal(5))] == [
        "",
        "yes",
        "no",
        "3",
        "a b",
        "5.00",
    ]
    assert show.csv_text(("at",), [(moment,)]) == "at\n2026-11-23T04:00:00.000Z\n"
    assert show.cell(moment) == "2026-11-23 09:30:00"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_times_are_those_of_the_exchanges_wherever_the_machine_is_and_say_so(
    zone: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        moment = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
        show.table("", ("name", "used_at", "left_at"), [("x", moment, None), ("y", None, None)])
        show.facts("", [("used", moment)])
        said = capsys.readouterr().out.splitlines()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "USED AT (IST)" in said[0]
    assert "LEFT AT (IST)" not in said[0]
    assert "2026-11-24 01:30:00" in said[1]
    assert said[3] == "used  2026-11-24 01:30:00 IST"


def test_facts_leave_out_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    show.facts("title", [("name", "x"), ("nothing", None), ("longer name", 0)])
    assert capsys.readouterr().out == "title\nname         x\nlonger name  0\n"


@pytest.mark.parametrize(
    ("state", "style"),
    [
        ("filled", "green"),
        ("accepted", "green"),
        ("open", "cyan"),
        ("unknown", "bold magenta"),
        ("refused", "red"),
        ("not_sent", "yellow"),
    ],
)
def test_a_state_has_one_colour_everywhere(state: str, style: str) -> None:
    assert show.style_of("state", state) == style
    assert show.style_of("note", state) == ""
