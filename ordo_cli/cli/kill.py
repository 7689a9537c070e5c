"""The kill switch on the command line: press it, see how it stands, release it, rehearse it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated

import typer

from ordo_cli import press
from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json
from ordo_cli.cli.exits import NOT_FLAT
from ordo_cli.cli.sweeps import print_sweep
from ordo_cli.domain.errors import Invalid, NotFound, OrdoError, Refused
from ordo_cli.domain.kill import Level, Scope, parse_scope

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.domain.kill import Switch
    from ordo_cli.services.drill import Drill
    from ordo_cli.services.kill import KillState, ScopeState
    from ordo_cli.services.sweep import SweepReport

CLEANING = "stopped; now cleaning up"
app = typer.Typer(help="Stop everything that has not left yet")

_pressed: ContextVar[press.Outcome | None] = ContextVar("pressed", default=None)


def clean_up(words: list[str], outcome: press.Outcome) -> int:
    """Go on in the whole program after a press that has already stopped everything."""
    from ordo_cli.cli.main import main

    _pressed.set(outcome)
    return main(words)


@app.callback(
    invoke_without_command=True, epilog='Example: ordo kill --scope account:alice --flatten --reason "wrong size"'
)
def kill(
    context: typer.Context,
    scope: Annotated[
        str, typer.Option("--scope", metavar="SCOPE", help="global, broker:B, account:A or group:G")
    ] = "global",
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel open orders too; stops that protect stay")] = False,
    flatten: Annotated[bool, typer.Option("--flatten", help="Cancel, and close every position")] = False,
    protective: Annotated[
        bool, typer.Option("--include-protective", help="Cancel stops that protect a position too")
    ] = False,
    foreign: Annotated[bool, typer.Option("--all", help="Cancel orders that ordo did not place too")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the audit keeps it")] = "",
    yes: door.Yes = False,
    as_json: Json = False,
) -> None:
    """Stop at once: no new order leaves after this returns. Cancels and closes stay possible. Never asks."""
    if context.invoked_subcommand is not None:
        return
    if cancel and flatten:
        raise Invalid("--cancel and --flatten exclude each other; --flatten cancels too")
    level = Level.FLATTEN if flatten else Level.CANCEL if cancel else Level.BLOCK
    chosen = parse_scope(scope)
    asked = press.Press(chosen.kind.value, chosen.name, int(level), reason)
    outcome = _pressed.get() or door.engage(asked)
    if not outcome.known:
        raise NotFound(f"there is no {chosen.kind} {chosen.name}; NOTHING WAS STOPPED", hint="see: ordo account list")
    swept, problem = _sweep(asked, outcome, chosen, level, protective, foreign)
    dirty = problem is not None or (swept is not None and not swept.clean)
    code = NOT_FLAT if dirty else outcome.exit_code
    door.answer(
        "kill",
        _data(asked, outcome, swept, problem) if as_json else None,
        as_json=as_json,
        text=lambda: _tell(asked, outcome, swept, problem),
        exit_code=code,
    )


@app.command("status", epilog="Example: ordo kill status --json")
def status(as_json: Json = False) -> None:
    """How the switch stands for every scope and account; what cannot be read counts as engaged."""
    found = door.operate(lambda operations: operations.kill_state(), reading=True)
    door.answer(
        "kill status", _state_data(found) if as_json else None, as_json=as_json, text=lambda: _show_state(found)
    )


@app.command("release", epilog="Example: ordo kill release --scope account:alice")
def release(
    scope: Annotated[str | None, typer.Option("--scope", metavar="SCOPE", help="What to release")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; the audit keeps it")] = None,
    acknowledge: Annotated[
        list[str] | None, typer.Option("--acknowledge", metavar="LEG", help="Release although this leg is unknown")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a scope send again. Only a person at a terminal may, who types it; nothing planned before can leave."""
    if not door.interactive():
        # Whatever runs without a person (cron, a script, a page) may stop and must never start again.
        there = f"type there: ordo kill release{f' --scope {show.cleaned(scope)}' if scope else ''}"
        raise Refused("a release is typed by a person at a terminal", hint=there, code="needs_terminal")
    if scope is not None:
        parse_scope(scope)
    seen = door.operate(lambda operations: operations.kill_state(), reading=True)
    _show_engaged(seen)
    typed = door.prompt(f"Type the scope to release{f' ({scope})' if scope else ''}", "an answer at a terminal")
    if scope is not None and typed != scope:
        raise Invalid("that is not the scope; it stays engaged", code="declined")
    chosen = parse_scope(typed)
    why = reason if reason is not None else door.prompt("Reason", "--reason")
    row = door.operate(lambda operations: operations.release(chosen, why, acknowledge or [], seen.stamp))
    door.answer(
        "kill release",
        _row_data(row) if as_json else None,
        as_json=as_json,
        text=lambda: show.line(f"{row.scope} sends again"),
    )


@app.command("drill", epilog="Example: ordo kill drill")
def drill(as_json: Json = False) -> None:
    """Rehearse a press on a throw-away home with a sender running, and say how long it took. Touches nothing real."""
    found = door.run(_drill, reading=True)
    code = door.DONE if found.passed else NOT_FLAT
    door.answer("kill drill", _drill_data(found), as_json=as_json, text=lambda: _show_drill(found), exit_code=code)


def _sweep(
    asked: press.Press, outcome: press.Outcome, scope: Scope, level: Level, protective: bool, foreign: bool
) -> tuple[SweepReport | None, str | None]:
    """The sweep's report, or what kept it from running: the press stands either way."""
    if level is Level.BLOCK:
        return None, None
    door.say(f"{press.headline(outcome)}; {CLEANING} ({level.name.lower()})")
    try:
        return door.operate(lambda operations: operations.sweep(scope, level, asked.reason, protective, foreign)), None
    except OrdoError as error:
        return None, f"the clean-up could not run: {error.message}"


async def _drill(desk: Desk) -> Drill:
    from ordo_cli.services.drill import drill as rehearse

    return await rehearse(desk)


def _tell(asked: press.Press, outcome: press.Outcome, swept: SweepReport | None, problem: str | None) -> None:
    press.report(asked, outcome)
    if problem is not None:
        door.warn(problem)
    if swept is None:
        return
    print_sweep(swept)
    if not swept.clean:
        door.warn("what is left was not seen cancelled or closed: use the broker's own app or its dealing desk")


def _data(asked: press.Press, outcome: press.Outcome, swept: SweepReport | None, problem: str | None) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.pressed(asked, outcome, swept, problem)


def _show_state(found: KillState) -> None:
    rows = [_cells(scope) for scope in found.scopes]
    show.table("", ("scope", "state", "level", "epoch", "since", "by", "reason"), rows)
    stopped = [
        (each.account, each.level.name.lower() if each.level else "", ", ".join(map(str, each.by)))
        for each in found.accounts
        if each.engaged
    ]
    if stopped:
        show.table("Accounts that cannot send", ("account", "level", "because of"), stopped)
    for scope in found.unwritten:
        door.warn(f"a press of {scope} is in force and not yet in the database")


def _cells(each: ScopeState) -> tuple[object, ...]:
    row = each.row
    level = each.level.name.lower() if each.level else ""
    if row is None:
        return (str(each.scope), each.why, level, None, None, None, None)
    return (str(each.scope), each.why, level, row.epoch, row.changed_at, row.actor, row.reason)


def _show_engaged(found: KillState) -> None:
    engaged = [f"{each.scope} ({each.why})" for each in found.scopes if each.engaged]
    door.say("engaged: " + (", ".join(engaged) or "nothing"))


def _state_data(found: KillState) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.kill_state(found)


def _row_data(row: Switch) -> object:
    from ordo_cli import schemas

    return schemas.switch(row)


def _drill_data(found: Drill) -> object:
    return {
        "passed": found.passed,
        "unlinked_ms": found.unlinked_ms,
        "quiet_ms": found.quiet_ms,
        "returned_ms": found.returned_ms,
        "sent_before": found.sent_before,
        "sent_after": found.sent_after,
        "recorded": found.recorded,
    }


def _show_drill(found: Drill) -> None:
    show.facts(
        "",
        [
            ("sends before the press", found.sent_before),
            ("press to arming file gone", f"{found.unlinked_ms:.1f} ms"),
            ("arming file gone to last send", f"{found.quiet_ms:.1f} ms"),
            ("press to the command's return", f"{found.returned_ms:.1f} ms"),
            ("sends after it returned", found.sent_after),
            ("written down", "yes" if found.recorded else "no"),
            ("verdict", "passed" if found.passed else "FAILED"),
        ],
    )
