"""The Python SDK of `ordo serve`: place, watch and stop from a program, on this machine or another.

```python
import os
from ordo_cli.client import Ordo

with Ordo("http://127.0.0.1:8020", token=os.environ["ORDO_TOKEN"]) as ordo:
    placed = ordo.orders.place(side="buy", instrument="NSE:INFY", quantity=10, to="@family")
    for change in ordo.fanouts.events(placed.id):
        print(change.kind, change.data)
    ordo.kill.engage(reason="enough for today")
```

`AsyncOrdo` is the same for asyncio. Neither is loaded before it is asked for: httpx and pydantic cost 150 ms.
"""

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from ordo_cli.client.aio import AsyncOrdo as AsyncOrdo
    from ordo_cli.client.sync import Ordo as Ordo

__all__ = ["AsyncOrdo", "Ordo"]


def __getattr__(name: str) -> object:
    if name == "AsyncOrdo":
        from ordo_cli.client.aio import AsyncOrdo

        return AsyncOrdo
    if name == "Ordo":
        from ordo_cli.client.sync import Ordo

        return Ordo
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
