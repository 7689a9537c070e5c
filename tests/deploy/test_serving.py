"""A container's whole first start, without a container: paper mode with no edit, and workers that count together."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from ordo_cli.deploy import start
from ordo_cli.deploy.health import well
from tests.house.tree import ROOT

PATIENCE = 40.0  # seconds for a server to come up on a busy machine
ORDER = {"side": "buy", "instrument": "NSE:INFY", "quantity": 1, "targets": ["@family"]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(home: Path, *more: str) -> Iterator[str]:
    """The address of what `compose.yaml` starts, at this home; ended in order afterwards."""
    start.secrets(home)
    port = free_port()
    environ = {**os.environ, "ORDO_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ordo_cli.deploy.start", "serve", "--port", str(port), *more]
    with (home / "said").open("w") as said:
        process = subprocess.Popen(
            command, env=environ, cwd=home, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    url = f"https://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while not well(f"{url}/healthz", str(home / "tls/certificate.pem")):
            assert process.poll() is None, (home / "said").read_text()
            assert time.monotonic() < deadline, (home / "said").read_text()
            time.sleep(0.1)
        yield url
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, (home / "said").read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # its workers too
            process.wait()


def client(home: Path, url: str, token: str) -> httpx.Client:
    """A client that believes this home's certificate alone. Each request has a connection of its own, so any worker."""
    trusted = ssl.create_default_context(cafile=str(home / "tls/certificate.pem"))
    key = (home / token).read_text()
    return httpx.Client(
        base_url=url,
        verify=trusted,
        headers={"Authorization": f"Bearer {key}"},
        limits=httpx.Limits(max_keepalive_connections=0),
        timeout=30,
    )


def counted(text: str) -> dict[str, float]:
    """The sum of every series of the same name."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def place(web: httpx.Client, number: int) -> Any:
    order = {**ORDER, "quantity": number + 1}  # the same one twice in a row would be held for a mistake
    answer = web.post("/api/v1/orders", json=order, headers={"Idempotency-Key": f"first-start-{number:04}"})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    return made


def test_the_first_start_serves_two_paper_accounts_and_two_tokens(home: Path) -> None:
    with started(home) as url:
        with client(home, url, "token") as trader:
            placed = place(trader, 1)
            assert (placed["mode"], placed["outcome"]) == ("paper", "success")
            assert sorted(leg["account"] for leg in placed["legs"]) == list(start.ACCOUNTS)
        with client(home, url, "handover/prometheus/token") as prometheus:
            assert counted(prometheus.get("/metrics").text)["ordo_legs_total"] == 2
            refused = prometheus.post("/api/v1/orders", json=ORDER, headers={"Idempotency-Key": "not-for-prometheus"})
            assert refused.status_code == 403
        with httpx.Client(base_url=url) as stranger, pytest.raises(httpx.ConnectError, match="certificate"):
            stranger.get("/healthz")
    assert (home / "token").stat().st_mode & 0o777 == 0o600
    told = re.findall(r"/data/([\w./-]+\w)", (ROOT / "README.md").read_text())
    assert told
    assert [path for path in told if not (home / path).is_file()] == []


def test_a_second_start_makes_nothing_anew_but_a_token_whose_file_was_lost(home: Path) -> None:
    with started(home):
        first = (home / "token").read_text()
    (home / "handover/prometheus/token").unlink()
    with started(home) as url:
        assert (home / "token").read_text() == first
        with client(home, url, "handover/prometheus/token") as prometheus:
            assert prometheus.get("/metrics").status_code == 200
    listed = subprocess.run(
        [sys.executable, "-m", "ordo_cli", "token", "list", "--json"],
        env={**os.environ, "ORDO_HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    states = sorted((each["name"], each["state"] == "revoked") for each in json.loads(listed.stdout)["data"])
    assert states == [("first", False), ("prometheus", False), ("prometheus", True)]


def test_whichever_worker_is_asked_tells_of_all(home: Path) -> None:
    with started(home, "--workers", "2") as url, client(home, url, "token") as trader:
        for number in range(12):
            place(trader, number)
        place(trader, 0)
        with client(home, url, "handover/prometheus/token") as prometheus:
            pages = [counted(prometheus.get("/metrics").text) for _ in range(6)]
        assert {page["ordo_legs_total"] for page in pages} == {24}
        assert {page["ordo_fanout_seconds_count"] for page in pages} == {12}
        assert {page["ordo_replays_total"] for page in pages} == {1}
        assert {page["ordo_unknown_legs"] for page in pages} == {0}
        assert all(page["ordo_commit_seconds_count"] >= 12 for page in pages)


def test_spans_of_a_request_and_its_legs_reach_a_collector(
    home: Path, collector: tuple[str, list[tuple[str, bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, given = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    with started(home) as server, client(home, server, "token") as trader:
        place(trader, 1)
    spans = [
        span
        for _, body in given
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    legs = [span for span in spans if span.name == "leg"]
    [request] = [span for span in spans if span.name == "POST /api/v1/orders"]
    assert len(legs) == 2
    assert {leg.trace_id for leg in legs} == {request.trace_id}
    assert not [name for name in (b"alice", b"bob", b"first-start") if any(name in body for _, body in given)]
