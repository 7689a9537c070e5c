"""Whatever becomes of Redis, and whatever answers in its place: this process goes on alone, at once, and comes back."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ordo_cli import log
from ordo_cli.cache import Channels, line, open_cache
from ordo_cli.cache.redis import EPISODE, FIRST_REST, LONGEST_REST, RedisCache
from ordo_cli.machine import SystemChance, SystemClock
from tests.cache.conftest import SECRET, Opener, until
from tests.cache.server import Server, free_port, pretender, running
from tests.fakes import FakeClock

PASSWORD = "hunter2-hunter2"


async def works_alone(cache: RedisCache) -> None:
    """Everything that a cache does, done in this process."""
    await cache.put("of this process", b"1", 30.0)
    assert await cache.get("of this process") == b"1"
    assert await cache.get("of nobody") is None
    assert await cache.hits("somebody", 30.0) == 1
    assert await cache.hits("somebody", 30.0) == 2
    with cache.subscribe("fanout/1") as wakes:
        cache.publish("fanout/1", "leg 1")
        assert await anext(wakes) == "leg 1"


def logged(folder: Path) -> list[dict[str, str]]:
    path = folder / "ordo.log"
    return [json.loads(each) for each in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    log.configure(str(tmp_path), SystemClock())
    return tmp_path


def test_nobody_waits_longer_than_the_bound() -> None:
    assert line.ANSWER < 0.05


async def test_where_nothing_listens_it_works_alone(cached: Opener) -> None:
    async with cached(f"redis://127.0.0.1:{free_port()}", connected=False) as cache:
        await works_alone(cache)


async def test_where_there_is_no_such_socket_it_works_alone(cached: Opener, tmp_path: Path) -> None:
    async with cached(f"unix://{tmp_path}/no.sock", connected=False) as cache:
        await works_alone(cache)


def test_a_name_server_that_says_nothing_keeps_no_process_from_ending(
    cached: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, said = threading.Event(), threading.Event()

    def look(*_: object, **__: object) -> list[object]:
        asked.set()
        said.wait(60)
        raise OSError("no such name")

    async def work() -> None:
        async with cached("redis://cache.example.com", connected=False) as cache:
            await until(asked.is_set)
            await works_alone(cache)

    monkeypatch.setattr("socket.getaddrinfo", look)
    asyncio.run(work())
    assert not said.is_set()
    said.set()


async def test_a_name_that_is_nobodys_is_none(cached: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", look)
    async with cached("redis://cache.example.com", connected=False) as cache:
        await works_alone(cache)
        health = await cache.health()
    assert health is not None
    assert health.trouble == "Name or service not known"


async def test_of_several_addresses_the_one_that_answers_is_taken(
    server: Server, cached: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(host: str, port: int, **_: object) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

    monkeypatch.setattr("socket.getaddrinfo", look)
    async with cached(f"redis://localhost:{server.port}") as cache:
        assert await cache.hits("alice", 30.0) == 1


TROUBLES: dict[str, Callable[[Server], object]] = {
    "killed": Server.kill,
    "stopped": Server.freeze,
    "shut down": lambda server: server.tell("SHUTDOWN", "NOSAVE"),
    "all clients thrown out": lambda server: server.tell("CLIENT", "KILL", "TYPE", "normal"),
    "a replica now": lambda server: server.tell("REPLICAOF", "127.0.0.1", "1"),
    "out of memory": lambda server: server.tell("CONFIG", "SET", "maxmemory", "1"),
    "paused": lambda server: server.tell("CLIENT", "PAUSE", "600000", "ALL"),
    "a password now": lambda server: server.tell("CONFIG", "SET", "requirepass", "another"),
    "rights taken away": lambda server: server.tell("ACL", "SETUSER", "default", "-@all", "+ping"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_when_the_server_fails_under_it_it_works_alone(server: Server, cached: Opener, trouble: str) -> None:
    async with cached(server.url) as cache:
        TROUBLES[trouble](server)
        await works_alone(cache)
        await works_alone_again(cache)


async def works_alone_again(cache: RedisCache) -> None:
    assert await cache.get("of this process") == b"1"
    assert await cache.hits("somebody", 30.0) >= 3


async def test_a_stopped_server_is_waited_for_once(server: Server, cached: Opener) -> None:
    async with cached(server.url) as cache:
        server.freeze()
        await cache.get("anything")
        assert not cache.shared
        asked = asyncio.ensure_future(works_alone(cache))
        for _ in range(100):  # turns of the loop, in which nothing can be waited for
            await asyncio.sleep(0)
        assert asked.done(), "nothing is waited for while the server rests"
        await asked


async def test_a_server_that_comes_back_is_used_again(server: Server, cached: Opener) -> None:
    async with cached(server.url) as cache:
        server.kill()
        await until(lambda: not cache.shared)
        server.start()
        await until(lambda: cache.shared)
        await cache.hits("alice", 30.0)
        assert len(server.tell("KEYS", "*hits:alice")) == 1


async def test_who_listened_before_it_went_hears_again_after_it_came_back(server: Server, cached: Opener) -> None:
    async with cached(server.url) as one, cached(server.url) as other:
        with other.subscribe("fanout/1") as wakes:
            server.kill()
            await until(lambda: not (one.shared or other.shared))
            one.publish("fanout/1", "said while nobody could hear it")
            server.start()
            await anext(wakes)  # at the latest when the connection is back: something may have been missed
            await until(lambda: server.listeners("fanout/1") == 1 and one.shared)
            await until(lambda: other.shared)
            one.publish("fanout/1", "said afterwards")
            await until_text(wakes, "said afterwards")


async def until_text(wakes: AsyncIterator[str], wanted: str) -> None:
    async with asyncio.timeout(10):
        async for text in wakes:
            if text == wanted:
                return


async def test_an_episode_is_logged_once(server: Server, cached: Opener, logs: Path) -> None:
    async with cached(server.url) as cache:
        for _ in range(2):
            server.kill()
            await until(lambda: not cache.shared)
            server.start()
            await until(lambda: cache.shared)
    lines = [each for each in logged(logs) if each["event"] == "redis_lost"]
    assert [each["level"] for each in lines] == ["warning"]


async def test_a_server_that_stays_away_is_tried_more_and_more_seldom(cached: Opener, logs: Path) -> None:
    clock = FakeClock()
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        clock.pass_(seconds)
        await asyncio.sleep(0)

    clock.sleep = sleep  # type: ignore[method-assign]
    async with cached(f"redis://127.0.0.1:{free_port()}", connected=False, clock=clock):
        await until(lambda: len(rests) > 20)
    assert rests[:6] == [FIRST_REST, 2.0, 4.0, 8.0, 16.0, LONGEST_REST]
    assert set(rests[6:]) == {LONGEST_REST}
    assert LONGEST_REST < EPISODE, "or each try would be logged"
    assert len(logged(logs)) == 1


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def saying(greeting: bytes, *answers: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
    """Greets as it likes, and answers every later question with the next of these; then it says nothing more."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(greeting)
        for answer in answers:
            await reader.read(65536)
            writer.write(answer)
        await reader.read()

    return talk


HELLO = b"%2\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$5\r\nproto\r\n:3\r\n"
GARBAGE = {
    "not redis": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": b"\x00" * 100,
    "an error": b"-ERR no\r\n",
    "an error in no word": b"-\xff\xfe\r\n",
    "a password is wanted": b"-NOAUTH Authentication required.\r\n",
    "half an answer": b"$100\r\nab",
    "an answer without end": b"$900000000\r\n" + b"x" * (2 << 20),
    "more than memory": b"*4294967295\r\n",
    "a number": b":1\r\n",
    "true": b"#t\r\n",
    "not a number": b",nan\r\n",
    "a set of lists": b"~1\r\n*1\r\n:1\r\n",
    "a map of lists": b"%1\r\n*1\r\n:1\r\n:1\r\n",
    "a deep list": b"*1\r\n" * 50,
    "null": b"_\r\n",
    "text": b"+PONG\r\n",
    "no text": b"$4\r\n\xff\xfe\xfd\xfc\r\n",
    "two at once": b"$1\r\na\r\n$1\r\nb\r\n",
    "a strange push": b">2\r\n$3\r\nabc\r\n:1\r\n",
    "a push of a million million bytes": b">3\r\n$7\r\nmessage\r\n:1000000000000\r\n:1\r\n",
}


@pytest.mark.parametrize("answer", [silence, hanging_up], ids=lambda each: each.__name__)
async def test_a_server_that_does_not_greet_is_none(cached: Opener, answer: Callable[..., object]) -> None:
    async with pretender(answer) as url, cached(url, connected=False) as cache:  # type: ignore[arg-type]
        await works_alone(cache)
        assert not cache.shared


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_a_server_that_greets_in_no_known_way_is_none(cached: Opener, garbage: str) -> None:
    async with pretender(saying(GARBAGE[garbage])) as url, cached(url, connected=False) as cache:  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        await works_alone(cache)
        assert not cache.shared


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_a_server_that_answers_in_no_known_way_is_none(cached: Opener, garbage: str) -> None:
    answers = [GARBAGE[garbage]] * 20
    async with pretender(saying(HELLO, *answers)) as url, cached(url) as cache:  # type: ignore[arg-type]
        await works_alone_whatever_it_counts(cache)


async def works_alone_whatever_it_counts(cache: RedisCache) -> None:
    """A server that lies about a count cannot be told from one that counted; it can only make it higher."""
    await cache.put("of this process", b"1", 30.0)
    assert await cache.get("of this process") == b"1"
    assert await cache.get("of nobody") is None
    assert [await cache.hits("somebody", 30.0) >= count for count in (1, 2, 3)] == [True] * 3
    with cache.subscribe("fanout/1") as wakes:
        cache.publish("fanout/1", "leg 1")
        assert await anext(wakes) == "leg 1"


async def test_a_server_that_reads_nothing_fills_no_memory(cached: Opener) -> None:
    async def greet_and_read_no_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(HELLO)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with pretender(greet_and_read_no_more) as url, cached(url) as cache:
        for number in range(20_000):
            await cache.put(str(number), b"x" * 4000, 30.0)
            if not cache.shared:
                break
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert not cache.shared


@pytest.mark.parametrize(
    "url", ["redis://:{}@127.0.0.1:{}", "redis://ordo:{}@127.0.0.1:{}", "redis://127.0.0.1:{}/9999"]
)
async def test_a_login_that_is_refused_leaves_it_alone_and_is_told_to_nobody(
    server: Server, cached: Opener, logs: Path, url: str
) -> None:
    where = url.format(*([PASSWORD, server.port] if "{}@" in url else [server.port]))
    if "{}@" in url:
        server.tell("CONFIG", "SET", "requirepass", "another")
    async with cached(where, connected=False) as cache:
        await until(lambda: bool(logged(logs)))
        await works_alone(cache)
        health = await cache.health()
    assert health is not None
    assert health.trouble
    text = (logs / "ordo.log").read_text()
    assert "redis_lost" in text
    assert PASSWORD not in text + repr(health)


async def test_a_password_opens_a_server_that_wants_one(tmp_path: Path, cached: Opener) -> None:
    with running(tmp_path) as server:
        server.tell("CONFIG", "SET", "requirepass", PASSWORD)
        async with cached(f"redis://:{PASSWORD}@127.0.0.1:{server.port}/1") as cache:
            assert await cache.hits("alice", 30.0) == 1


async def test_a_socket_of_this_machine_is_as_good_as_a_port(tmp_path: Path, cached: Opener) -> None:
    with running(tmp_path, "--unixsocket", str(tmp_path / "r.sock")) as server:
        async with cached(f"unix://{tmp_path}/r.sock?db=2") as cache:
            await cache.hits("alice", 30.0)
        assert b"db2" in server.tell("INFO", "keyspace")


async def test_a_server_without_a_trusted_certificate_is_none(server: Server, cached: Opener, logs: Path) -> None:
    async with cached(f"rediss://127.0.0.1:{server.port}", connected=False) as cache:
        await until(lambda: bool(logged(logs)))
        await works_alone(cache)


async def test_a_certificate_must_be_for_the_host_that_was_named(
    tmp_path: Path, cached: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cert").write_bytes(certificate_for("localhost", tmp_path / "key"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-auth-clients", "no", "--tls-ca-cert-file", str(tmp_path / "cert")]
    tls += ["--tls-cert-file", str(tmp_path / "cert"), "--tls-key-file", str(tmp_path / "key")]
    with running(tmp_path, *tls):
        async with cached(f"rediss://localhost:{port}") as cache:
            assert await cache.hits("alice", 30.0) == 1
        async with cached(f"rediss://127.0.0.1:{port}", connected=False) as cache:
            health = await cache.health()
            assert health is not None
            assert "certificate" in (health.trouble or "").lower()
            await works_alone(cache)


def certificate_for(host: str, key_file: Path) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(SECP256R1())
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    named = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return named.sign(key, SHA256()).public_bytes(Encoding.PEM)


async def test_an_answer_that_comes_while_this_process_is_busy_is_taken(server: Server, cached: Opener) -> None:
    import time

    async with cached(server.url) as cache:
        asked = asyncio.ensure_future(cache.hits("alice", 30.0))
        await asyncio.sleep(0)
        time.sleep(line.ANSWER * 2)
        assert await asked == 1
        assert cache.shared


async def test_losing_it_in_the_middle_of_a_window_does_not_forget_the_hits_of_this_process(
    server: Server, cached: Opener
) -> None:
    async with cached(server.url) as cache:
        for _ in range(5):
            await cache.hits("alice", 30.0)
        server.signal(signal.SIGKILL)
        await until(lambda: not cache.shared)
        assert await cache.hits("alice", 30.0) == 6


async def test_without_the_library_it_works_alone_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "hiredis", None)
    for name in ("ordo_cli.cache.redis", "ordo_cli.cache.line"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    clock, chance = SystemClock(), SystemChance()
    async with open_cache("redis://127.0.0.1", "name", SECRET, clock, chance, Channels()) as cache:
        assert await cache.hits("alice", 30.0) == 1
        health = await cache.health()
    assert health is not None
    assert health.trouble is not None
    assert "ordo-cli[redis]" in health.trouble
