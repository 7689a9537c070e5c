"""P5: what an order to real brokers costs as a whole process: adapters, cold TLS, planning's questions, journal.

The last row is the same order handed to an `ordo serve` of the same home, whose connections are warm.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ordo_cli.desk import open_desk
from ordo_cli.home import home_at
from ordo_cli.services import masters
from tests.benchmarks.four_brokers import Place, add_accounts, at_loopback, new_home, put_lists, trusted_folder
from tests.benchmarks.loopback import loopback
from tests.benchmarks.measure import ORDO, Row, beside_nothing, environment, ordo, process
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

        def home_of(places: Sequence[Place]) -> Path:
            home = new_home(Path(tempfile.mkdtemp(dir=folder)))
            asyncio.run(_accounts(home, places))
            return home

        def buy(home: Path) -> Callable[[], None]:
            return process((sys.executable, "-m", "tests.benchmarks.ordo_trusting", trusted, *WORDS), environment(home))

        homes = [home_of(at_loopback(server, DELAY_MS, wanted)) for wanted in (THREE, ALIKE, HUNDRED)]
        at_sandbox = home_of([each for each in customers if each.broker in dict(THREE)])
        with _served(homes[-1], trusted) as over:
            works = [*map(buy, [*homes, at_sandbox]), over]
            floor, (three, alike, hundred, sandbox, handed) = beside_nothing(works, TIMES)
    return [
        Row("ordo buy, 3 accounts at 3 brokers, cold TLS, 20 ms", floor, three, must=21, aim=13),
        Row("the same, 3 accounts at one of them", floor, alike, must=21, aim=13),
        Row("the same, 4 brokers x 25 accounts", floor, hundred, must=29, aim=20),
        Row("3 accounts at 3 brokers of `ordo sandbox`, plain http", floor, sandbox, must=None, aim=None),
        Row("4 brokers x 25 accounts, to a running `ordo serve`, warm TLS", floor, handed, must=None, aim=None),
    ]


@contextmanager
def _served(home: Path, trusted: str) -> Iterator[Callable[[], None]]:
    """The same order over the Unix socket of a server that is running."""
    token = ordo(home, "token", "create", "bench", "--scope", "trade", "--scope", "read", "--no-input").split()[-1]
    socket = home / "run" / "serve.sock"
    command = (sys.executable, "-m", "tests.benchmarks.ordo_trusting", trusted, "serve", "--socket", str(socket))
    with subprocess.Popen(command, env=environment(home), stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            line = server.stderr.readline()
            if not socket.exists():
                raise RuntimeError(line + server.stderr.read())
            yield process((*ORDO, *WORDS), environment(ORDO_REMOTE=f"unix://{socket}", ORDO_TOKEN=token))
        finally:
            server.terminate()


async def _accounts(home: Path, places: Sequence[Place]) -> None:
    async with open_desk(home_at(str(home))) as desk:
        await add_accounts(desk, places)
        if places[0].url.startswith("https"):
            await put_lists(desk)
        else:
            await masters.sync(desk)
