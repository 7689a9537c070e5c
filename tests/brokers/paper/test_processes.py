"""One file, many processes: nothing is lost, nothing is doubled, and a sender that dies has sent or has not."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.brokers.paper import views
from ordo_cli.brokers.paper.behaviours import Behaviour
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.messages import place_message
from ordo_cli.brokers.paper.oracle import orders_per_tag, received
from ordo_cli.brokers.paper.schema import VERSION
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import KillEngaged, NoAnswer, Unreachable
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import OrderIntent, Product, Side, Tag
from ordo_cli.machine import SystemClock
from tests.brokers.contract import OpenPermit, ShutPermit
from tests.brokers.paper.conftest import Opened

INFY = parse_instrument("NSE:INFY")
BUY = OrderIntent(Side.BUY, INFY, 10, Decimal(1500))
SPAWN = multiprocessing.get_context("spawn")


def quiet_exchange(path: str) -> Exchange:
    """Infosys at 1500 with nothing on offer, so that accounts trade with each other alone."""
    exchange = Exchange(path, SystemClock())
    exchange.set_price("NSE:INFY", 1500 * 10_000, 0)
    return exchange


def run(work: Callable[..., None], *arguments: tuple[object, ...]) -> list[int | None]:
    """Each set of arguments in a process of its own, all at once; how each of them ended."""
    processes = [SPAWN.Process(target=work, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def trade_much(path: str, number: int, orders: int) -> None:
    exchange = Exchange(path, SystemClock())
    for each in range(orders):
        intent = OrderIntent(
            side=Side.BUY if (number + each) % 2 else Side.SELL,
            instrument=INFY,
            quantity=1 + each % 7,
            limit_price=Decimal(1495 + each % 11),
            product=Product.MIS,
        )
        sent = place_message(AccountId(f"a{number}"), intent, Tag(f"O{number}X{each}"), Behaviour())
        answer = exchange.answer(exchange.send(sent, None))
        assert answer is not None
        assert answer.code is None, answer.message
    exchange.close()


def test_processes_that_trade_with_each_other_keep_one_true_book(tmp_path: Path) -> None:
    path = str(tmp_path / "paper.db")
    quiet_exchange(path).close()
    assert run(trade_much, *((path, number, 60) for number in range(4))) == [0] * 4
    first, second = Exchange(path, SystemClock()), Exchange(path, SystemClock())
    assert set(orders_per_tag(first).values()) == {1}
    assert len(received(first)) == 240
    books = [[views.orders(exchange, f"a{number}") for number in range(4)] for exchange in (first, second)]
    assert books[0] == books[1]
    rows = [row for book in books[0] for row in book]
    assert sum(row.filled_quantity * row.side.sign for row in rows) == 0
    assert any(row.filled_quantity for row in rows)
    net = [sum(position.quantity for position in views.positions(first, f"a{number}")) for number in range(4)]
    assert net == [sum(row.filled_quantity * row.side.sign for row in book) for book in books[0]]


def open_and_place(path: str, number: int) -> None:
    exchange = Exchange(path, SystemClock())
    exchange.send(place_message(AccountId(f"a{number}"), BUY, Tag(f"O{number}"), Behaviour()), None)


def test_processes_that_all_find_no_file_make_one(tmp_path: Path) -> None:
    path = str(tmp_path / "data" / "paper.db")
    assert run(open_and_place, *((path, number) for number in range(6))) == [0] * 6
    assert len(received(Exchange(path, SystemClock()))) == 6
    assert sorted(os.listdir(tmp_path / "data"))[0] == "paper.db"
    assert not [name for name in os.listdir(tmp_path / "data") if ".new-" in name]
    assert os.stat(path).st_mode & 0o777 == 0o600


class DyingPermit(OpenPermit):
    """Kills its own process at a moment of the sending."""

    def __init__(self, after: bool) -> None:
        super().__init__()
        self._after = after

    @contextmanager
    def passing(self) -> Iterator[None]:
        if not self._after:
            os.kill(os.getpid(), signal.SIGKILL)
        yield
        os.kill(os.getpid(), signal.SIGKILL)


def die_while_sending(path: str, after: bool) -> None:
    exchange = Exchange(path, SystemClock())
    exchange.send(place_message(AccountId("alice"), BUY, Tag("ODEAD"), Behaviour()), DyingPermit(after))


def test_a_sender_killed_after_the_first_byte_has_sent_its_order_once(tmp_path: Path) -> None:
    path = str(tmp_path / "paper.db")
    assert run(die_while_sending, (path, True)) == [-signal.SIGKILL]
    exchange = Exchange(path, SystemClock())
    assert [row.tag for row in views.orders(exchange, "alice")] == ["ODEAD"]
    assert [row.tag for row in views.orders(exchange, "alice")] == ["ODEAD"]


def test_a_sender_killed_before_the_first_byte_has_sent_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "paper.db")
    assert run(die_while_sending, (path, False)) == [-signal.SIGKILL]
    exchange = Exchange(path, SystemClock())
    assert received(exchange) == []
    assert views.orders(exchange, "alice") == []


def test_a_shut_permit_leaves_no_byte_and_no_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "paper.db")
    exchange = Exchange(path, SystemClock())
    permit = ShutPermit()
    with pytest.raises(KillEngaged):
        exchange.send(place_message(AccountId("alice"), BUY, Tag("OSHUT"), Behaviour()), permit)
    assert permit.bytes_sent == 0
    assert received(exchange) == []
    Exchange(path, SystemClock()).send(place_message(AccountId("bob"), BUY, Tag("OFREE"), Behaviour()), OpenPermit())
    assert len(received(exchange)) == 1


def test_a_file_that_is_held_is_unreachable_before_the_first_byte(tmp_path: Path, opened: Opened) -> None:
    path = str(tmp_path / "paper.db")
    exchange = Exchange(path, SystemClock())
    exchange.db.execute("PRAGMA busy_timeout = 50")
    holder = opened(path)
    holder.execute("BEGIN IMMEDIATE")
    permit = OpenPermit()
    with pytest.raises(Unreachable):
        exchange.send(place_message(AccountId("alice"), BUY, Tag("OHELD"), Behaviour()), permit)
    assert permit.bytes_sent == 0
    with pytest.raises(Unreachable):
        views.funds(exchange, "alice")
    holder.execute("ROLLBACK")
    assert received(exchange) == []


def test_a_file_that_fails_after_the_first_byte_gives_no_answer(tmp_path: Path, opened: Opened) -> None:
    path = str(tmp_path / "paper.db")
    exchange = Exchange(path, SystemClock())
    number = exchange.send(place_message(AccountId("alice"), BUY, Tag("OHELD"), Behaviour()), OpenPermit())
    exchange.db.execute("PRAGMA busy_timeout = 50")
    holder = opened(path)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(NoAnswer):
        exchange.answer(number)
    holder.execute("ROLLBACK")
    assert len(views.orders(exchange, "alice")) == 1


def test_a_full_disk_is_unreachable_before_the_first_byte(tmp_path: Path) -> None:
    exchange = Exchange(str(tmp_path / "paper.db"), SystemClock())
    pages = exchange.db.execute("PRAGMA page_count").fetchone()[0]
    exchange.db.execute(f"PRAGMA max_page_count = {pages}")
    sent: list[OpenPermit] = []
    with pytest.raises((Unreachable, NoAnswer)) as failure:
        fill(exchange, sent)
    assert isinstance(failure.value, Unreachable) == (sent[-1].bytes_sent == 0)
    assert len(received(exchange)) == len(sent) - 1


def fill(exchange: Exchange, sent: list[OpenPermit]) -> None:
    while len(sent) < 1_000:
        sent.append(OpenPermit())
        exchange.send(place_message(AccountId("alice"), BUY, Tag(f"OFULL{len(sent)}"), Behaviour()), sent[-1])


def test_no_order_waits_for_the_disk_behind_its_permit_and_the_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = str(tmp_path / "paper.db")
    exchange = Exchange(path, SystemClock())
    made = os.stat(path).st_mtime_ns
    numbers = [
        exchange.send(place_message(AccountId("alice"), BUY, Tag(f"O{each}"), Behaviour()), OpenPermit())
        for each in range(400)
    ]
    long = os.stat(path + "-wal").st_size
    assert long > 1_000 * 4_096
    assert os.stat(path).st_mtime_ns == made
    exchange.answers(numbers)
    assert os.stat(path).st_mtime_ns > made
    for _ in range(200):
        exchange.answer(exchange.send(place_message(AccountId("bob"), BUY, Tag("O"), Behaviour()), OpenPermit()))
    assert os.stat(path + "-wal").st_size < 2 * long


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "paper.db")
    Exchange(path, SystemClock()).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(Unreachable) as refusal:
        Exchange(path, SystemClock())
    assert f"version {VERSION + 1}" in refusal.value.message
    assert refusal.value.hint
