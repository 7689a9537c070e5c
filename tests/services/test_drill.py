"""The drill passes only when everything that a press promises was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ordo_cli import arming
from ordo_cli.desk import Desk
from ordo_cli.services.drill import Drill, drill

GOOD = Drill(
    unlinked_ms=20.0, quiet_ms=20.0, returned_ms=40.0, sent_before=100, sent_after=0, recorded=True, exit_code=0
)


@pytest.mark.parametrize(
    "worse",
    [
        {"sent_before": 0},
        {"sent_after": 1},
        {"quiet_ms": 250.1},
        {"recorded": False},
        {"exit_code": 10},
    ],
)
def test_a_drill_that_saw_less_than_everything_has_failed(worse: dict[str, float]) -> None:
    assert GOOD.passed
    assert not replace(GOOD, **worse).passed  # type: ignore[arg-type]


async def test_a_drill_sends_presses_and_leaves_no_trace(desk: Desk) -> None:
    before = arming.pressed(desk.home.run)
    found = await drill(desk)
    assert found.sent_before > 0
    assert found.sent_after == 0
    assert found.recorded
    assert found.exit_code == 0
    assert found.returned_ms >= found.unlinked_ms > 0
    assert arming.pressed(desk.home.run) == before
