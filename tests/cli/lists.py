"""Brokers that keep a list of instruments on a server that a test names, for tests of the commands that fetch them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ordo_cli.brokers import opening, paper
from ordo_cli.brokers.masters import MasterFile, MasterSource, Row
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.fanouts import Mode


def files(account: Account) -> Sequence[MasterFile]:
    """Of an account of the group `misled` there is nothing on the server."""
    if "misled" in account.groups:
        return [MasterFile("all", f"{os.environ['LISTS_URL']}/nothing.csv")]
    return [MasterFile("all", f"{os.environ['LISTS_URL']}/{account.broker}.csv")]


def parse(file: str, lines: Iterable[str]) -> Iterator[Row]:
    for line in lines:
        name, title, code = line.strip().split(",")
        yield Row(name, title, "0.05", 1, code, segment="NSE")


SPEC = replace(
    paper.SPEC,
    name=BrokerName("lists"),
    mode=Mode.LIVE,
    check_account=opening.check_account,
    master=MasterSource(files, parse),
)
