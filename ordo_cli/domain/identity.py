"""Identity: whether brokers mean the same by one name, before one order goes to the accounts of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from ordo_cli.domain.accounts import BrokerName
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import CASH, Instrument, InstrumentId, contract_of
from ordo_cli.domain.legs import Problem
from ordo_cli.domain.money import text_of

MISMATCH = "IDENTITY_MISMATCH"


def mismatch(asked: InstrumentId, known: Mapping[BrokerName, Instrument | None]) -> Problem | None:
    """What speaks against sending one order to all of these brokers: one sentence that names the difference.

    A broker that knows nothing is for INSTRUMENT_UNKNOWN to refuse, and an ISIN that one does not tell proves nothing.
    """
    told = {broker: instrument for broker, instrument in known.items() if instrument is not None}
    for (one, first), (other, second) in combinations(told.items(), 2):
        for what, mine, theirs in _differences(first, second):
            return _problem(
                f"{one} and {other} do not mean the same by {asked}: {what} is {mine} at {one} and {theirs} at {other}"
            )
    for broker, instrument in told.items():
        if instrument.id != asked:
            return _problem(f"{broker} takes {asked} for {instrument.id}")
    return None


def _differences(one: Instrument, other: Instrument) -> Iterator[tuple[str, object, object]]:
    facts: list[tuple[str, object, object]] = [("the lot", one.lot, other.lot), ("the kind", one.kind, other.kind)]
    facts += [(what, mine, theirs) for (what, mine), (_, theirs) in zip(_spelled(one), _spelled(other), strict=False)]
    if one.isin is not None and other.isin is not None:
        facts.append(("the ISIN", one.isin, other.isin))
    facts.append(("the instrument", one.id, other.id))
    yield from (fact for fact in facts if fact[1] != fact[2])


def _spelled(instrument: Instrument) -> list[tuple[str, object]]:
    """What the symbol says of a contract."""
    if instrument.id.exchange in CASH:
        return []
    try:
        contract = contract_of(instrument.id)
    except Invalid:
        return []
    strike = None if contract.strike is None else text_of(contract.strike)
    return [("the expiry", contract.expiry), ("the strike", strike), ("the right", contract.right)]


def _problem(sentence: str) -> Problem:
    return Problem(MISMATCH, sentence, "send one order for each broker, after: ordo instrument sync")
