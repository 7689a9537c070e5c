"""`ordo sandbox` as a benchmark needs it: in a process of its own, without limits of rate, its customers logged in."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from ordo_cli.machine import SystemClock
from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.sandbox import GATEWAYS, Settings, serving
from ordo_cli.sandbox.sessions import Session
from tests.benchmarks.four_brokers import Place
from tests.benchmarks.measure import ROOT


@contextmanager
def sandboxed(each: int) -> Iterator[list[Place]]:
    """So many customers of each broker, for as long as they are needed."""
    command = [sys.executable, "-m", "tests.benchmarks.sandboxed", str(each)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        try:
            yield [Place(**row) for row in json.loads(process.stdout.readline())]
        finally:
            process.kill()


def _credentials(account: SandboxAccount) -> dict[str, str]:
    user, key, secret = account.user, account.api_key, account.api_secret
    return {
        "zerodha": {"user_id": user, "api_key": key, "api_secret": secret},
        "fyers": {"app_id": key, "app_secret": secret, "redirect_uri": "http://127.0.0.1:8021"},
        "hdfc": {"api_key": key, "api_secret": secret, "user_id": user, "password": account.password},
        "mstock": {"client_id": user, "password": account.password, "api_key": key},
    }[account.broker]


async def _serve(each: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(folder=folder, brokers=GATEWAYS, port=0, accounts=each)
        async with serving(settings, SystemClock(), lambda line: None) as sandbox:
            told, now = [], sandbox.clock.now()
            for desk in sandbox.desks.values():
                desk.rates.on = False
                for number, account in enumerate(desk.accounts):
                    token = f"token-of-{account.user}"
                    desk.sessions.begin(Session(account, token, now, now + timedelta(hours=12)))
                    place = Place(
                        id=f"{desk.broker}{number}",
                        broker=desk.broker,
                        url=f"http://127.0.0.1:{desk.port}",
                        credentials=_credentials(account),
                        token=token,
                    )
                    told.append(vars(place))
            print(json.dumps(told), flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
