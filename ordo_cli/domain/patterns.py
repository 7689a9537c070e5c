"""Patterns that are compiled when they are first used: at import the long ones cost up to 2 ms each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

__all__ = ["later"]

if TYPE_CHECKING:

    def later(pattern: str, flags: int = 0) -> re.Pattern[str]:
        """As `re.compile`."""

else:

    class later:  # stands where a function would
        """Stands for a compiled pattern, and becomes one at the first question."""

        __slots__ = ("_flags", "_text", "_whole")

        def __init__(self, pattern: str, flags: int = 0) -> None:
            self._text, self._flags, self._whole = pattern, flags, None

        def __getattr__(self, name: str) -> Any:
            if self._whole is None:
                self._whole = re.compile(self._text, self._flags)
            return getattr(self._whole, name)
