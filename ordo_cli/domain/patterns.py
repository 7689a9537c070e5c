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

        def __init__(self, pattern: str, flags: int = 0) -> None:
            self._text, self._flags = pattern, flags

        def __getattr__(self, name: str) -> Any:
            whole = re.compile(self._text, self._flags)  # from a cache, once for each method that is asked for
            found = self.__dict__[name] = getattr(whole, name)
            return found
