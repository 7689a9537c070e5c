"""A narrated tour: scenes of real commands in a throw-away home, each checked as it goes; and how it looks."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any

from ordo_cli.cli import show
from ordo_cli.cli.exits import DONE

PATIENCE = 20.0  # seconds that one command may take before the tour calls it broken
TICK = Decimal("0.05")
PREPARE = "import json, sys; from ordo_cli.cli.main import main; sys.exit(max(map(main, json.loads(sys.argv[1]))))"

Scene = Callable[[Any], None]


class Unmet(Exception):
    """A step that did not show what it should."""


class Tour:
    """Scenes in their order. Each runs commands of ordo as processes of their own, as a user would."""

    SCENES: tuple[Scene, ...] = ()

    def __init__(self, home: str, page: Page) -> None:
        self.home, self.page = home, page
        self.done: list[dict[str, object]] = []

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
        quote = rows_of(self.run("quote", "NSE:INFY", quietly=times != "1.005"))[0]
        asked = Decimal(quote["ask"] or quote["last_price"]) * Decimal(times)
        return str((asked / TICK).to_integral_value(ROUND_CEILING) * TICK)

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


def rows_of(data: Any) -> list[Any]:
    """The rows of a list, consolidated or not."""
    return list(data["rows"]) if isinstance(data, dict) else list(data)


def _why(leg: dict[str, Any]) -> str:
    return leg["problem"]["message"] if leg["problem"] else ""


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
