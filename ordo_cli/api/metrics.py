"""Prometheus: what was done here, counted since the start, and how things stand, read from the store when asked."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_fastapi_instrumentator.metrics import Info
from prometheus_fastapi_instrumentator.middleware import PrometheusInstrumentatorMiddleware

from ordo_cli.api.auth import DeskDep
from ordo_cli.api.counting import VARIABLE
from ordo_cli.domain.errors import NotAllowed
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.kill import Level, Scope
from ordo_cli.domain.legs import Leg
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.services import status as standing
from ordo_cli.services.status import Status

QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
TOGETHER = (1, 2, 5, 10, 20, 50, 100, 200)
METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"})
STREAMS = "/events"  # as long as somebody looks on, which says nothing of ordo

router = APIRouter(tags=["status"])


class Counted:
    """A meter that counts into a registry of its own. Labels are brokers, states, scopes and routes: never an order."""

    def __init__(self) -> None:
        made = self.registry = CollectorRegistry()
        self._series: dict[tuple[Counter | Histogram, tuple[str, ...]], Counter | Histogram] = {}
        self._legs = Counter("ordo_legs", "Legs whose sending ended here", ("broker", "state"), registry=made)
        self._leg = Histogram(
            "ordo_leg_seconds",
            "From the first byte of an order to its broker's answer",
            ("broker",),
            buckets=SLOW,
            registry=made,
        )
        self._fan_out = Histogram(
            "ordo_fanout_seconds", "From a request to the fate of its last leg", buckets=SLOW, registry=made
        )
        self._commit = Histogram("ordo_commit_seconds", "One commit of the journal", buckets=QUICK, registry=made)
        self._bodies = Histogram(
            "ordo_commit_changes", "Changes that went into one commit together", buckets=TOGETHER, registry=made
        )
        self._replays = Counter("ordo_replays", "Requests answered with an earlier one's outcome", registry=made)
        self._presses = Counter("ordo_presses", "Presses of the kill switch here", ("kind", "level"), registry=made)
        self._requests = Counter("http_requests", "Requests", ("method", "handler", "status"), registry=made)
        self._request = Histogram(
            "http_request_duration_seconds",
            "From a request to the end of its answer",
            ("method", "handler"),
            buckets=QUICK,
            registry=made,
        )

    def leg(self, leg: Leg, began: datetime, ended: datetime) -> None:
        self._one_of(self._legs, leg.broker, leg.state).inc()
        if leg.latency_ms is not None:
            self._one_of(self._leg, leg.broker).observe(leg.latency_ms / 1000)

    def fan_out(self, fan_out: FanOut, seconds: float) -> None:
        self._fan_out.observe(seconds)

    def commit(self, seconds: float, bodies: int) -> None:
        self._commit.observe(seconds)
        self._bodies.observe(bodies)

    def replayed(self) -> None:
        self._replays.inc()

    def press(self, scope: Scope, level: Level) -> None:
        self._presses.labels(scope.kind, level.name.lower()).inc()

    def request(self, info: Info) -> None:
        """One request is over. Nothing that a client can make up becomes a series of its own."""
        method = info.method if info.method in METHODS else "other"
        handler = getattr(info.request.scope.get("route"), "path", "none")
        self.http(method, handler, info.modified_status, info.modified_duration)

    def http(self, method: str, handler: str, status: str, seconds: float) -> None:
        """The same by the names of its method and route."""
        self._one_of(self._requests, method, handler, status).inc()
        if not handler.endswith(STREAMS):
            self._one_of(self._request, method, handler).observe(seconds)

    def _one_of[M: (Counter, Histogram)](self, family: M, *labels: str) -> M:
        """The series of these labels, looked up once: each order counts in four."""
        found = self._series.get((family, labels))
        if found is None:
            found = self._series[family, labels] = family.labels(*labels)
        return found  # type: ignore[return-value]  # it is of its family's kind


class Now(Collector):
    """How things stand at this moment; the same whichever worker is asked."""

    def __init__(self, status: Status) -> None:
        self._families = tuple(_families(status))

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(status: Status) -> Iterator[Metric]:
    oldest = max((doubt.age for doubt in status.doubts), default=0.0)
    yield GaugeMetricFamily("ordo_unknown_legs", "Legs of which nobody knows what became", len(status.doubts))
    yield GaugeMetricFamily("ordo_oldest_unknown_leg_seconds", "How long the oldest of them is unknown", oldest)
    yield GaugeMetricFamily("ordo_waiting_legs", "Legs that are planned or on the wire", status.waiting)
    engaged = GaugeMetricFamily("ordo_kill_engaged", "1 where the kill switch stops orders", labels=("kind", "name"))
    for scope in status.kill.scopes:
        engaged.add_metric((scope.scope.kind, scope.scope.name), float(scope.engaged))
    yield engaged
    sessions = GaugeMetricFamily(
        "ordo_session_remaining_seconds", "Until an account has to log in again", labels=("account",)
    )
    for account in status.accounts:
        if account.session_until is not None:
            left = (account.session_until - status.at).total_seconds()
            sessions.add_metric((account.account,), max(0.0, left))
    yield sessions
    info = GaugeMetricFamily("ordo_build_info", "What runs here", labels=("version", "python"))
    info.add_metric((version("ordo-cli"), platform.python_version()), 1.0)
    yield info


class Requests(PrometheusInstrumentatorMiddleware):
    """The instrumentator, which names a request by the route that it took instead of routing it twice: 40 µs."""

    def _get_handler(self, request: Request) -> tuple[str, bool]:
        return "", True  # `Counted.request` names it, once it is routed


def install(app: FastAPI, counted: Counted) -> None:
    """Count every request of this app, those that are refused at its door too."""
    app.state.counted = counted
    app.add_middleware(
        Requests, instrumentations=[counted.request], should_group_status_codes=False, registry=counted.registry
    )


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, desk: DeskDep) -> PlainTextResponse:
    """Counters and gauges for Prometheus, which can send the token from a file. It needs a token for all accounts."""
    desk.rights.require(TokenScope.READ)
    if desk.rights.accounts is not None:
        raise NotAllowed(
            "metrics are of all accounts, and this token is for some", hint="ordo token create --scope read"
        )
    live = CollectorRegistry()
    live.register(Now(await standing.status(desk)))
    text = await asyncio.to_thread(text_of, request.app.state.counted.registry, live)
    return PlainTextResponse(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


def text_of(counted: CollectorRegistry, live: CollectorRegistry) -> bytes:
    """The page: what was counted, here or by all workers, and how things stand."""
    if VARIABLE in os.environ:  # what all workers counted, from their files
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]  # the library's own
    return generate_latest(counted) + generate_latest(live)
