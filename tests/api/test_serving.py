"""`ordo serve` as a process: where it listens, how it starts, how it ends, and several of it on one home."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import ssl
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from ordo_cli.cli.main import main
from tests.api.conftest import BUY, Run
from tests.api.serving import PATIENCE, Server, children, environment, serving
from tests.brokers.wire.certificates import make_authority
from tests.house.tree import ROOT

ORDERS, FANOUTS = "/api/v1/orders", "/api/v1/fanouts"


@pytest.fixture
def slow(homed: Path) -> Path:
    """The prepared home with erin, whose orders take half a second."""
    assert main(["account", "add", "erin", "--broker", "paper", "--behaviour", "latency=500"]) == 0
    return homed


@pytest.fixture
def server(slow: Path) -> Iterator[Server]:
    with serving(slow) as found:
        yield found


def keyed(server: Server, key: str) -> dict[str, str]:
    return server.bearing | {"Idempotency-Key": key}


async def newest(client: httpx.AsyncClient, server: Server, key: str) -> dict[str, object]:
    """The fan-out of this key, once it is written down."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: list[dict[str, object]] = (await client.get(FANOUTS, headers=server.bearing)).json()
            if found and found[0]["key"] == key:
                return found[0]
            await asyncio.sleep(0.005)


def test_it_says_where_it_is_and_how_to_get_in(server: Server) -> None:
    assert server.said[0].startswith(f"ordo serves at http://127.0.0.1:{server.port}")
    assert any("ordo token create" in line for line in server.said)
    answer = httpx.get(f"{server.url}{FANOUTS}", headers=server.bearing)
    assert answer.status_code == 200
    assert "server" not in answer.headers


async def test_sigterm_lets_what_is_on_the_wire_finish_and_starts_nothing_new(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
        on_wire = asyncio.ensure_future(
            client.post(ORDERS, json=BUY | {"targets": ["erin"]}, headers=keyed(server, "on-the-wire-1"))
        )
        await newest(client, server, "on-the-wire-1")
        await asyncio.sleep(0.1)  # it is claimed, and on its way to the broker
        server.process.send_signal(signal.SIGTERM)
        refused = 0
        while server.process.poll() is None and not on_wire.done():
            try:
                late = await client.post(ORDERS, json=BUY, headers=keyed(server, "late-late-1"))
            except httpx.TransportError:
                break
            if late.status_code == 503:
                refused += 1
                assert late.json()["code"] == "stopping"
                assert late.headers["retry-after"] == "1"
            else:
                assert late.status_code in (201, 207)  # it was in before the signal, and its leg perhaps not
                break
        answer = await on_wire
    assert (answer.status_code, answer.json()["outcome"]) == (201, "success")
    assert await asyncio.to_thread(server.process.wait, PATIENCE) == 0


async def test_a_client_that_hangs_up_stops_no_order(server: Server) -> None:
    body = b'{"side":"buy","instrument":"NSE:INFY","quantity":1,"targets":["erin"]}'
    head = (
        f"POST {ORDERS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
        f"Idempotency-Key: hung-up-1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(head.encode() + body)
        async with httpx.AsyncClient(base_url=server.url) as client:
            await newest(client, server, "hung-up-1")
            line.close()
            async with asyncio.timeout(PATIENCE):
                while (found := await newest(client, server, "hung-up-1"))["outcome"] == "pending":
                    await asyncio.sleep(0.02)
    assert found["outcome"] == "success"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigusr1_stops_all_sending(homed: Path, workers: str) -> None:
    with serving(homed, "--workers", workers) as server:
        server.process.send_signal(signal.SIGUSR1)
        answer = wait_for(lambda: httpx.get(f"{server.url}/api/v1/kill", headers=server.bearing).json(), "engaged")
        assert answer["scopes"][0]["engaged"] is True
        assert not (homed / "run" / "armed").exists()
        placed = httpx.post(f"{server.url}{ORDERS}", json=BUY, headers=keyed(server, "killed-1"))
        assert placed.status_code == 423


def test_a_press_stops_while_the_database_is_locked(server: Server, slow: Path) -> None:
    """The file goes first; the row is written once it can be."""
    with closing(sqlite3.connect(slow / "ordo.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = httpx.post(f"{server.url}/api/v1/kill", headers=server.bearing, timeout=PATIENCE)
        other.execute("ROLLBACK")
    told = answer.json()
    assert (answer.status_code, told["engaged"], told["quiet"], told["recorded"]) == (200, True, True, False)
    assert not (slow / "run" / "armed").exists()
    assert httpx.get(f"{server.url}/api/v1/status", headers=server.bearing).json()["kill"]["engaged"] is True


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_home_that_cannot_be_used_is_one_sentence_however_many_workers(homed: Path, workers: str) -> None:
    (homed / "ordo.db").write_bytes(b"this is no database" * 100)
    done = ordo(homed, "serve", "--port", "0", "--workers", workers)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr


def wait_for(ask: object, field: str) -> dict[str, list[dict[str, object]]]:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = ask()  # type: ignore[operator]  # a lambda of a test
        if found[field]:
            return found  # type: ignore[no-any-return]
        time.sleep(0.02)
    raise AssertionError(f"{field} did not become true")


def test_a_unix_socket_is_its_owners_alone(homed: Path, tmp_path: Path) -> None:
    path = tmp_path / "ordo.sock"
    with serving_on(homed, path) as (server, client):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert client.get(FANOUTS, headers=server.bearing).status_code == 200
        assert client.post(ORDERS, json=BUY, headers=keyed(server, "by-socket-1")).status_code == 201
        second = ordo(homed, "serve", "--socket", str(path))
        assert (second.returncode, second.stderr.count("\n")) == (1, 2)
        assert "another server listens" in second.stderr
        assert server.stop() == 0
    assert not path.exists()


def test_a_socket_that_a_dead_server_left_is_taken_over(homed: Path, tmp_path: Path) -> None:
    path = tmp_path / "ordo.sock"
    with serving_on(homed, path) as (server, _):
        server.process.kill()
        server.process.wait()
    assert path.exists()
    with serving_on(homed, path) as (server, client):
        assert client.get(FANOUTS, headers=server.bearing).status_code == 200


def test_tls_with_and_without_a_certificate_of_the_client(homed: Path, tmp_path: Path) -> None:
    make_authority(tmp_path)
    authority, certificate = str(tmp_path / "authority.pem"), str(tmp_path / "good.pem")
    key = certificate
    with serving(homed, "--tls-cert", certificate, "--tls-key", key) as server:
        assert server.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=authority)
        assert httpx.get(f"{server.url}{FANOUTS}", headers=server.bearing, verify=trusting).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{server.port}{FANOUTS}")
    with serving(homed, "--tls-cert", certificate, "--tls-key", key, "--client-ca", authority) as server:
        nobody = ssl.create_default_context(cafile=authority)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.url}{FANOUTS}", headers=server.bearing, verify=nobody)
        known = ssl.create_default_context(cafile=authority)
        known.load_cert_chain(certificate, key)
        assert httpx.get(f"{server.url}{FANOUTS}", headers=server.bearing, verify=known).status_code == 200
        assert httpx.get(f"{server.url}{FANOUTS}", verify=known).status_code == 401  # the token still decides


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("--host 0.0.0.0", 2, "can be reached from other machines"),
        ("--host ::", 2, "can be reached from other machines"),
        ("--host 0.0.0.0 --expose", 2, "unencrypted"),
        ("--tls-cert nothing.pem --tls-key nothing.pem", 2, "cannot be used"),
        ("--tls-cert {readme} --tls-key {readme}", 2, "cannot be used"),
        ("--tls-cert nothing.pem", 2, "belong together"),
        ("--client-ca nothing.pem", 2, "takes TLS"),
        ("--host 203.0.113.1 --expose --tls-cert {cert} --tls-key {key}", 2, "cannot listen"),
        ("--host no.such.host.example --expose --tls-cert {cert} --tls-key {key}", 2, "cannot listen"),
        ("--socket {readme}", 2, "not a socket"),
        ("--socket /no/such/folder/x.sock", 2, "cannot listen"),
        ("--port 70000", 2, "70000"),
        ("--port {taken}", 1, "in use"),
        ("--workers 0", 2, "workers"),
    ],
)
def test_what_cannot_be_is_one_sentence(homed: Path, tmp_path: Path, words: str, code: int, says: str) -> None:
    make_authority(tmp_path)
    certificate = str(tmp_path / "good.pem")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        places = {
            "readme": str(ROOT / "README.md"),
            "cert": certificate,
            "key": certificate,
            "taken": taken.getsockname()[1],
        }
        done = ordo(homed, "serve", *words.format(**places).split())
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr


def test_no_home_is_said(tmp_path: Path) -> None:
    done = ordo(tmp_path / "nothing", "serve")
    assert (done.returncode, "ordo init" in done.stderr) == (3, True)
    assert not (tmp_path / "nothing").exists()


def test_systemd_hears_that_it_is_ready_alive_and_stopping(
    homed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        for more in ((), ("--workers", "2")):
            with serving(homed, *more) as server:
                assert manager.recv(100) == b"READY=1"
                assert manager.recv(100) == b"WATCHDOG=1"
                assert server.stop() == 0
            told = b""
            while told != b"STOPPING=1":
                told = manager.recv(100)
            manager.setblocking(False)
            try:
                while manager.recv(100):
                    pass
            except BlockingIOError:
                manager.settimeout(PATIENCE)


def test_two_workers_and_a_terminal_share_a_home(homed: Path, cli: Run) -> None:
    """All place for the same accounts at the same time; every order is placed once, and the audit holds."""
    before = Counter(row["quantity"] for row in cli("orders alice --json").told["rows"])
    with serving(homed, "--workers", "2", "--rate", "0") as server:

        async def many() -> list[int]:
            async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:

                async def one(number: int) -> int:
                    body = BUY | {"allow_duplicate": True, "quantity": number + 1, "confirm": True}
                    answer = await client.post(ORDERS, json=body, headers=keyed(server, f"worker-{number:04}"))
                    return answer.status_code

                return await asyncio.gather(*(one(number) for number in range(12)))

        words = "buy NSE:INFY --qty 2{number} --to alice --yes --confirm --key terminal-{number}"
        terminals = [
            subprocess.Popen(
                [sys.executable, "-m", "ordo_cli", "--home", str(homed), *words.format(number=number).split()],
                cwd=ROOT,
                env=environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for number in range(3)
        ]
        statuses = asyncio.run(many())
        assert [each.wait(PATIENCE) for each in terminals] == [0, 0, 0]
        assert set(statuses) == {201}
        assert len(children(server.process.pid)) == 2
        quantities = Counter(row["quantity"] for row in cli("orders alice --json").told["rows"])
        assert quantities - before == Counter([*range(1, 13), 20, 21, 22])
        assert cli("audit verify --json").told["state"] == "whole"
        assert server.stop() == 0


def test_a_worker_that_dies_is_replaced_and_its_legs_are_settled(homed: Path) -> None:
    with serving(homed, "--workers", "2", "--rate", "0") as server:
        first = children(server.process.pid)
        os.kill(first[0], signal.SIGKILL)
        wait_for(lambda: {"new": set(children(server.process.pid)) - set(first)}, "new")
        statuses = {
            httpx.get(f"{server.url}{FANOUTS}", headers=server.bearing, timeout=PATIENCE).status_code for _ in range(5)
        }
        assert statuses == {200}
        assert server.stop(signal.SIGINT) == 0


def test_workers_end_when_their_parent_is_killed(homed: Path) -> None:
    with serving(homed, "--workers", "2") as server:
        workers = children(server.process.pid)
        server.process.kill()
        server.process.wait()
        wait_for(lambda: {"gone": not any(Path(f"/proc/{each}").exists() for each in workers)}, "gone")


def ordo(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ordo_cli", "--home", str(home), *words]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE)


@contextmanager
def serving_on(home: Path, path: Path) -> Iterator[tuple[Server, httpx.Client]]:
    """A server on a Unix socket, and a client of it."""
    with (
        serving(home, "--socket", str(path)) as server,
        httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost") as client,
    ):
        yield server, client
