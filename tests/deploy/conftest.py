"""What the tests of a whole start may use."""

from __future__ import annotations

from tests.collecting import collector

__all__ = ["collector"]
