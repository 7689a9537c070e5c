"""One dialect per module: the only code that speaks to brokers. A broker is found, and imported, by name."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ordo_cli.brokers.base import BrokerSpec
from ordo_cli.domain.accounts import BrokerName
from ordo_cli.domain.errors import NotFound
from ordo_cli.domain.money import shown

MODULES = {
    BrokerName("paper"): "ordo_cli.brokers.paper",
    BrokerName("fyers"): "ordo_cli.brokers.fyers",
}


def names() -> tuple[BrokerName, ...]:
    return tuple(MODULES)


def spec(name: str) -> BrokerSpec:
    """What this broker is and can do. Raises NotFound for a name that no module has."""
    module = MODULES.get(BrokerName(name))
    if module is None:
        raise NotFound(f"there is no broker {shown(name)}", hint="brokers are: " + " ".join(MODULES))
    return _spec_in(module)


@cache  # asked a dozen times for each leg of an order
def _spec_in(module: str) -> BrokerSpec:
    found: BrokerSpec = import_module(module).SPEC
    return found
