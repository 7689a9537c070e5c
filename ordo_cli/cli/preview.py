"""What an order would do: the dry run, and the table that a confirmation is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ordo_cli.cli import door, show
from ordo_cli.domain.orders import OrderType

if TYPE_CHECKING:
    from ordo_cli.services.planning import Preview

COLUMNS = ("account", "broker", "quantity", "value", "objection")


def _rows(plan: Preview) -> list[tuple[object, ...]]:
    def objection(each: Any) -> str:
        problem = each.problem(plan.request.confirmed)
        if problem is None and len(each.slices) > 1:
            return f"in {len(each.slices)} orders, as it is above the freeze quantity"
        return problem.message if problem else ""

    def value(each: Any) -> Any:
        return None if each.value is None else round(each.value, 2)

    return [
        (each.account.id, each.account.broker, each.quantity, value(each), objection(each)) for each in plan.proposals
    ]


def answer(plan: Preview, as_json: bool) -> None:
    """End a dry run: 0 when everything could go, 3 when something speaks against it."""
    problems = [each.problem(plan.request.confirmed) for each in plan.proposals]
    blocked = plan.refusal is not None or any(problems)
    door.answer(
        "order place",
        _data(plan) if as_json else None,
        as_json=as_json,
        text=lambda: _print(plan),
        exit_code=3 if blocked else 0,
    )


def _print(plan: Preview) -> None:
    show.table(_title(plan), COLUMNS, _rows(plan))
    _talk_rest(plan)
    door.say("dry run: nothing was sent")


def talk(plan: Preview) -> None:
    """The table of legs that a confirmation is about, on standard error."""
    cells = [[show.cell(value) for value in row] for row in _rows(plan)]
    door.say(_title(plan) + "\n" + show.plain_text(COLUMNS, cells).rstrip())
    _talk_rest(plan)


def talk_rest(rest: int, quantity: int, without: Sequence[str]) -> None:
    """What of a shared quantity nobody gets, and who gets nothing of it."""
    if rest:
        door.say(f"{rest} of {quantity} units are left over: they do not divide into whole lots")
    if without:
        door.say(f"too little for: {', '.join(without)}")


def _talk_rest(plan: Preview) -> None:
    talk_rest(plan.rest, plan.request.intent.quantity, plan.without)
    if plan.refusal is not None:
        door.warn(show.cleaned(plan.refusal.message))


def _title(plan: Preview) -> str:
    intent = plan.request.intent
    prices = [
        f"{word} {price}" for word, price in (("limit", intent.limit_price), ("trigger", intent.trigger_price)) if price
    ]
    worth = f", worth {show.cell(round(plan.value, 2))}" if plan.value is not None else ""
    kind = [] if intent.type is OrderType.LIMIT else [intent.type]  # "limit 1500" says it
    return " ".join([intent.side, str(intent.instrument), *kind, *prices]) + worth


def _data(plan: Preview) -> object:
    from ordo_cli import schemas

    return schemas.preview(plan)
