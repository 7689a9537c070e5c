"""The way of one request: what it is, whose it is, what goes wrong with it, and how its reply leaves."""

from __future__ import annotations

from traceback import format_exc

from ordo_cli.domain.values import replace
from ordo_cli.sandbox.desk import Desk
from ordo_cli.sandbox.faults import Faults, Kind, Trouble
from ordo_cli.sandbox.gateway import Call, Gateway, Refusal, Route
from ordo_cli.sandbox.rates import SECOND
from ordo_cli.sandbox.record import Received, Record
from ordo_cli.sandbox.server import Manner
from ordo_cli.sandbox.wire import HTML, Reply, Request, Unreadable

EDGE_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
MANNERS = {
    Kind.ACCEPT_THEN_DROP: Manner.NOT,
    Kind.RESET_AFTER_HEAD: Manner.HEAD_THEN_RESET,
    Kind.TRUNCATE: Manner.CUT,
    Kind.DUPLICATE_ANSWER: Manner.TWICE,
}


class Counter:
    """Where one broker's requests arrive."""

    def __init__(self, gateway: Gateway, desk: Desk, faults: Faults, record: Record) -> None:
        self.gateway, self.desk, self.faults, self.record = gateway, desk, faults, record

    async def take(self, request: Request) -> tuple[Reply, Manner]:
        """Handle one request, with the trouble that its rules ask for, and write it all down."""
        route, parts = self._route(request)
        call = route.call if route is not None else "other"
        account = self._whose(request)
        received = self.record.add(
            self.desk.clock.now(), self.desk.broker, request.method, request.target, call, account, request.body
        )
        trouble = self.faults.strike(self.desk.broker, account, call)
        received.faults = [kind.value for kind in trouble.kinds]
        await self._wait(trouble, Kind.LATENCY)
        if Kind.DROP_BEFORE in trouble:
            return Reply(0), Manner.NOT
        reply = self._stopped(trouble, request)
        if reply is None:
            reply = self._handle(route, parts, request, trouble, received)
            reply = _spoiled(reply, trouble, self.gateway)
            await self._wait(trouble, Kind.LATE_ANSWER)
        manner = next((MANNERS[kind] for kind in MANNERS if kind in trouble), Manner.WHOLE)
        received.status = None if manner is Manner.NOT else reply.status
        return reply, manner

    def _route(self, request: Request) -> tuple[Route | None, dict[str, str]]:
        wrong = False
        for route in self.gateway.routes:
            parts = route.match(request.path)
            if parts is not None and route.method == request.method:
                return route, parts
            wrong = wrong or parts is not None
        return None, {"wrong": "method"} if wrong else {}

    def _whose(self, request: Request) -> str | None:
        session = self.gateway.session_of(self.desk, request)
        try:
            account = session.account if session is not None else self.gateway.claimant(self.desk, request)
        except Unreadable:
            return None
        return None if account is None else account.user

    async def _wait(self, trouble: Trouble, kind: Kind) -> None:
        if kind in trouble:
            await self.desk.clock.sleep(trouble.value(kind) / 1000)

    def _stopped(self, trouble: Trouble, request: Request) -> Reply | None:
        """The answer to a request that a rule keeps from being handled."""
        if Kind.IP_REFUSED in trouble:
            return self.gateway.refuse(Refusal.ADDRESS, self.desk, request)
        if Kind.STATUS in trouble:
            return _when(self.gateway.fail(trouble.value(Kind.STATUS)))
        if Kind.SESSION_DEATH in trouble:
            session = self.gateway.session_of(self.desk, request)
            if session is not None:
                self.desk.sessions.end_all(session.account)
        return None

    def _handle(
        self, route: Route | None, parts: dict[str, str], request: Request, trouble: Trouble, received: Received
    ) -> Reply:
        gateway, desk = self.gateway, self.desk
        refused = gateway.preflight(desk, request)
        if refused is not None:
            return refused
        if route is None:
            wrong = Refusal.WRONG_METHOD if parts else Refusal.UNKNOWN_PATH
            return gateway.refuse(wrong, desk, request)
        session = gateway.session_of(desk, request)
        if session is None and not route.open:
            return gateway.refuse(Refusal.NO_SESSION, desk, request)
        who = session.account.user if session is not None else received.account or request.peer
        limit = desk.rates.exceeded(who, route.call, desk.clock.now())
        if limit is not None:
            return gateway.refuse(Refusal.RATE if limit.span == SECOND else Refusal.CAP, desk, request)
        received.handled = True
        try:
            return route.answer(Call(desk, request, parts, trouble, received, session))
        except Unreadable:
            return gateway.fail(400)
        except Exception:  # a bug of this gateway: it may have done half, which is what a broker's 500 means too
            desk.tell(f"{desk.broker} failed at {request.method} {request.path}:\n{format_exc()}")
            return gateway.fail(500)


def _when(reply: Reply) -> Reply:
    """With 429, when to come again."""
    told = any(name == "Retry-After" for name, _ in reply.headers)
    return reply if reply.status != 429 or told else replace(reply, headers=(*reply.headers, ("Retry-After", "1")))


def _spoiled(reply: Reply, trouble: Trouble, gateway: Gateway) -> Reply:
    """The reply to a request that was handled, as a rule wants it to read."""
    if Kind.ACCEPT_THEN_STATUS in trouble:
        return _when(gateway.fail(trouble.value(Kind.ACCEPT_THEN_STATUS)))
    if Kind.UNACKNOWLEDGED in trouble:
        return gateway.unacknowledged()
    if Kind.HTML in trouble:
        return Reply(502, EDGE_PAGE, HTML)
    if Kind.EMPTY in trouble:
        return replace(reply, body=b"")
    if Kind.NOT_JSON in trouble:
        return replace(reply, body=b"{'status': success, ")
    return reply
