"""Brokers that keep a list of instruments on a server that a test names, for tests of the commands that fetch them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ordo_cli import brokers
from ordo_cli.brokers import opening, paper
from ordo_cli.brokers.base import BrokerSession, Challenge, ChallengeKind, Login, Tools
from ordo_cli.brokers.masters import MasterFile, MasterSource, Row
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.fanouts import Mode
from tests.index.rows import few


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def serving(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The brokers `lists` and `other`, while a server has this folder with a list of few instruments of the first."""
    folder.mkdir()
    text = "".join(f"{row.instrument},{row.name},{row.code}\n" for row in few())
    (folder / "lists.csv").write_text(text)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("LISTS_URL", f"http://127.0.0.1:{server.server_port}")
    for name in ("lists", "other"):
        monkeypatch.setitem(brokers.MODULES, BrokerName(name), "tests.cli.lists")
    try:
        yield folder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def files(account: Account) -> Sequence[MasterFile]:
    """Of an account of the group `misled` there is nothing on the server."""
    if "misled" in account.groups:
        return [MasterFile("all", f"{os.environ['LISTS_URL']}/nothing.csv")]
    return [MasterFile("all", f"{os.environ['LISTS_URL']}/{account.broker}.csv")]


def parse(file: str, lines: Iterable[str]) -> Iterator[Row]:
    for line in lines:
        name, title, code = line.strip().split(",")
        yield Row(name, title, "0.05", 1, code, segment="NSE")


class Asking:
    """A login that takes any code for an answer."""

    async def start(self, account: Account, credentials: Mapping[str, str], tools: Tools) -> Challenge:
        return Challenge(ChallengeKind.OTP, "any code", tools.clock.now() + timedelta(minutes=5), b"")

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession:
        return BrokerSession({"token": text}, tools.clock.now() + timedelta(hours=8))

    async def probe(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None: ...

    async def logout(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None: ...


def login(account: Account) -> Login | None:
    """Accounts of the group `asked` have to log in."""
    return Asking() if "asked" in account.groups else None


SPEC = replace(
    paper.SPEC,
    name=BrokerName("lists"),
    mode=Mode.LIVE,
    check_account=opening.check_account,
    login=login,
    master=MasterSource(files, parse),
)
