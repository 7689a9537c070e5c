"""Every seed of bad HTTP and bad bodies gets its verdict from a real server over real sockets, and changes nothing."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.serving import Server, serving, status_of
from tests.corpus.seeds import FOLDER, Seed, bytes_of, seeds, text_of

SECONDS = 10.0  # an answer on a busy machine; a seed that hangs the server would take for ever
FEWEST = {"http": 130, "bodies": 130}
HEAD = (
    "POST /api/v1/orders/preview HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
)


@pytest.fixture(scope="module")
def server(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("corpus") / "home"
    shutil.copytree(prepared, home)
    with serving(home, "--rate", "0") as found:
        before = facts(found)
        yield found
        assert facts(found) == before
        assert found.stop() == 0


def facts(server: Server) -> Any:
    """What no bad request may change: fan-outs, their legs, the kill switch."""
    told = []
    for route in ("fanouts", "kill", "orders?target=alice"):
        head = f"GET /api/v1/{route} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        answer = server.exchange(head.encode())
        assert status_of(answer) == 200, answer
        told.append(json.loads(answer.partition(b"\r\n\r\n")[2]))
    return told


@pytest.mark.parametrize(("name", "fewest"), FEWEST.items())
def test_the_corpus_is_as_large_as_it_was(name: str, fewest: int) -> None:
    assert len(json.loads((FOLDER / f"{name}.json").read_text())) >= fewest


@seeds("http")
def test_http(seed: Seed, server: Server) -> None:
    judge(seed, server, text_of(seed["raw"]), text_of(seed.get("body", "")).encode("utf-8", "surrogatepass"))


@seeds("bodies")
def test_bodies(seed: Seed, server: Server) -> None:
    judge(seed, server, HEAD, bytes_of(seed))


def judge(seed: Seed, server: Server, head: str, body: bytes) -> None:
    filled = (
        head.replace("{host}", f"127.0.0.1:{server.port}")
        .replace("{port}", str(server.port))
        .replace("{token}", server.token)
        .replace("{length}", str(len(body)))
    )
    begun = time.monotonic()
    answer = server.exchange(filled.encode("utf-8", "surrogatepass") + body, SECONDS)
    wanted = seed["verdict"] if isinstance(seed["verdict"], list) else [seed["verdict"]]
    status = status_of(answer)
    assert status in wanted, answer[:500]
    assert 0 in wanted or time.monotonic() - begun < SECONDS
    if status >= 400 and not filled.startswith("HEAD"):
        document = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert document["status"] == status
        assert 0 < len(document["message"]) <= 500
        assert server.token.rpartition("_")[2] not in answer.decode("latin-1")
        assert "Traceback" not in answer.decode("latin-1")
