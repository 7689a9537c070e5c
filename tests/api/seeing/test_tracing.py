"""Spans: one of each leg under that of its request, and nothing in them that says whose order it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ordo_cli.api import tracing
from ordo_cli.api.tracing import CARRIED, Spans, providing
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import parse_target
from ordo_cli.services import orders
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import buy, refusing, silent_after_accepting
from tests.house.tree import ROOT
from tests.services.conftest import Add, Opener


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(kept: InMemorySpanExporter) -> Iterator[TracerProvider]:
    made = providing(kept, at_once=True)
    yield made
    made.shutdown()


@pytest.fixture
async def desk(reopen: Opener, provider: TracerProvider) -> AsyncIterator[Desk]:
    async with reopen(meter=Spans(provider)) as opened:
        yield opened


async def test_every_leg_is_a_span_that_says_what_became_of_it(
    desk: Desk, add: Add, kept: InMemorySpanExporter
) -> None:
    await add("alice")
    (await add("bob")).script = [refusing()]
    (await add("carol")).script = [silent_after_accepting]
    await orders.place(desk, PlaceRequest(buy(), (parse_target("all"),)))
    found = {str((span.attributes or {})["ordo.state"]): span for span in kept.get_finished_spans()}
    assert set(found) == {"open", "rejected", "unknown"}
    assert {state for state, span in found.items() if span.status.status_code is trace.StatusCode.ERROR} == {"unknown"}
    assert all(span.name == "leg" and (span.end_time or 0) >= (span.start_time or 1) for span in found.values())


async def test_a_leg_stands_under_the_request_it_came_by(
    desk: Desk, add: Add, kept: InMemorySpanExporter, provider: TracerProvider
) -> None:
    await add("alice")
    app = FastAPI(telemetry={"tracer_provider": provider, "metrics": False, "logs": False})

    @app.post("/orders/{name}")
    async def place(name: str) -> str:
        return (await orders.place(desk, PlaceRequest(buy(), (parse_target("all"),)))).id

    import httpx

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ordo") as client:
        answer = await client.post("/orders/alice?secret=hunter2", headers={"User-Agent": "somebody"})
    assert answer.status_code == 200
    spans = {span.name: span for span in kept.get_finished_spans()}
    [request] = [span for span in spans.values() if span.kind is trace.SpanKind.SERVER]
    assert spans["leg"].context is not None
    assert request.context is not None
    assert spans["leg"].context.trace_id == request.context.trace_id
    assert (request.attributes or {})["http.route"] == "/orders/{name}"


async def test_a_span_carries_nothing_that_is_not_on_the_list(
    desk: Desk, add: Add, kept: InMemorySpanExporter, provider: TracerProvider
) -> None:
    await add("alice")
    fan_out = await orders.place(desk, PlaceRequest(buy(), (parse_target("all"),)))
    with provider.get_tracer("x").start_as_current_span("request") as span:
        span.set_attributes({"url.path": "/accounts/alice/login", "client.address": "10.0.0.7", "http.route": "/x"})
        span.record_exception(RuntimeError("alice's password is hunter2"))
        span.set_status(trace.StatusCode.ERROR, "alice's password is hunter2")
    told = " ".join(span.to_json() for span in kept.get_finished_spans())
    assert {name for span in kept.get_finished_spans() for name in span.attributes or {}} <= CARRIED
    assert not [secret for secret in ("alice", "hunter2", "10.0.0.7", fan_out.id, "INFY") if secret in told]
    assert "/x" in told


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_without_an_address_there_are_no_spans_and_the_sdk_is_not_loaded(environ: dict[str, str]) -> None:
    assert tracing.spans(environ) is None
    script = (
        "import sys; from ordo_cli.api import tracing; assert tracing.spans({}) is None; "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


SPEAK = """
import asyncio
import os
from datetime import UTC, datetime
from ordo_cli.api.meters import telling
from ordo_cli.domain.seams import NO_METER
from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.legs import FanOutId, Leg, LegId
from ordo_cli.domain.orders import Tag
leg = Leg(LegId("f-1"), FanOutId("f"), AccountId("alice"), BrokerName("acme"), 1, Tag("t"))
now = datetime(2026, 11, 23, tzinfo=UTC)

async def tell():
    async with telling(os.environ, NO_METER) as meter:
        meter.leg(leg, now, now)

asyncio.run(tell())
print("ended")
"""


def test_what_is_left_is_handed_over_at_the_end(collector: tuple[str, list[tuple[str, bytes]]]) -> None:
    url, given = collector
    environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    done = subprocess.run([sys.executable, "-c", SPEAK], cwd=ROOT, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
    [(path, body)] = given
    assert path == "/v1/traces"
    assert b"acme" in body
    assert b"alice" not in body


def test_a_collector_that_is_down_keeps_nobody_from_ending() -> None:
    environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", SPEAK], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=25
    )
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
