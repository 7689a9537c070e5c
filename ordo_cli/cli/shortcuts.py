"""`ordo buy` and `ordo sell`: `ordo order place` with the side already said, with the options of that one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from ordo_cli.cli.orders import place
from ordo_cli.domain.orders import Side


def _short(side: Side) -> Callable[..., None]:
    """`ordo buy …` is `ordo order place buy …`: the same options, read off the one declaration."""

    def short(**given: Any) -> None:
        place(side=side, **given)

    hints = get_type_hints(place, include_extras=True)
    signature = inspect.signature(place)
    kept = [each.replace(annotation=hints[name]) for name, each in signature.parameters.items() if name != "side"]
    short.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    short.__annotations__ = {each.name: each.annotation for each in kept}
    example = f"ordo {side} NSE:INFY --qty 10 --limit 1500 --to alice @family"
    short.__doc__ = f"{side.capitalize()} in one or many accounts.\n\nExample: {example}"
    return short


buy, sell = _short(Side.BUY), _short(Side.SELL)
