"""Everyone who is told of what happens at the desk. What goes wrong in counting never reaches an order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from ordo_cli import log
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.kill import Level, Scope
from ordo_cli.domain.legs import Leg
from ordo_cli.domain.seams import Meter


class Meters:
    """One meter made of several, none of which can harm what it counts, or each other."""

    def __init__(self, *each: Meter) -> None:
        self._each = each

    def leg(self, leg: Leg, began: datetime, ended: datetime) -> None:
        self._tell(lambda meter: meter.leg(leg, began, ended))

    def fan_out(self, fan_out: FanOut, seconds: float) -> None:
        self._tell(lambda meter: meter.fan_out(fan_out, seconds))

    def commit(self, seconds: float, bodies: int) -> None:
        self._tell(lambda meter: meter.commit(seconds, bodies))

    def replayed(self) -> None:
        self._tell(lambda meter: meter.replayed())

    def press(self, scope: Scope, level: Level) -> None:
        self._tell(lambda meter: meter.press(scope, level))

    def _tell(self, what: Callable[[Meter], None]) -> None:
        for meter in self._each:
            try:
                what(meter)
            except Exception as error:
                log.get(__name__).error("not_counted", error=type(error).__name__)


@asynccontextmanager
async def telling(environ: Mapping[str, str], counted: Meter) -> AsyncIterator[Meter]:
    """The meter of a desk that is served: what Prometheus asks for, and spans where somebody collects them."""
    from ordo_cli.api import tracing  # OpenTelemetry's interface; its SDK only when its variables are set

    spans = tracing.spans(environ)
    try:
        yield Meters(counted) if spans is None else Meters(counted, spans)
    finally:
        if spans is not None:
            await asyncio.to_thread(spans.close)
