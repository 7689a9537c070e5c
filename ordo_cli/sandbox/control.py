"""The sandbox's own door, `/_sandbox/…` at every port: what brokers received, and how to change what happens next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from ordo_cli.domain.errors import Invalid, NotFound, OrdoError
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.moments import moment_text
from ordo_cli.domain.money import parse_price
from ordo_cli.domain.urls import is_loopback
from ordo_cli.domain.values import fields
from ordo_cli.sandbox.codes import totp
from ordo_cli.sandbox.wire import Reply, Request, Unreadable, json_reply

if TYPE_CHECKING:
    from ordo_cli.sandbox.desk import Desk
    from ordo_cli.sandbox.record import Received
    from ordo_cli.sandbox.sandbox import Sandbox

PREFIX = "/_sandbox/"
TAGS = (
    "SELECT account, tag, number, outcome FROM orders WHERE tag IS NOT NULL AND tag <> '' ORDER BY account, tag, number"
)


class Control:
    """Questions are GET, changes are POST with a JSON object; everything answers with JSON."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._questions: Mapping[str, Callable[[Request], object]] = {
            "": self._overview,
            "requests": self._requests,
            "tags": self._tags,
            "clock": self._clock,
            "faults": self._faults,
            "otp": self._otp,
            "sessions": self._sessions,
        }
        self._changes: Mapping[str, Callable[[dict[str, Any]], object]] = {
            "price": self._price,
            "clock": self._set_clock,
            "faults": self._add_fault,
            "faults/clear": self._clear_faults,
            "session-death": self._end_sessions,
            "redirect": self._redirect,
            "rates": self._rates,
            "echo": self._echo,
            "holding": self._holding,
            "reset": self._reset,
        }

    def answer(self, request: Request) -> Reply:
        """One request to the sandbox itself. A page of some web site cannot ask: it would come under another name."""
        host = request.header("host").rpartition(":")[0] or request.header("host")
        if not is_loopback(host.strip("[]")) or request.header("origin"):
            return json_reply({"error": "only for programs of this machine"}, 403)
        name = request.path.removeprefix(PREFIX)
        try:
            if request.method == "GET" and name in self._questions:
                return json_reply(self._questions[name](request))
            if request.method == "POST" and name in self._changes:
                given = request.json_object() if request.body else {}
                return json_reply(self._changes[name](given))
        except (Unreadable, KeyError, TypeError, ValueError, InvalidOperation) as error:
            return json_reply({"error": f"cannot be read: {error}"}, 400)
        except OrdoError as error:
            return json_reply({"error": str(error), "hint": error.hint}, 404 if isinstance(error, NotFound) else 400)
        known = {"GET": sorted(self._questions), "POST": sorted(self._changes)}
        return json_reply({"error": "there is nothing of this name", **known}, 404)

    # Questions.

    def _overview(self, request: Request) -> object:
        return {
            "brokers": {desk.broker: self._desk_facts(desk) for desk in self._sandbox.desks.values()},
            **self._clock_facts(),
            "questions": sorted(self._questions),
            "changes": sorted(self._changes),
        }

    def _desk_facts(self, desk: Desk) -> object:
        gateway = self._sandbox.counters[desk.broker].gateway
        return {
            "base_url": f"http://127.0.0.1:{desk.port}",
            "redirect": desk.redirect,
            "accounts": [
                {
                    **{each.name: getattr(account, each.name) for each in fields(account)},
                    "login": gateway.login_address(desk, account),
                }
                for account in desk.accounts
            ],
        }

    def _requests(self, request: Request) -> object:
        wanted = {name: request.asked(name) for name in ("broker", "account", "call", "tag")}
        rows = [
            row
            for row in self._sandbox.record.rows
            if all(not value or getattr(row, name) == value for name, value in wanted.items())
        ]
        return {"requests": [_row(row) for row in rows]}

    def _tags(self, request: Request) -> object:
        """Orders of each account under each tag: more than one accepted is an order that was sent twice.

        Slices that a broker made of one order count as that order.
        """
        floor = self._sandbox.floor
        found: dict[tuple[str, str], dict[str, Any]] = {}
        with floor.exchange.moment():
            rows = floor.exchange.db.execute(TAGS).fetchall()
        for account, tag, number, outcome in rows:
            if floor.noted(number).get("parent"):
                continue
            entry = found.setdefault((account, tag), {"account": account, "tag": tag, "orders": 0, "accepted": 0})
            entry["orders"] += 1
            entry["accepted"] += outcome != "rejected"
        wanted = request.asked("tag")
        return {"tags": [entry for entry in found.values() if not wanted or entry["tag"] == wanted]}

    def _clock_facts(self) -> dict[str, object]:
        clock = self._sandbox.clock
        return {"now": moment_text(clock.now()), "ahead_seconds": clock.ahead.total_seconds()}

    def _clock(self, request: Request) -> object:
        return self._clock_facts()

    def _faults(self, request: Request) -> object:
        return {
            "faults": [
                {"rule": rule.text, "struck": rule.struck, "left": rule.left} for rule in self._sandbox.faults.rules
            ]
        }

    def _sessions(self, request: Request) -> object:
        """The tokens that are out, for whoever looks for where they should not be."""
        now = self._sandbox.clock.now()
        return {
            "sessions": [
                {"broker": desk.broker, "account": session.account.user, "token": session.token}
                for desk in self._sandbox.desks.values()
                for session in desk.sessions.live(now)
            ]
        }

    def _otp(self, request: Request) -> object:
        """The codes that are worth something now, of telephones and of authenticators."""
        now = self._sandbox.clock.now()
        return {
            "codes": [
                {
                    "broker": desk.broker,
                    "account": account.user,
                    "otp": None if (sent := desk.telephone.codes.get(account.paper)) is None else sent.code,
                    "totp": totp(account.totp_secret, now),
                }
                for desk in self._sandbox.desks.values()
                for account in desk.accounts
                if request.asked("broker") in ("", desk.broker) and request.asked("account") in ("", account.user)
            ]
        }

    # Changes.

    def _price(self, given: dict[str, Any]) -> object:
        """`{"instrument": "NSE:INFY", "price": "1500.00", "depth": 0}`; price null lets it move again."""
        price = given["price"]
        instrument = parse_instrument(str(given["instrument"]))
        depth = given.get("depth")
        held = None if price is None else parse_price(str(price))
        self._sandbox.floor.set_price(instrument, held, None if depth is None else int(depth))
        return {"instrument": str(instrument), "price": None if held is None else str(held)}

    def _set_clock(self, given: dict[str, Any]) -> object:
        """`{"advance": SECONDS}`, or `{"set": "2026-11-24T06:00:00+05:30"}`; forward only."""
        if "set" in given:
            moment = datetime.fromisoformat(str(given["set"]))
            if moment.tzinfo is None:
                raise Invalid("a time without its offset means nothing")
            self._sandbox.clock.set(moment)
        else:
            self._sandbox.clock.advance(float(given["advance"]))
        return self._clock_facts()

    def _add_fault(self, given: dict[str, Any]) -> object:
        return {"rule": self._sandbox.faults.add(str(given["rule"])).text}

    def _clear_faults(self, given: dict[str, Any]) -> object:
        self._sandbox.faults.clear()
        return {"faults": []}

    def _end_sessions(self, given: dict[str, Any]) -> object:
        desk = self._desk(given)
        account = desk.by_user(str(given["account"]))
        if account is None:
            raise NotFound(f"{desk.broker} has no customer {given['account']}")
        desk.sessions.end_all(account)
        return {"ended": account.user}

    def _redirect(self, given: dict[str, Any]) -> object:
        """`{"broker": "zerodha", "url": "http://127.0.0.1:…/…"}`: the address registered for the broker's app."""
        desk = self._desk(given)
        desk.redirect = str(given["url"])
        return {"broker": desk.broker, "redirect": desk.redirect}

    def _rates(self, given: dict[str, Any]) -> object:
        """`{"on": false}`: whether rate limits are kept, by one broker or all."""
        for desk in [self._desk(given)] if "broker" in given else self._sandbox.desks.values():
            desk.rates.on = bool(given["on"])
        return {"on": bool(given["on"])}

    def _echo(self, given: dict[str, Any]) -> object:
        """`{"broker": "mstock", "on": true}`: whether the book carries tags back, where that is not confirmed."""
        self._desk(given).echo = bool(given["on"])
        return {"on": bool(given["on"])}

    def _holding(self, given: dict[str, Any]) -> object:
        """`{"broker", "account", "instrument", "quantity", "price"}`: shares held from before today."""
        desk = self._desk(given)
        account = desk.by_user(str(given["account"]))
        if account is None:
            raise NotFound(f"{desk.broker} has no customer {given['account']}")
        name = str(parse_instrument(str(given["instrument"])))
        self._sandbox.floor.give_holding(account.paper, name, int(given["quantity"]), Decimal(str(given["price"])))
        return {"account": account.user, "instrument": name}

    def _reset(self, given: dict[str, Any]) -> object:
        self._sandbox.reset()
        return {"reset": True}

    def _desk(self, given: dict[str, Any]) -> Desk:
        name = str(given["broker"])
        if name not in self._sandbox.desks:
            raise NotFound(f"no broker {name!r} is served")
        return self._sandbox.desks[name]


def _row(row: Received) -> dict[str, object]:
    facts = {each.name: getattr(row, each.name) for each in fields(row)}
    return {**facts, "at": moment_text(row.at)}
