"""The paper exchange under another name and as if it were real money: what a live broker looks like to the terminal."""

from __future__ import annotations

from dataclasses import replace

from ordo_cli.brokers.paper import SPEC as PAPER
from ordo_cli.domain.accounts import BrokerName
from ordo_cli.domain.fanouts import Mode

SPEC = replace(PAPER, name=BrokerName("acme"), title="Acme", mode=Mode.LIVE)
