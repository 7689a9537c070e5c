"""The public JSON: what `--json` prints and HTTP returns. Money is a string, quantity an integer, time is UTC."""

from ordo_cli.schemas.base import Problem, failures
from ordo_cli.schemas.fanouts import FanOut, Leg, fan_out, fan_outs, leg, order
from ordo_cli.schemas.operations import cancelled, preview, reconciled, sweep
from ordo_cli.schemas.portfolio import (
    consolidated,
    funds_row,
    holding_row,
    instrument,
    order_row,
    position_row,
    quote,
    trade_row,
)
from ordo_cli.schemas.setup import account, account_shown, broker, setting, step, token, token_made, verdict

__all__ = [
    "FanOut",
    "Leg",
    "Problem",
    "account",
    "account_shown",
    "broker",
    "cancelled",
    "consolidated",
    "failures",
    "fan_out",
    "fan_outs",
    "funds_row",
    "holding_row",
    "instrument",
    "leg",
    "order",
    "order_row",
    "position_row",
    "preview",
    "quote",
    "reconciled",
    "setting",
    "step",
    "sweep",
    "token",
    "token_made",
    "trade_row",
    "verdict",
]
