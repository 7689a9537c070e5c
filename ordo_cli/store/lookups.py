"""Reading the journal: fan-outs and legs by id or the beginning of one, what is unsettled, and whose an order is."""

from __future__ import annotations

from collections.abc import Iterable

from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.journal import Owner
from ordo_cli.domain.legs import Leg, LegId
from ordo_cli.store.driver import Ask, Body
from ordo_cli.store.planning import Conflict, replaying
from ordo_cli.store.rows import fan_outs_of, leg_id, micros, owner_of, owner_text

SHOWN = 5  # candidates named when the beginning of an id fits several
AFTER_ALL = "\U0010ffff"  # sorts behind everything that an id may go on with
NO_END = 2**62  # microseconds; behind everything that has happened


def one_fan_out(text: str) -> Body[FanOut]:
    """The fan-out with this id, or the only one whose id begins so."""
    found = yield from _beginning(text)
    if not found:
        raise NotFound(f"there is no fan-out {text!r}", hint="see: ordo fanout list")
    if text not in found and len(found) > 1:
        raise _ambiguous("fan-outs", text, found)
    rows = yield Ask("fan_out_legs", {"id": text if text in found else found[0]})
    return fan_outs_of(rows)[0]


def one_leg(text: str) -> Body[tuple[FanOut, Leg]]:
    """The leg with this id, or the only one that it can mean: `ab12-3` is leg 3 of the fan-out beginning with ab12."""
    head, dash, number = text.rpartition("-")
    legs: dict[LegId, tuple[FanOut, Leg]] = {}
    heads = [text, head] if dash and number.isdecimal() else [text]
    for beginning in dict.fromkeys(heads):
        found = yield from _beginning(beginning)
        if len(found) > SHOWN and beginning not in found:  # there may be more, and the leg that is meant among them
            raise _ambiguous("fan-outs", beginning, found)
        for id in found:
            fan_out = fan_outs_of((yield Ask("fan_out_legs", {"id": id})))[0]
            for leg in fan_out.legs:
                if leg.id.startswith(text) or (leg.id.endswith(f"-{number}") and beginning == head):
                    legs[leg.id] = (fan_out, leg)
    if LegId(text) in legs:
        return legs[LegId(text)]
    if not legs:
        raise NotFound(f"there is no leg {text!r}", hint="see: ordo fanout show ID")
    if len(legs) > 1:
        raise _ambiguous("legs", text, sorted(legs))
    return next(iter(legs.values()))


def newest(most: int, account: str | None, before: str | None = None) -> Body[list[FanOut]]:
    """The latest fan-outs, whole, newest first; with an account, those that it has a leg in; or those before one."""
    older: dict[str, object] = {"before_at": NO_END, "before_id": ""}
    if before is not None:
        cursor = yield from one_fan_out(before)
        older = {"before_at": micros(cursor.created_at), "before_id": cursor.id}
    if account is None:
        return fan_outs_of((yield Ask("recent_legs", {"most": most, **older})))
    return fan_outs_of((yield Ask("recent_legs_of", {"most": most, "account": account, **older})))


def unsettled(account: str | None) -> Body[list[tuple[FanOut, Leg]]]:
    """Every leg of which more is to come, oldest first, with the fan-out it belongs to (and only such legs in it)."""
    rows = yield Ask("unsettled", {"account": account})
    return [(fan_out, leg) for fan_out in fan_outs_of(rows) for leg in fan_out.legs]


def owners(besides: Owner | None = None) -> Body[dict[LegId, Owner]]:
    """Who plans or sends each leg that is not out of ordo's hands yet; without those of one who may have many."""
    rows = yield Ask("owned", {"besides": owner_text(besides) or ""})
    return {leg_id(fan_out, number): owner for fan_out, number, text in rows if (owner := owner_of(text)) is not None}


def outset(
    principal: str, verb: str, key: str, fingerprint: str, mine: Owner | None
) -> Body[tuple[dict[LegId, Owner], FanOut | Conflict | None]]:
    """What a request has to know first: the legs of others that are under way, and what its key was used for."""
    others = yield from owners(mine)
    return others, (yield from replaying(principal, verb, key, fingerprint))


def by(name: str, column: str, account: str, words: Iterable[str]) -> Body[dict[str, LegId]]:
    """Which of these tags or order ids are ours, and whose legs they are."""
    found: dict[str, LegId] = {}
    for word in words:
        for known, fan_out, number in (yield Ask(name, {"account": account, column: word})):
            found[known] = leg_id(fan_out, number)
    return found


def _beginning(text: str) -> Body[list[str]]:
    # A range instead of LIKE: it uses the index, and no character of the text means anything but itself.
    if not text:
        return []
    rows = yield Ask("fan_outs_like", {"low": text, "high": text + AFTER_ALL, "most": SHOWN + 1})
    return [row[0] for row in rows]


def _ambiguous(what: str, text: str, found: list[str] | list[LegId]) -> Invalid:
    listed = ", ".join(found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
    return Invalid(f"several {what} begin with {text!r}: {listed}", hint="write more of the id")
