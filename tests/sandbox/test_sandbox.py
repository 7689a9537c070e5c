"""The sandbox as a whole: what gateways agree on, what repeats with a seed, its command, and who can reach it."""

from __future__ import annotations

import asyncio
import csv
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from ordo_cli.domain.errors import Busy, Invalid, NotFound
from ordo_cli.sandbox.accounts import make_accounts
from ordo_cli.sandbox.chance import SeededChance
from ordo_cli.sandbox.codes import is_totp, totp
from ordo_cli.sandbox.sandbox import GATEWAYS, Settings, gateway, serving, table
from tests.fakes import FakeClock
from tests.house.tree import ROOT
from tests.sandbox.conftest import Running
from tests.sandbox.kite import Kite
from tests.sandbox.test_fyers import Fyers
from tests.sandbox.test_hdfc import Hdfc
from tests.sandbox.test_mstock import MStock


async def test_every_master_tells_the_same_of_the_same_instrument(running: Running) -> None:
    """(lot, expiry, strike and right, tick, number of the exchange) at each broker."""
    kite, mstock = await Kite(running).log_in(), await MStock(running).log_in()
    seen = []
    for answer in (await kite.call("GET", "/instruments"), await mstock.call("GET", "/instruments/scriptmaster")):
        rows = {row["exchange_token"]: row for row in csv.DictReader(answer.text.splitlines())}
        seen.append(
            {
                token: (row["lot_size"], row["expiry"], row["strike"], row["instrument_type"], float(row["tick_size"]))
                for token, row in rows.items()
            }
        )
    fyers: dict[str, tuple[str, str, str, str, float]] = {}
    for name in ("NSE_CM", "NSE_FO"):
        answer = await running.http.get(running.url("fyers", f"/sym_details/{name}.csv"))
        for row in csv.reader(answer.text.splitlines()):
            expiry = datetime.fromtimestamp(int(row[8]), UTC).date().isoformat() if row[8] else ""
            kind = "EQ" if row[2] == "0" else "FUT" if row[16] == "XX" else row[16]
            strike = "0" if row[15] == "-1.0" else row[15].removesuffix(".0")
            fyers[row[12]] = (row[3], expiry, strike, kind, float(row[4]))
    seen.append(fyers)
    hdfc: dict[str, tuple[str, str, str, str, float]] = {}
    for line in csv.DictReader(
        (await running.http.get(running.url("hdfc", "/oapi/v1/security-master"))).text.splitlines()
    ):
        share = line["instrument_segment"] == "EQUITY"
        kind = "EQ" if share else "FUT" if line["option_type"] == "XX" else line["option_type"]
        strike = line["strike_price"].removesuffix(".00") if line["option_type"] != "XX" else "0"
        tick = float(line["tick_size"]) / (1 if "." in line["tick_size"] else 100)
        hdfc[line["exch_security_id"]] = (line["lot_size"], line["expiry_date"], strike, kind, tick)
    seen.append(hdfc)
    assert len(seen[0]) > 150
    assert seen[0] == seen[1] == seen[2] == seen[3]


async def test_accounts_of_different_brokers_trade_with_each_other(running: Running) -> None:
    await running.hold("NSE:INFY", "1500", depth=0)
    buyer, seller = await Kite(running).log_in(), await Fyers(running).log_in()
    await buyer.placed(price="1500", quantity="10")
    await seller.placed(side=-1, productType="INTRADAY", limitPrice=1500)
    assert (await buyer.book())[0]["status"] == "COMPLETE"
    assert (await seller.book())[0]["status"] == 2


async def test_every_broker_counts_two_orders_with_one_tag(running: Running) -> None:
    await running.hold("NSE:INFY", "1500")
    for one in (Kite(running), MStock(running), Fyers(running)):
        await one.log_in()
        for _ in range(2):
            await one.place(tag="TWICE") if not isinstance(one, Fyers) else await one.place(orderTag="TWICE")
    hdfc = await Hdfc(running).log_in()
    for _ in range(2):
        await hdfc.place(external_reference_number="22")
    tags = (await running.ask("tags"))["tags"]
    assert {entry["account"].partition("-")[0]: entry["accepted"] for entry in tags} == dict.fromkeys(GATEWAYS, 2)


@pytest.mark.parametrize("broker", GATEWAYS)
async def test_every_broker_refuses_a_stranger_in_its_own_way(running: Running, broker: str) -> None:
    paths = {
        "zerodha": "/orders",
        "mstock": "/openapi/typea/orders",
        "fyers": "/api/v3/orders",
        "hdfc": "/oapi/v1/orders",
    }
    answer = await running.http.get(running.url(broker, paths[broker]), headers={"X-Mirae-Version": "1"})
    assert answer.status_code in (401, 403)
    assert answer.json()["message"]
    [row] = (await running.ask("requests", broker=broker))["requests"]
    assert (row["handled"], row["call"]) == (False, "book")


def test_accounts_repeat_with_their_seed() -> None:
    for broker in GATEWAYS:
        assert make_accounts(broker, 3, SeededChance(5)) == make_accounts(broker, 3, SeededChance(5))
        assert make_accounts(broker, 3, SeededChance(5)) != make_accounts(broker, 3, SeededChance(6))
        users = [account.user for account in make_accounts(broker, 20, SeededChance(5))]
        assert len(set(users)) == len(users)


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
)
def test_totp_is_that_of_rfc_6238(seconds: int, code: str) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890", as the RFC's appendix B has it
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp(secret, at) == code
    assert is_totp(secret, code, at)
    assert not is_totp(secret, code, datetime.fromtimestamp(seconds + 90, UTC))


async def test_a_connection_is_kept_and_requests_may_follow_each_other(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.desk("zerodha").port)
    one = b"GET /orders HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    writer.write(one + one)
    writer.write(b"GET /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    seen = await asyncio.wait_for(reader.read(), 10)
    assert seen.count(b"HTTP/1.1 403 Forbidden") == 3
    assert seen.count(b"Connection: keep-alive") == 2
    writer.close()


@pytest.mark.parametrize(
    "garbage", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
async def test_what_is_no_http_ends_the_connection(running: Running, garbage: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.desk("zerodha").port)
    writer.write(garbage)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_taken_port_is_said(running: Running, tmp_path: Path) -> None:
    taken = running.desk("zerodha").port
    settings = Settings(folder=str(tmp_path / "other"), brokers=("zerodha",), port=taken)
    with pytest.raises(Busy):
        async with serving(settings, FakeClock(), print):
            pass


async def test_what_was_ordered_survives_a_restart_and_sessions_do_not(tmp_path: Path) -> None:
    settings = Settings(folder=str(tmp_path / "kept"), brokers=("zerodha",), port=0)
    clock = FakeClock()
    async with serving(settings, clock, print) as sandbox, httpx.AsyncClient(trust_env=False) as http:
        kite = await Kite(Running(sandbox, clock, [], http)).log_in()
        order = await kite.placed(variety="amo")
    async with serving(settings, clock, print) as sandbox, httpx.AsyncClient(trust_env=False) as http:
        again = Kite(Running(sandbox, clock, [], http))
        again.token = kite.token
        assert (await again.call("GET", "/orders")).status_code == 403
        [row] = await (await again.log_in()).book()
        assert (row["order_id"], row["variety"], row["tag"]) == (order, "amo", "ord01HZX3")


def test_an_unknown_broker_or_fault_is_refused_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        gateway("nobody")

    async def start(settings: Settings) -> None:
        async with serving(settings, FakeClock(), print):
            pass

    with pytest.raises(Invalid):
        asyncio.run(start(Settings(folder=str(tmp_path), brokers=("zerodha",), port=0, faults=("nonsense",))))


async def test_the_table_says_how_to_add_each_account(running: Running) -> None:
    text = "\n".join(table(running.sandbox))
    for desk in running.sandbox.desks.values():
        for account in desk.accounts:
            name = account.user.lower()
            base = f"http://127.0.0.1:{desk.port}"
            assert f"ordo account add {name} --broker {desk.broker} --base-url {base}" in text
            assert account.api_key in text


@pytest.fixture
def command(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`ordo sandbox` as a process of its own, and what it says until it serves."""
    words = ["--home", str(tmp_path / "home"), "sandbox", "--brokers", "zerodha,mstock", "--port", "0", "--seed", "3"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ordo_cli", *words, "--fault", "zerodha:book:status=503x1"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line.rstrip())
            if "Ctrl-C" in line:
                break
        yield process, lines
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def listening(process: subprocess.Popen[str]) -> set[tuple[str, int]]:
    """Every address at which that process takes connections, of any family, as the kernel tells."""
    mine = set()
    for entry in Path(f"/proc/{process.pid}/fd").iterdir():
        match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry))
        if match:
            mine.add(match[1])
    found = set()
    for name, family, size in (("tcp", socket.AF_INET, 4), ("tcp6", socket.AF_INET6, 16)):
        for line in Path(f"/proc/{process.pid}/net/{name}").read_text().splitlines()[1:]:
            field = line.split()
            if field[3] == "0A" and field[9] in mine:
                host, _, port = field[1].partition(":")
                packed = bytes.fromhex(host)
                address = b"".join(packed[at : at + 4][::-1] for at in range(0, size, 4))
                found.add((socket.inet_ntop(family, address), int(port, 16)))
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells who listens where in a file")
def test_nothing_listens_beyond_loopback(command: tuple[subprocess.Popen[str], list[str]]) -> None:
    process, lines = command
    told = {int(match) for line in lines for match in re.findall(r"^\w+ +http://127\.0\.0\.1:(\d+)", line)}
    assert len(told) == 2
    assert listening(process) == {("127.0.0.1", port) for port in told}


def test_the_command_serves_with_its_faults_and_ends_cleanly(
    command: tuple[subprocess.Popen[str], list[str]],
) -> None:
    process, lines = command
    base = next(re.findall(r"http://\S+", line)[0] for line in lines if line.startswith("zerodha"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{base}/_sandbox/faults") as answer:
        assert b"zerodha:book:status=503x1" in answer.read()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--brokers", "nobody"),
        ("--fault", "zerodha:place:nonsense"),
        ("--hours", "never"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(words: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ordo_cli", "--home", str(tmp_path), "sandbox", "--port", "0", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode not in (0, 1)
    assert "Traceback" not in done.stderr


def test_the_command_lists_its_faults() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ordo_cli", "sandbox", "--list-faults"], cwd=ROOT, capture_output=True, text=True
    )
    assert "accept-then-drop" in done.stdout


async def test_a_bug_of_a_gateway_is_told_and_answered_as_a_failure(running: Running) -> None:
    kite = await Kite(running).log_in()
    running.sandbox.floor.close()  # as good as any bug
    answer = await kite.call("GET", "/orders")
    assert (answer.status_code, answer.json()["error_type"]) == (500, "GeneralException")
    assert any("zerodha failed at GET /orders" in line for line in running.told)
    running.sandbox.floor.reset()


async def test_a_form_that_is_no_text_is_a_bad_request(running: Running) -> None:
    url = running.url("zerodha", "/session/token")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await running.http.post(url, content=b"api_key=\xff\xfe", headers=headers)
    assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")


async def test_login_pages_send_the_browser_where_the_start_said(tmp_path: Path) -> None:
    there = "http://127.0.0.1:9/back"
    settings = Settings(folder=str(tmp_path / "it"), brokers=("zerodha", "fyers"), port=0, redirect=there)
    async with serving(settings, FakeClock(), print) as sandbox, httpx.AsyncClient(trust_env=False) as http:
        answer = await Kite(Running(sandbox, FakeClock(), [], http)).page()
        assert answer.headers["location"].startswith(there)
