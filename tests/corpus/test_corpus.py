"""Every seed of the corpus gets its verdict: refused in a sentence, or taken and made safe. Never a crash or a hang."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import time
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte
import pytest

from ordo_cli import log
from ordo_cli.domain.accounts import check_name, parse_target
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.money import parse_price, parse_quantity, text_of
from ordo_cli.domain.text import clean, csv_cell
from ordo_cli.machine import SystemClock
from ordo_cli.services import batchfiles
from ordo_cli.services.batchformats import Format
from tests.corpus.seeds import Seed, bytes_of, seeds
from tests.corpus.seeds import text_of as spelled

HANG = 60.0  # seconds after which it hangs, however busy the machine and though the tracing of memory slows it
GROWTH = 50 * 1024 * 1024
FEWEST = {"numbers": 70, "symbols": 60, "names": 50, "csv": 70, "json": 60, "terminal": 60}


@contextmanager
def no_hang() -> Iterator[None]:
    begun = time.perf_counter()
    yield
    assert time.perf_counter() - begun < HANG


@contextmanager
def no_growth() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < GROWTH
    finally:
        tracemalloc.stop()


def verdict(seed: Seed, read: Callable[[str], Any]) -> Any:
    """The value of an accepted seed; a refused one must be refused in a sentence that can be shown."""
    text = spelled(seed["text"])
    with no_hang():
        if seed["verdict"] == "accept":
            return read(text)
        with pytest.raises((Invalid, NotFound)) as caught:
            read(text)
    assert 0 < len(caught.value.message) < 500
    assert caught.value.message == clean(caught.value.message)
    return None


@pytest.mark.parametrize(("name", "fewest"), FEWEST.items())
def test_the_corpus_is_as_large_as_it_was(name: str, fewest: int) -> None:
    assert len(json.loads((Path(__file__).parent / f"{name}.json").read_text())) >= fewest


@seeds("numbers")
def test_numbers(seed: Seed) -> None:
    value = verdict(seed, parse_price if seed["kind"] == "price" else parse_quantity)
    if value is not None:
        wanted = seed["value"]
        assert value == type(value)(wanted)
        assert seed["kind"] == "quantity" or parse_price(text_of(value)) == value


@seeds("symbols")
def test_symbols(seed: Seed) -> None:
    value = verdict(seed, parse_instrument)
    assert value is None or str(value) == spelled(seed["text"])


@seeds("names")
def test_names_and_paths(seed: Seed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed["kind"] == "file":
        monkeypatch.chdir(strange_folder(tmp_path))
        if seed["text"] == "secret.csv" and os.access("secret.csv", os.R_OK):
            pytest.skip("nothing is unreadable to this user")
        verdict(seed, read_file)
    else:
        verdict(seed, parse_target if seed["kind"] == "target" else lambda text: check_name(text, "account"))


@seeds("csv")
def test_csv(seed: Seed) -> None:
    judge_file(seed, Format.CSV)


@seeds("json")
def test_json_and_its_relatives(seed: Seed) -> None:
    judge_file(seed, Format(seed["kind"]))


@seeds("terminal")
def test_terminal_text(seed: Seed) -> None:
    text, shows = spelled(seed["text"]), spelled(seed["shows"])
    with no_hang():
        assert clean(text) == shows
    if not any(unicodedata.category(letter).startswith("M") for letter in shows):  # the emulator drops vowel signs
        assert on_a_terminal(clean(text)) == shows.rstrip()
    assert next(csv.reader(io.StringIO(csv_cell(text))), [""]) == [csv_cell(text)] or "," in shows or '"' in shows


@seeds("terminal")
def test_a_log_line_cannot_be_forged(seed: Seed, tmp_path: Path) -> None:
    log.configure(str(tmp_path), SystemClock(), "info")
    log.get("test").info("answer", message=spelled(seed["text"]))
    raw = (tmp_path / "ordo.log").read_bytes()
    assert raw.count(b"\n") == 1
    assert raw.isascii()
    assert raw.strip().decode().isprintable()
    assert json.loads(raw)["event"] == "answer"


def judge_file(seed: Seed, kind: Format) -> None:
    with no_growth(), no_hang():
        rows, faults = batchfiles.parse(bytes_of(seed)[: batchfiles.LARGEST + 1], kind)
    for fault in faults:
        assert fault.message == clean(fault.message)
    if seed["verdict"] == "accept":
        assert not faults
        assert len(rows) == seed["rows"]
        if "limit" in seed:
            assert str(rows[0].intent.limit_price) == seed["limit"]
        return
    assert seed["says"] in " ".join(fault.message for fault in faults if fault.line == seed["line"])
    assert set(seed.get("more_lines", [])) <= {fault.line for fault in faults}


def read_file(name: str) -> object:
    kind = batchfiles.format_of(name, None)
    rows, faults = batchfiles.parse(batchfiles.load(name), kind)
    if faults:
        raise Invalid(faults[0].message)
    return rows


def strange_folder(folder: Path) -> Path:
    """A folder of everything that a path may turn out to be."""
    good = "side,instrument,qty,to\nbuy,NSE:INFY,1,alice\n"
    for name in (
        "good.csv",
        "good",
        "good.xlsx",
        "GOOD.CSV",
        "a b.csv",
        "-rf.csv",
        "secret.csv",
        "\u0906\u0926\u0947\u0936.csv",
    ):
        (folder / name).write_text(good)
    (folder / "secret.csv").chmod(0)
    (folder / "folder.csv").mkdir()
    (folder / "link.csv").symlink_to("good.csv")
    (folder / "dangling.csv").symlink_to("nothing.csv")
    (folder / "circle.csv").symlink_to("circle.csv")
    with (folder / "large.csv").open("wb") as file:
        file.truncate(10**9)
    os.mkfifo(folder / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as bound:
        at = os.getcwd()
        os.chdir(folder)
        try:
            bound.bind("socket.csv")
        finally:
            os.chdir(at)
    return folder


def on_a_terminal(text: str) -> str:
    """What a terminal shows of the text: everything on its screen."""
    screen = pyte.Screen(600, 3)
    pyte.Stream(screen).feed(text)
    return "".join(line.rstrip() for line in screen.display)
