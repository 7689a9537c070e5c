"""P16: a broker's list of 150,000 instruments, from the lines of its file to the index, and looking things up in it."""

from __future__ import annotations

import csv
import gc
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median

from ordo_cli.brokers.indexed import IndexedMaster
from ordo_cli.brokers.masters import Listing, MasterSource, Row
from ordo_cli.brokers.taking import take
from ordo_cli.domain.instruments import Instrument, InstrumentId, kind_of, parse_instrument
from ordo_cli.index.reading import Index
from ordo_cli.index.search import search
from tests.benchmarks.measure import ORDO, compiled, environment, process, timed
from tests.benchmarks.measure import Row as Line
from tests.index.rows import TODAY, many

NAME = "instrument master"
ROWS = 150_000
TEXTS = ("infy", "nifty 24500 ce nov", "nifty24nov24500ce", "reliance fut", "bank nifty 52000 pe", "q 24500 ce", "a")
Parse = Callable[[str, Iterable[str]], Iterator[Listing | Row]]
CALL = "NFO:NIFTY24NOV2624500CE"


def measure() -> list[Line]:
    with tempfile.TemporaryDirectory() as folder:
        file, index = Path(folder) / "all.csv", Path(folder) / "acme.idx"
        _write(file, many(ROWS))
        lean, taken = _taking(file, as_rows, times=5)
        objects, _ = _taking(file, as_listings, times=3)
        reading = median(timed(lambda: _read(file)) for _ in range(3))
        index.write_bytes(taken)
        cold = median(timed(lambda: Index(str(index)).named(CALL)) for _ in range(200))
        name, master = parse_instrument(CALL), IndexedMaster(str(index))
        warm = median(timed(lambda: [master.listing(name) for _ in range(1_000)]) for _ in range(10)) / 1_000
        opened = Index(str(index))
        searches = {text: median(timed(lambda text=text: search(opened, text)) for _ in range(9)) for text in TEXTS}  # type: ignore[misc]
        completed = _completed(Path(folder), index)
    slowest = max(searches, key=lambda text: searches[text])
    typical = searches["nifty 24500 ce nov"]
    return [
        Line("150,000 rows parsed and indexed", None, lean, must=3_000, aim=1_500, note=f"CSV alone {reading:.0f} ms"),
        Line("the same as Listing objects", None, objects, must=None, aim=None),
        Line("lookup cold: open and find one", None, cold, must=1, aim=0.2),
        Line("lookup warm, to a Listing", None, warm, must=1, aim=0.2, note=f"{1000 / warm:,.0f} a second"),
        Line("search, a contract by words", None, typical, must=50, aim=10),
        Line("search, the slowest of them", None, searches[slowest], must=50, aim=None, note=repr(slowest)),
        Line("a word completed, whole process", None, completed, must=100, aim=60),
    ]


def _taking(file: Path, parse: Parse, times: int) -> tuple[float, bytes]:
    """Milliseconds from the lines of the file to the bytes of the index, and these."""
    source, spent, made = MasterSource(lambda account: (), parse), [], b""
    for _ in range(times):
        gc.collect()

        def work() -> None:
            nonlocal made
            made = take(source, [("all", str(file))], TODAY).index

        spent.append(timed(work))
    return median(spent), made


def as_rows(name: str, lines: Iterable[str]) -> Iterator[Row]:
    """As an adapter reads its file, the lean way."""
    rows = csv.reader(lines)
    next(rows)
    for exchange, symbol, title, tick, lot, freeze, isin, code, token, *_ in rows:
        yield Row(
            f"{exchange}:{symbol}",
            title,
            tick,
            int(lot),
            code,
            token,
            exchange,
            int(freeze) if freeze else None,
            isin=isin or None,
        )


def as_listings(name: str, lines: Iterable[str]) -> Iterator[Listing]:
    """The same with objects."""
    for row in as_rows(name, lines):
        instrument: InstrumentId = parse_instrument(row.instrument)
        kind, tick = kind_of(instrument), Decimal(row.tick)
        yield Listing(
            Instrument(instrument, row.name, kind, tick, row.lot, row.freeze_quantity, isin=row.isin),
            row.code,
            row.token,
            row.segment,
        )


def _write(file: Path, rows: list[Row]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    head = "exchange symbol name tick lot freeze isin code token last expiry strike"
    writer.writerow(head.split(" "))
    for row in rows:
        exchange, symbol = row.instrument.split(":")
        freeze, isin = row.freeze_quantity or "", row.isin or ""
        facts = [exchange, symbol, row.name, row.tick, row.lot, freeze, isin, row.code, row.token]
        writer.writerow([*facts, "0", "2026-11-24", "24500"])
    file.write_text(text.getvalue())


def _read(file: Path) -> None:
    with file.open(newline="") as lines:
        for _ in csv.reader(lines):
            pass


def _completed(folder: Path, index: Path) -> float:
    compiled()
    home = folder / "home"
    (home / "instruments").mkdir(parents=True)
    index.rename(home / "instruments" / "acme.idx")
    words = {"_ORDO_COMPLETE": "complete_bash", "COMP_WORDS": "ordo\nbuy\nNFO\n:\nNIFTY24NOV26245", "COMP_CWORD": "4"}
    work = process(ORDO, environment(home, **words))
    return median(timed(work) for _ in range(11))
