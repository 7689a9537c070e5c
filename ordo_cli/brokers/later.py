"""httpx, imported when something of it is first needed.

It takes 40 to 60 ms to import, as long as all else that an order to a real broker imports. The wire needs of it only
the names of what can go wrong, and an order whose answer comes needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["httpx"]

if TYPE_CHECKING:
    import httpx
else:

    class _Later:
        def __getattr__(self, name: str) -> Any:
            import httpx as module

            vars(self).setdefault(name, getattr(module, name))
            return vars(self)[name]

    httpx = _Later()
