"""One dialect per module: the only code that speaks to brokers. A broker is found, and imported, by name.

Others may ship a dialect as a package of their own, with an entry point in the group `ordo.brokers` that names its
SPEC. It is loaded only when the user has allowed that package by name: what is merely installed never runs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from ordo_cli.brokers.base import BrokerSpec
from ordo_cli.domain.accounts import BrokerName
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.money import shown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

MODULES = {
    BrokerName("paper"): "ordo_cli.brokers.paper",
    BrokerName("fyers"): "ordo_cli.brokers.fyers",
    BrokerName("hdfc"): "ordo_cli.brokers.hdfc",
    BrokerName("mstock"): "ordo_cli.brokers.mstock",
    BrokerName("zerodha"): "ordo_cli.brokers.zerodha",
}
GROUP = "ordo.brokers"

# With httpx comes a command of its own, and with that rich and pygments: half of what importing it takes. It is an
# extra, which httpx does without where its import fails, and None is how an import is made to fail.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]


def names(allowed: Collection[str] = ()) -> tuple[BrokerName, ...]:
    """Every broker that ordo speaks to, with those of packages that the user has allowed."""
    others = [BrokerName(point.name) for point in _offered() if _package(point) in _plain(allowed)] if allowed else []
    return tuple(dict.fromkeys((*MODULES, *others)))


def spec(name: str, allowed: Collection[str] = ()) -> BrokerSpec:
    """What this broker is and can do. Raises NotFound for a name that no module has."""
    module = MODULES.get(BrokerName(name))
    return _foreign(name, allowed) if module is None else _spec_in(module)


@cache  # asked a dozen times for each leg of an order
def _spec_in(module: str) -> BrokerSpec:
    found: BrokerSpec = import_module(module).SPEC
    return found


def _foreign(name: str, allowed: Collection[str]) -> BrokerSpec:
    """A broker that a package brings along. Raises NotFound, or Invalid for a package that does not keep its word."""
    offered = [point for point in _offered() if point.name == name]
    point = next((each for each in offered if _package(each) in _plain(allowed)), None)
    if point is None:
        hint = "brokers are: " + " ".join(names(allowed))
        if offered:
            package = _package(offered[0])
            hint = f"{package} brings it; if you trust that package: ordo config set plugins.allowed {package}"
        raise NotFound(f"there is no broker {shown(name)}", hint=hint)
    return _loaded(point)


@cache
def _loaded(point: EntryPoint) -> BrokerSpec:
    package = _package(point)
    try:
        found = point.load()
    except Exception as error:  # whatever a stranger's package does when it is imported
        raise Invalid(
            f"the package {package} cannot be used: {type(error).__name__}", hint="it is not ordo's; ask its maker"
        ) from None
    if not isinstance(found, BrokerSpec) or found.name != point.name:
        raise Invalid(f"the package {package} has no broker {point.name} where it says", hint="ask its maker")
    return found


def _offered() -> Iterator[EntryPoint]:
    from importlib.metadata import entry_points  # 20 ms, only for a broker that is not ordo's own

    yield from entry_points(group=GROUP)


def _package(point: EntryPoint) -> str:
    return _normal(point.dist.name) if point.dist is not None else ""


def _plain(allowed: Collection[str]) -> set[str]:
    return {_normal(name) for name in allowed} - {""}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
