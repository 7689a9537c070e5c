"""Words of paths and queries that several nouns take, each checked before it reaches anything."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from ordo_cli.domain.accounts import Target, parse_target
from ordo_cli.schemas.requests import MOST_TARGETS, NAME, InstrumentName, TargetWord

FAN_OUT = "^[0-9a-z]{1,26}$"
LEG = "^[0-9a-z]{1,26}(-[1-9][0-9]{0,5})?$"

FanOutPath = Annotated[
    str,
    Path(alias="id", pattern=FAN_OUT, description="A fan-out, or the beginning of its id", examples=["7f3k2m9q4x"]),
]
LegPath = Annotated[
    str, Path(alias="id", pattern=LEG, description="A leg's id, or the beginning of one", examples=["7f3k2m9q4x-1"])
]
FanOutQuery = Annotated[str | None, Query(alias="fanout", pattern=FAN_OUT, description="Only what concerns this one")]
LegQuery = Annotated[str | None, Query(pattern=LEG, description="Only what concerns this one")]
BeforeQuery = Annotated[str | None, Query(pattern=FAN_OUT, description="Only those older than this fan-out")]
LimitQuery = Annotated[int, Query(ge=1, le=1000, description="How many at most")]
AccountQuery = Annotated[str | None, Query(pattern=f"^{NAME}$", description="Only this account")]
InstrumentsQuery = Annotated[
    list[InstrumentName], Query(alias="instrument", min_length=1, max_length=100, description="Again for more")
]
TargetsQuery = Annotated[
    list[TargetWord],
    Query(
        alias="target",
        default_factory=list,
        max_length=MOST_TARGETS,
        description="`alice`, `@group` or `all`; again for more",
    ),
]


def targets_of(words: list[str]) -> tuple[Target, ...]:
    """The targets that were named, or all of them."""
    return tuple(parse_target(word) for word in words or ["all"])
