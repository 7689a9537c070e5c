"""P6 and P9 through the four real adapters: one order to 4 brokers x 25 accounts, over warm lines and over none yet."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

from ordo_cli import brokers
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import Rejected
from ordo_cli.domain.fanouts import Outcome
from ordo_cli.domain.kill import scopes_over
from ordo_cli.domain.orders import Tag
from ordo_cli.domain.values import replace
from ordo_cli.home import home_at
from ordo_cli.services import orders
from ordo_cli.services.planning import PlaceRequest
from tests.benchmarks.dialects import READ, path_of
from tests.benchmarks.fan_out import INTENT, WARM_UP
from tests.benchmarks.four_brokers import (
    NAMES,
    TAGLESS,
    add_accounts,
    at_loopback,
    new_home,
    put_lists,
    timed,
    trusted_folder,
    trusting,
)
from tests.benchmarks.loopback import Loopback, loopback
from tests.benchmarks.loopback_broker import Stopwatch
from tests.benchmarks.measure import Row

NAME = "fan-out through the real adapters"
EACH, DELAY_MS, ROUNDS = 25, 20, 12
TAG = Tag("O1234567890ABCDE")
BODY = b"transaction_type=BUY&exchange=NSE&tradingsymbol=INFY&quantity=1&product=CNC&order_type=LIMIT&price=1500.00"


def measure() -> list[Row]:
    with loopback() as server, tempfile.TemporaryDirectory() as folder:
        with trusting(trusted_folder(server.authority, Path(folder) / "certificates")):
            return asyncio.run(_measure(server, Path(folder)))


async def _measure(server: Loopback, folder: Path) -> list[Row]:
    everybody = [(name, EACH) for name in NAMES]
    tagged = [(name, 2 * EACH) for name in NAMES if name not in TAGLESS]
    warm = await _warm(server, folder / "warm", everybody)
    alike = await _warm(server, folder / "tagged", tagged)
    cold = await _cold(server, folder / "cold", everybody)
    return [
        Row("4 brokers x 25, 20 ms, gate and journal; 50 legs read a book first", warm.floor, warm.ours, 2.4, 1.4),
        Row("the same beside raw streams that ask for those books too", warm.books, warm.ours, None, None),
        Row("2 brokers x 50, whose books need not be read", alike.floor, alike.ours, 2.4, 1.4),
        Row("the whole call for 4 x 25: quotes, funds, books, orders", warm.floor, warm.whole, None, None),
        Row("P9: 4 x 25 over lines not open yet, adapters and gate", cold.floor, cold.ours, 1.5, 1.15),
        Row("P9: the whole call on a desk just opened", cold.floor, cold.whole, None, None),
    ]


class Floor:
    """Raw asyncio streams to the same paths of the same server, one line for each leg."""

    def __init__(self, server: Loopback, wanted: Sequence[tuple[str, int]], *, books: bool) -> None:
        self._server = server
        self._questions = [_questions(name, books=books) for name, count in wanted for _ in range(count)]
        self._lines: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def warm(self) -> float:
        """Milliseconds of a round over lines that are open."""
        if not self._lines:
            self._lines = [await self._open() for _ in self._questions]
        begin = time.perf_counter()
        await asyncio.gather(*(_ask(*line, each) for line, each in zip(self._lines, self._questions, strict=True)))
        return (time.perf_counter() - begin) * 1e3

    async def cold(self) -> float:
        """Milliseconds of a round with the opening of its lines."""

        async def leg(questions: Sequence[bytes]) -> None:
            line = await self._open()
            self._lines.append(line)
            await _ask(*line, questions)

        begin = time.perf_counter()
        await asyncio.gather(*map(leg, self._questions))
        spent = (time.perf_counter() - begin) * 1e3
        self.close()
        return spent

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._server.port, ssl=self._server.trusting)

    def close(self) -> None:
        for _, writer in self._lines:
            writer.transport.abort()
        self._lines.clear()


def _questions(broker: str, *, books: bool) -> list[bytes]:
    def question(method: str, path: str, body: bytes) -> bytes:
        head = f"{method} /{DELAY_MS}/{broker}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: token a:b\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    book = [path.removeprefix("get ") for path, _ in READ[broker] if path.endswith("/orders") and path.startswith("get")]
    before = [question("GET", book[-1], b"")] if books and broker in TAGLESS else []
    return [*before, question("POST", path_of(broker), BODY)]


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, questions: Sequence[bytes]) -> None:
    for question in questions:
        writer.write(question)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.rsplit(b":", 1)[1]))


class Found:
    """Milliseconds of each way, one for each round."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {"floor": [], "books": [], "ours": [], "whole": []}

    def add(self, **spent: float) -> None:
        for name, milliseconds in spent.items():
            self.taken[name].append(milliseconds)

    def __getattr__(self, name: str) -> float:
        return median(self.taken[name])


@asynccontextmanager
async def _desk(home: Path, watch: Stopwatch) -> AsyncIterator[Desk]:
    async with open_desk(home_at(str(home)), find=timed(watch)) as desk:
        yield desk


async def _place(desk: Desk) -> float:
    """One order to everybody; milliseconds of the whole call. A leg that was not taken is no measurement."""
    request = PlaceRequest(INTENT, (Target("all"),), allow_duplicate=True, confirmed=True)
    begin = time.perf_counter()
    fan_out = await orders.place(desk, request)
    spent = (time.perf_counter() - begin) * 1e3
    if fan_out.outcome is not Outcome.SUCCESS:
        raise Rejected(next(str(leg.problem) for leg in fan_out.legs if leg.problem))
    return spent


async def _warm(server: Loopback, folder: Path, wanted: Sequence[tuple[str, int]]) -> Found:
    watch, found = Stopwatch(), Found()
    floor, books = Floor(server, wanted, books=False), Floor(server, wanted, books=True)
    async with _desk(new_home(folder), watch) as desk:
        await add_accounts(desk, at_loopback(server, DELAY_MS, wanted))
        await put_lists(desk)
        for turn in range(ROUNDS + WARM_UP):
            gc.collect()
            bare, read = await floor.warm(), await books.warm()
            gc.collect()
            whole = await _place(desk)
            ours = watch.milliseconds()
            if turn >= WARM_UP:
                found.add(floor=bare, books=read, ours=ours, whole=whole)
            await asyncio.sleep(0.5)  # a broker takes a few orders of an account in a second, and ordo sends no more
    floor.close()
    books.close()
    return found


async def _cold(server: Loopback, folder: Path, wanted: Sequence[tuple[str, int]]) -> Found:
    watch, found = Stopwatch(), Found()
    floor = Floor(server, wanted, books=False)
    async with _desk(new_home(folder), watch) as desk:
        await add_accounts(desk, at_loopback(server, DELAY_MS, wanted))
        await put_lists(desk)
    for turn in range(ROUNDS // 2 + 1):
        gc.collect()
        bare = await floor.cold()
        async with _desk(folder, watch) as desk:
            gc.collect()
            whole = await _place(desk)
            watch.milliseconds()
            gc.collect()
            ours = await _over_new_lines(desk)
        if turn:
            found.add(floor=bare, ours=ours, whole=whole)
        await asyncio.sleep(0.5)
    return found


async def _over_new_lines(desk: Desk) -> float:
    """Milliseconds from the first call for a connection to the last answer, for as many legs as there are accounts."""
    everybody = await desk.store.accounts.all()
    async with AsyncExitStack() as stack:
        lines = []
        for account in everybody:
            session = await desk.sessions.opened(await desk.sessions.row(account.id))
            tools, credentials = replace(desk.lines.tools(account), session=session), await desk.lines.credentials(account)
            opened = brokers.spec(account.broker).connect(account, credentials, tools)
            lines.append(await stack.enter_async_context(opened))
        stamps = [desk.gate.stamps(scopes_over(account)) for account in everybody]
        deadline = desk.clock.elapsed() + 30

        async def leg(number: int) -> None:
            async def claim() -> float:
                return desk.clock.elapsed()

            permit = desk.gate.permit(stamps[number], claim=claim, deadline=deadline)
            await lines[number].place(INTENT, TAG, permit)

        begin = time.perf_counter()
        await asyncio.gather(*map(leg, range(len(lines))))
        return (time.perf_counter() - begin) * 1e3
