"""P5: what an order to real brokers costs as a whole process: adapters, cold TLS, planning's questions, journal."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ordo_cli.desk import open_desk
from ordo_cli.home import home_at
from ordo_cli.services import masters
from tests.benchmarks.four_brokers import Place, add_accounts, at_loopback, new_home, put_lists, trusted_folder
from tests.benchmarks.loopback import loopback
from tests.benchmarks.measure import Row, beside_nothing, environment, process
from tests.benchmarks.sandboxed import sandboxed

NAME = "buy at real brokers, whole process"
DELAY_MS, TIMES = 20, 11
WORDS = ("buy", "NSE:INFY", "--qty", "1", "--limit", "1500", "--to", "@family", "--yes", "--allow-duplicate")
THREE = (("zerodha", 1), ("fyers", 1), ("hdfc", 1))
ALIKE = (("zerodha", 3),)
HUNDRED = (("zerodha", 25), ("fyers", 25), ("hdfc", 25), ("mstock", 25))


def measure() -> list[Row]:
    with loopback() as server, sandboxed(each=1) as customers, tempfile.TemporaryDirectory() as folder:
        trusted = trusted_folder(server.authority, Path(folder) / "certificates")

        def buy(places: Sequence[Place]) -> Callable[[], None]:
            home = new_home(Path(tempfile.mkdtemp(dir=folder)))
            asyncio.run(_accounts(home, places))
            command = (sys.executable, "-m", "tests.benchmarks.ordo_trusting", trusted, *WORDS)
            return process(command, environment(home))

        works = [buy(at_loopback(server, DELAY_MS, wanted)) for wanted in (THREE, ALIKE, HUNDRED)]
        at_sandbox = buy([each for each in customers if each.broker in dict(THREE)])
        floor, (three, alike, hundred, sandbox) = beside_nothing([*works, at_sandbox], TIMES)
    return [
        Row("ordo buy, 3 accounts at 3 brokers, cold TLS, 20 ms", floor, three, must=21, aim=13),
        Row("the same, 3 accounts at one of them", floor, alike, must=21, aim=13),
        Row("the same, 4 brokers x 25 accounts", floor, hundred, must=29, aim=20),
        Row("3 accounts at 3 brokers of `ordo sandbox`, plain http", floor, sandbox, must=None, aim=None),
    ]


async def _accounts(home: Path, places: Sequence[Place]) -> None:
    async with open_desk(home_at(str(home))) as desk:
        await add_accounts(desk, places)
        if places[0].url.startswith("https"):
            await put_lists(desk)
        else:
            await masters.sync(desk)
