"""Moments: how a point in time is written for machines."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_text(moment: datetime) -> str:
    """UTC, ISO 8601, milliseconds and a Z, as JSON and CSV carry it. Refuses a time without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone means nothing")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
