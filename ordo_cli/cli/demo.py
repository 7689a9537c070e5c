"""`ordo demo`: a narrated tour in a throw-away home that runs the real commands and checks what each one shows."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json
from ordo_cli.cli.exits import DONE, FAILED, KILLED, PARTIAL, REFUSED, UNKNOWN
from ordo_cli.domain.errors import OrdoError
from ordo_cli.machine import SystemClock

PATIENCE = 20.0  # seconds that one command may take before the tour calls it broken
KEY = "demo-first-order"
TICK = Decimal("0.05")
PREPARE = "import json, sys; from ordo_cli.cli.main import main; sys.exit(max(map(main, json.loads(sys.argv[1]))))"
CAST = (
    ("alice", (), "behaves"),
    ("bob", (), "behaves"),
    ("carol", ("--behaviour", "refuse"), "refuses every order"),
    ("dave", ("--behaviour", "silent=0.4"), "takes orders and never answers"),
    ("erin", ("--behaviour", "partial=30"), "fills only half at once"),
)


Scene = Callable[[Any], None]


class Unmet(Exception):
    """A step that did not show what it should."""


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
        return Tour(home, page)
    from ordo_cli.cli.demo_brokers import BrokersTour  # 10 ms, only for this

    return BrokersTour(home, page)


class Tour:
    """The scenes in their order. Each runs commands of ordo as processes of their own, as a user would."""

    def __init__(self, home: str, page: Page) -> None:
        self.home, self.page = home, page
        self.done: list[dict[str, object]] = []
        self._order: tuple[str, ...] = ()
        self._fan_out = ""

    def walk(self) -> str | None:
        """Every scene until one does not show what it should; then what that was."""
        for number, scene in enumerate(self.SCENES, start=1):
            title = (scene.__doc__ or "").partition("\n")[0]
            self.page.title(number, title)
            try:
                scene(self)
            except Unmet as problem:
                self.done.append({"step": title, "held": False})
                return f"{title}: {problem}"
            self.done.append({"step": title, "held": True})
        return None

    def set_up(self) -> None:
        """Five paper accounts, and not all of them behave"""
        commands = [["init", "--secrets", "vault"]]
        for name, trouble, manner in CAST:
            commands.append(["account", "add", name, "--broker", "paper", "--group", "family", *trouble])
            self.page.line(f"{name:<6} {manner}")
        self.prepare(commands)
        rows = self.run("account", "list")
        self.expect("five accounts are there", len(_rows(rows)) == len(CAST))

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

    SCENES: tuple[Scene, ...] = (set_up, send, reconcile, replay, positions, kill, audit)

    def run(self, *words: str, expect: int = DONE, quietly: bool = False, given: str | None = None) -> Any:
        """Run one command of ordo; its data, or its error where that is what should come."""
        if not quietly:
            self.page.command(words)
        ended = self._process("-m", "ordo_cli", *words, "--json", given=given)
        try:
            document = json.loads(ended.stdout)
        except ValueError:
            raise Unmet(f"ordo {words[0]} gave no answer: {_last_line(ended.stderr)}") from None
        if ended.returncode != expect:
            said = document.get("error", {}).get("message", "") or _last_line(ended.stderr)
            raise Unmet(f"ordo {' '.join(words[:2])} ended with {ended.returncode} instead of {expect}: {said}")
        return document.get("data", document.get("error"))

    def prepare(self, commands: list[list[str]]) -> None:
        """Run several commands in one process: what nobody watches need not start an interpreter each."""
        ended = self._process("-c", PREPARE, json.dumps(commands))
        if ended.returncode != DONE:
            raise Unmet(f"the accounts could not be set up: {_last_line(ended.stderr)}")

    def _process(self, *words: str, given: str | None = None) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603 - the words are this module's own
                [sys.executable, *words],
                env=self.environment(),
                input=(given or "").encode(),
                capture_output=True,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise Unmet(f"a command did not end within {PATIENCE:.0f} s") from None

    def expect(self, claim: str, held: bool) -> None:
        """Show a claim as kept, or stop the tour."""
        if not held:
            raise Unmet(f"not so: {claim}")
        self.page.kept(claim)

    def show_legs(self, fan_out: dict[str, Any]) -> dict[str, str]:
        """The legs as a table; their states by account."""
        rows = [
            (leg["account"], leg["state"], leg["filled_quantity"], leg["average_price"] or "", _why(leg))
            for leg in fan_out["legs"]
        ]
        self.page.table(("account", "state", "filled", "price", "why"), rows)
        return {leg["account"]: leg["state"] for leg in fan_out["legs"]}

    def price(self, times: str = "1.005") -> str:
        """A limit that fills at once and lies within every check; or another share of what is asked."""
        quote = _rows(self.run("quote", "NSE:INFY", quietly=times != "1.005"))[0]
        asked = Decimal(quote["ask"] or quote["last_price"]) * Decimal(times)
        return str((asked / TICK).to_integral_value(ROUND_CEILING) * TICK)

    def _orders_of(self, target: str) -> int:
        return len(_rows(self.run("orders", target, quietly=True)))

    def environment(self) -> dict[str, str]:
        """The user's environment without anything that would lead a command to the user's own home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDO_", "_ORDO"))}
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        paths = [package, *filter(None, [kept.get("PYTHONPATH")])]
        return kept | {"ORDO_HOME": self.home, "PYTHONPATH": os.pathsep.join(paths)}


class Page:
    """How the tour looks: Rich on a terminal, plain lines in a pipe, nothing under --json."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self._console: Any = None
        if not silent and show.rich_wanted():
            from rich.console import Console  # 45 ms; only when somebody is looking

            self._console = Console(width=show.width(), highlight=False)

    def title(self, number: int, text: str) -> None:
        if self._console is not None:
            from rich.rule import Rule
            from rich.text import Text

            self._console.print()
            self._console.print(Rule(Text(f"{number}  {text}", style="bold"), align="left", style="dim"))
        else:
            self._write(f"\n{number}. {text}")

    def command(self, words: Sequence[str]) -> None:
        self._styled(f"$ ordo {shlex.join(words)}", "cyan")

    def line(self, text: str) -> None:
        self._styled(f"  {show.cleaned(text)}", "")

    def say(self, text: str) -> None:
        self._styled(f"  {text}", "italic")

    def kept(self, claim: str) -> None:
        self._styled(f"  {'✓' if self._console is not None else 'ok'}  {claim}", "green")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        if not self._silent:
            show.table("", columns, rows)

    def end(self, problem: str | None, seconds: float) -> None:
        """The last words."""
        if problem is not None:
            self._styled(f"\nthe tour stopped: {show.cleaned(problem)}", "bold red")
            return
        self._styled(f"\nEverything held, in {seconds:.1f} s; the throw-away home is gone.", "bold green")
        self._styled(
            "Next: ordo init, then ordo account add me --broker paper, then ordo buy NSE:INFY --qty 1 --to me", ""
        )

    def _styled(self, text: str, style: str) -> None:
        if self._console is not None:
            from rich.text import Text

            self._console.print(Text(text, style=style))
        else:
            self._write(text)

    def _write(self, text: str) -> None:
        if not self._silent:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


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


def _rows(data: Any) -> list[Any]:
    """The rows of a list, consolidated or not."""
    return list(data["rows"]) if isinstance(data, dict) else list(data)


def _why(leg: dict[str, Any]) -> str:
    return leg["problem"]["message"] if leg["problem"] else ""


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
