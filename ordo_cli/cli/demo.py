"""`ordo demo`: a tour of paper accounts, or of real brokers' protocols, that checks what each step shows."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ordo_cli.cli import door
from ordo_cli.cli.door import Json
from ordo_cli.cli.exits import DONE, FAILED, KILLED, PARTIAL, REFUSED, UNKNOWN
from ordo_cli.cli.tour import Page, Scene, Tour, Unmet, rows_of
from ordo_cli.domain.errors import OrdoError
from ordo_cli.machine import SystemClock

KEY = "demo-first-order"
CAST = (
    ("alice", (), "behaves"),
    ("bob", (), "behaves"),
    ("carol", ("--behaviour", "refuse"), "refuses every order"),
    ("dave", ("--behaviour", "silent=0.4"), "takes orders and never answers"),
    ("erin", ("--behaviour", "partial=30"), "fills only half at once"),
)


def demo(
    brokers: Annotated[
        bool, typer.Option("--brokers", help="A whole day over the protocols of four real brokers, served here")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take a tour that needs no account and no network. Nothing of yours is touched; ends with 0 if all went right.

    Example: ordo demo
    """
    clock = SystemClock()
    begun = clock.elapsed()
    page = Page(silent=as_json)
    with _stoppable(), tempfile.TemporaryDirectory(prefix="ordo-demo-") as home:
        tour = _tour(home, page, brokers)
        problem = tour.walk()
    seconds = clock.elapsed() - begun
    data = {"steps": tour.done, "problem": problem, "seconds": round(seconds, 1)}
    code = FAILED if problem else DONE
    door.answer("demo", data, as_json=as_json, text=lambda: page.end(problem, seconds), exit_code=code)


def _tour(home: str, page: Page, brokers: bool) -> Tour:
    if not brokers:
        return PaperTour(home, page)
    from ordo_cli.cli.demo_brokers import BrokersTour  # 10 ms, only for this

    return BrokersTour(home, page)


class PaperTour(Tour):
    """Five paper accounts, not all of which behave."""

    def __init__(self, home: str, page: Page) -> None:
        super().__init__(home, page)
        self._order: tuple[str, ...] = ()
        self._fan_out = ""

    def set_up(self) -> None:
        """Five paper accounts, and not all of them behave"""
        commands = [["init", "--secrets", "vault"]]
        for name, trouble, manner in CAST:
            commands.append(["account", "add", name, "--broker", "paper", "--group", "family", *trouble])
            self.page.line(f"{name:<6} {manner}")
        self.prepare(commands)
        rows = self.run("account", "list")
        self.expect("five accounts are there", len(rows_of(rows)) == len(CAST))

    def send(self) -> None:
        """One order, five accounts, and the truth about each"""
        price = self.price()
        self._order = ("buy", "NSE:INFY", "--qty", "10", "--limit", price, "--to", "@family", "--key", KEY)
        fan_out = self.run(*self._order, expect=UNKNOWN)
        self._fan_out = fan_out["id"]
        states = self.show_legs(fan_out)
        self.expect("alice and bob are filled", {states["alice"], states["bob"]} == {"filled"})
        self.expect("carol is refused, and that is final", states["carol"] == "rejected")
        self.expect("dave is unknown: the order may be there", states["dave"] == "unknown")
        self.expect("erin is filled in part", states["erin"] == "partial")
        self.page.say("Unknown is said aloud: exit code 7, and nothing is ever sent again on a guess.")

    def reconcile(self) -> None:
        """Silence is settled by the broker's own book, never by sending again"""
        moved = self.run("fanout", "reconcile", self._fan_out)["moved"]
        dave = next((leg for leg in moved if leg["account"] == "dave"), None)
        if dave is None:
            raise Unmet("the book was read, and dave's order was not found")
        self.page.line(f"dave   {dave['state']}, found in the book by its tag {dave['tag']}")
        self.expect("dave's order is found", dave["state"] == "filled" and dave["evidence"] == "book_tag")
        self.expect("and it is there once", self._orders_of("dave") == 1)

    def replay(self) -> None:
        """The same key again repeats the answer and sends nothing"""
        again = self.run(*self._order, expect=PARTIAL)
        self.expect("it is the first fan-out again", again["replayed"] and again["id"] == self._fan_out)
        other = (*self._order[:3], "20", *self._order[4:])
        refused = self.run(*other, expect=2)
        self.page.line(refused["message"])
        self.expect("the same key for another order is refused", refused["code"] == "key_conflict")
        count = len(CAST)
        self.expect(f"the exchange still has {count} orders, one of each account", self._orders_of("all") == count)

    def positions(self) -> None:
        """Everything in one view"""
        found = self.run("positions")
        rows = [(row["account"], row["instrument"], row["quantity"], row["average_price"]) for row in found["rows"]]
        self.page.table(("account", "instrument", "quantity", "average"), rows)
        held = {row["account"]: row["quantity"] for row in found["rows"]}
        self.expect("four accounts hold what was filled", held == {"alice": 10, "bob": 10, "dave": 10, "erin": 5})
        self.expect("no account is missing", found["failures"] == [])

    def kill(self) -> None:
        """One command stops everything"""
        pressed = self.run("kill", "--reason", "end of the tour")
        self.page.line(f"engaged; quiet confirmed in {pressed['quiet_ms']} ms")
        self.expect("the switch is engaged, and nothing is on its way", pressed["engaged"] and pressed["quiet"])
        refused = self.run("buy", "NSE:TCS", "--qty", "1", "--to", "@family", expect=KILLED)
        self.page.line(refused["message"])
        still = self._orders_of("all") == len(CAST)
        self.expect("nothing more leaves", refused["code"] == "kill_engaged" and still)
        closed = self.run("position", "close", "alice")
        self.expect("but what lowers risk still works: alice is flat", bool(closed["clean"]))
        self.run("kill", "release", "--scope", "global", "--reason", "back to work", expect=REFUSED)
        self.expect("only a person at a terminal can release it", bool(self.run("status")["kill"]["engaged"]))

    def audit(self) -> None:
        """All of it is written down, in a chain that shows any change"""
        found = self.run("audit", "verify")
        self.page.line(f"{found['rows']} facts, {found['state']}, head {found['head'][:16]}…")
        self.expect("the chain is whole", found["state"] == "whole")

    def _orders_of(self, target: str) -> int:
        return len(rows_of(self.run("orders", target, quietly=True)))

    SCENES: tuple[Scene, ...] = (set_up, send, reconcile, replay, positions, kill, audit)


@contextmanager
def _stoppable() -> Iterator[None]:
    """A SIGTERM ends the tour as Ctrl-C does, so that its home is taken away in both cases."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except OSError as error:
        raise OrdoError(f"the tour needs a folder for its throw-away home: {error.strerror or error}") from None
    finally:
        signal.signal(signal.SIGTERM, before)
