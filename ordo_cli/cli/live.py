"""How a fan-out looks while it runs and when it is done: a live table on a terminal, a line per event otherwise."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ordo_cli.cli import door, show
from ordo_cli.domain.fanouts import FanOut, fate
from ordo_cli.domain.legs import Leg, LegId
from ordo_cli.domain.orders import OrderState, OrderType

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = ("account", "quantity", "state", "filled", "price", "order", "ms", "note")
QUIET = frozenset({"planned", "sending"})  # not worth a line of their own
REFRESHES = 10  # a second


class Board:
    """Shows legs as they change, on standard error. Give it to a service as `watch`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._legs: dict[LegId, Leg] = {}
        self._told: dict[LegId, str] = {}
        self._quiet = quiet
        self._lively = not quiet and door.lively()
        self._live: Any = None
        self.fan_out: FanOut | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            door.talk_above(None)
            self._live.stop()
            self._live = None

    def __call__(self, news: FanOut | Leg) -> None:
        """Take news of the fan-out as a whole (its first is told with id and key) or of one leg."""
        if isinstance(news, Leg):
            self._take(news)
        elif self.fan_out is None:
            self._begin(news)
        else:
            for leg in news.legs:
                self._take(leg)

    def _take(self, leg: Leg) -> None:
        self._legs[leg.id] = leg
        if self._live is None:
            self._tell(leg)

    def _begin(self, fan_out: FanOut) -> None:
        self.fan_out = fan_out
        self._legs |= {leg.id: leg for leg in fan_out.legs}
        again = "; this key was used before, nothing new is sent" if fan_out.replayed else ""
        door.say(f"fan-out {fan_out.id} key {show.cleaned(fan_out.key)}{again}")
        if self._lively and not fan_out.replayed:
            self._live = _live(self)
            door.talk_above(self._print_above)

    def _print_above(self, text: str) -> None:
        from rich.text import Text

        self._live.console.print(Text.from_ansi(text.lstrip("\n")))

    def _tell(self, leg: Leg) -> None:
        if self._quiet or leg.state in QUIET or self._told.get(leg.id) == leg.state:
            return
        self._told[leg.id] = leg.state
        spent = f" {leg.latency_ms:.1f} ms" if leg.latency_ms is not None else ""
        why = f": {show.cleaned(leg.problem.message)}" if leg.problem is not None else ""
        door.say(f"{leg.account} {leg.state}{spent}{why}")

    def __rich__(self) -> RenderableType:
        room = max(show.height() - 4, 5)
        legs = list(self._legs.values())
        if len(legs) > room:  # more legs than lines: those that still move or went wrong come first
            legs = sorted(legs, key=lambda leg: (leg.settled and leg.problem is None, leg.settled))[:room]
        from rich.console import Group
        from rich.text import Text

        tally = tally_of(list(self._legs.values()))
        return Group(show.grid("", COLUMNS, [cells_of(leg) for leg in legs]), Text(tally, style="dim"))


def _live(board: Board) -> Any:
    from rich.console import Console  # 45 ms; only when somebody is looking
    from rich.live import Live

    live = Live(
        console=Console(file=sys.stderr, width=show.width()),
        get_renderable=board.__rich__,
        refresh_per_second=REFRESHES,
        transient=True,  # the final table goes to standard output
        redirect_stdout=False,
        redirect_stderr=False,
    )
    live.start()
    return live


def row_of(leg: Leg) -> tuple[object, ...]:
    """One leg as a row under COLUMNS."""
    told = leg.cancel == "none" or leg.working is OrderState.CANCELLED  # what became of the cancel
    note = leg.problem.message if leg.problem is not None else ("" if told else f"cancel {leg.cancel}")
    spent = None if leg.latency_ms is None else f"{leg.latency_ms:.1f}"
    filled = leg.filled_quantity or None
    return (leg.account, leg.quantity, leg.state, filled, leg.average_price, leg.broker_order_id, spent, note)


def cells_of(leg: Leg) -> list[str]:
    return [show.cell(value) for value in row_of(leg)]


def tally_of(legs: Sequence[Leg]) -> str:
    """How many legs have which fate, in words."""
    fates = [str(fate(leg)) for leg in legs]
    parts = [f"{fates.count(word)} {word.replace('_', ' ')}" for word in dict.fromkeys(fates)]
    return f"{len(legs)} leg{'' if len(legs) == 1 else 's'}: " + ", ".join(parts)


def show_fan_out(fan_out: FanOut) -> None:
    """The fan-out as a result: its legs, what came of them, and what to do about those that are unknown."""
    intent = fan_out.intent
    prices = "".join(
        f" {word} {show.cell(price)}"
        for word, price in (("limit", intent.limit_price), ("trigger", intent.trigger_price))
        if price is not None
    )
    kind = "" if intent.type is OrderType.LIMIT else f" {intent.type}"  # "limit 1500" says it
    show.table(
        f"{intent.side} {intent.instrument}{kind}{prices} · {fan_out.mode} · {fan_out.outcome}",
        COLUMNS,
        [row_of(leg) for leg in fan_out.legs],
    )
    door.say(tally_of(fan_out.legs))
    for hint in dict.fromkeys(leg.problem.hint for leg in fan_out.legs if leg.problem and leg.problem.hint):
        door.say(f"  {show.cleaned(hint)}")
