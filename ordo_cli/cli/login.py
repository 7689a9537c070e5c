"""`ordo login` on the command line: log accounts in, answer what their brokers ask, see and end their sessions."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json
from ordo_cli.cli.exits import exit_code_of_logins
from ordo_cli.domain.accounts import Target, parse_target
from ordo_cli.domain.errors import Invalid, SessionNeeded
from ordo_cli.domain.market import IST
from ordo_cli.domain.sessions import GOOD, ChallengeKind, Standing

if TYPE_CHECKING:
    from datetime import datetime

    from ordo_cli.cli.operations import Operations
    from ordo_cli.desk import Desk
    from ordo_cli.domain.accounts import AccountId
    from ordo_cli.domain.sessions import KeptChallenge, LoginState
    from ordo_cli.services.masters import Synced, Watch

COLUMNS = ("account", "broker", "session", "until (IST)", "market close", "waits for")
TARGETS = "ordo.login.targets"
COMMAND_SECONDS = 60  # for a command that prints a code
FLAGS = "--otp-stdin or --otp-command"


class LoginGroup(TyperGroup):
    """A first word that is no verb is a target: `ordo login alice` logs alice in."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = [word for word in args if not word.startswith("-")]
        if words and words[0] not in self.commands:
            ctx.meta[TARGETS] = words
            args = [word for word in args if word.startswith("-") and word != "--"]
        return super().parse_args(ctx, args)


HELP = """Log in every account that is not live: all, or the targets given.

What a broker asks is asked for in turn; one account that cannot log in holds up no other. The exit code is 4 until all
are live. What nobody answers here waits, and `ordo login otp ACCOUNT` answers it from anywhere. Lists of instruments
that are not of the day are fetched after it, as orders need them."""
app = typer.Typer(cls=LoginGroup, help=HELP, subcommand_metavar="[TARGET]… | COMMAND …")

NoSync = Annotated[bool, typer.Option("--no-sync", help="Leave the lists of instruments as they are")]
Targets = Annotated[list[str] | None, typer.Argument(metavar="[TARGET]…", help="alice, @group or all")]


@app.callback(invoke_without_command=True, epilog="Example: ordo login @family")
def login(context: typer.Context, no_sync: NoSync = False, as_json: Json = False) -> None:
    """Log in, and ask for what brokers ask."""
    if context.invoked_subcommand is not None:
        return
    targets = _targets(context.meta.get(TARGETS))

    async def work(operations: Operations) -> list[LoginState]:
        return [await _answered(operations, state) for state in await operations.log_in(targets)]

    states = door.operate(work)
    with _lists_after(states, no_sync):
        _tell("login", states, as_json)


@app.command("otp", epilog="Example: ordo login otp alice")
def otp(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="whose broker asks")],
    from_stdin: Annotated[bool, typer.Option("--otp-stdin", help="Read the answer from standard input")] = False,
    command: Annotated[
        str | None, typer.Option("--otp-command", metavar="CMD", help="Run this; its last line is the answer")
    ] = None,
    no_sync: NoSync = False,
    as_json: Json = False,
) -> None:
    """Answer what an account's broker asks: typed unseen, or from standard input, a command or ORDO_OTP_<ACCOUNT>."""
    if from_stdin and command is not None:
        raise Invalid("--otp-stdin and --otp-command exclude each other")
    given = sys.stdin.read(10_000) if from_stdin else _output_of(command) if command is not None else None

    async def work(operations: Operations) -> LoginState:
        asked = await operations.login_question(account)
        text = given if given is not None else os.environ.get(variable(account)) or _typed(asked)
        return await operations.login_answer(account, text)

    state = door.operate(work)
    with _lists_after([state], no_sync):
        _tell("login otp", [state], as_json, alone=True)


@app.command("status", epilog="Example: ordo login status --json")
def status(targets: Targets = None, as_json: Json = False) -> None:
    """Per account: live until when, against today's market close. Asks no broker."""
    states = door.operate(lambda operations: operations.logins(_targets(targets)), reading=True)
    door.answer("login status", _json(states, as_json), as_json=as_json, text=lambda: _table(states))


@app.command("out", epilog="Example: ordo login out @family")
def out(targets: Targets = None, as_json: Json = False) -> None:
    """End sessions, at the broker too, and forget what brokers asked."""
    states = door.operate(lambda operations: operations.log_out(_targets(targets)))
    code = door.DONE if all(state.problem is None for state in states) else door.PARTIAL
    _warn(states)
    door.answer("login out", _json(states, as_json), as_json=as_json, text=lambda: _table(states), exit_code=code)


def variable(account: str) -> str:
    """The environment variable that may hold an account's answer."""
    return "ORDO_OTP_" + account.upper().replace("-", "_")


async def _answered(operations: Operations, state: LoginState) -> LoginState:
    """Ask whoever is there until the account is live or its broker has heard enough; else leave it waiting."""
    from ordo_cli.domain.legs import Problem
    from ordo_cli.domain.values import replace

    tried = False
    while state.standing is Standing.WAITING and state.challenge is not None:
        text = None if tried else os.environ.get(variable(state.account))
        if text is None:
            if not door.interactive():
                break
            text = await _asked(state.challenge)
        tried = True
        try:
            state = await operations.login_answer(state.account, text)
        except (SessionNeeded, Invalid) as error:
            door.warn(f"{error.message}" + (f"\n  {error.hint}" if error.hint else ""))
            (state,) = await operations.logins([Target(state.account)])
            if state.standing is not Standing.WAITING:
                state = replace(state, problem=Problem.of(error))
    return state


async def _asked(challenge: KeptChallenge) -> str:
    """The answer: what the browser comes back with, or what is typed."""
    if challenge.kind is ChallengeKind.REDIRECT:
        from ordo_cli.cli import redirect
        from ordo_cli.config import load

        left = (challenge.expires_at - challenge.created_at).total_seconds()
        landed = await redirect.landed(challenge, load(door.home()).redirect_port, left)
        if landed is not None:
            return landed
    return _typed(challenge)


def _typed(challenge: KeptChallenge) -> str:
    door.say(f"{challenge.account}: {show.cleaned(challenge.prompt)}")
    return door.secret(f"{challenge.kind} of {challenge.account}", FLAGS)


def _output_of(command: str) -> str:
    """The last line that a command prints."""
    import subprocess  # 7 ms, only for this

    try:
        words = shlex.split(command)
        ran = subprocess.run(  # noqa: S603  the user's own command, without a shell
            words, stdout=subprocess.PIPE, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise Invalid(f"the command of --otp-command cannot be run ({type(error).__name__})") from None
    except subprocess.TimeoutExpired:
        raise Invalid(f"the command of --otp-command did not end within {COMMAND_SECONDS} seconds") from None
    lines = ran.stdout.split("\n")
    found = [line for line in lines if line.strip()]
    if ran.returncode or not found:
        raise Invalid(f"the command of --otp-command gave no answer (exit code {ran.returncode})")
    return found[-1]


def _targets(words: Sequence[str] | None) -> list[Target]:
    return [parse_target(word) for word in words or ["all"]]


def _tell(command: str, states: Sequence[LoginState], as_json: bool, *, alone: bool = False) -> None:
    code = exit_code_of_logins(states)
    _warn(states)
    for state in states:
        if state.challenge is not None:
            door.say(f"{state.account} waits for: {show.cleaned(state.challenge.prompt)}")
            door.say(f"  answer before {_ist(state.challenge.expires_at)} IST: ordo login otp {state.account}")
        elif state.standing not in GOOD and state.problem is None:
            door.say(f"{state.account} is {state.standing}")
    data = _json(states, as_json)
    door.answer(
        command, data[0] if alone and data else data, as_json=as_json, text=lambda: _table(states), exit_code=code
    )


@contextmanager
def _lists_after(states: Sequence[LoginState], no_sync: bool) -> Iterator[None]:
    """Tell how the logins went, and then fetch the lists that accounts which are live now need for their orders.

    The exit code is that of the logins: a list that does not come is said, and every order would say it again.
    """
    try:
        yield
    finally:
        names = [state.account for state in states if state.standing is Standing.LIVE]
        if names and not no_sync and not door.remote():
            from ordo_cli.cli.fetching import fetched

            fetched(lambda desk, watch: _freshen(desk, names, watch))


async def _freshen(desk: Desk, names: Collection[AccountId], watch: Watch) -> list[Synced]:
    from ordo_cli.services import masters

    return await masters.freshen(desk, names, watch)


def _warn(states: Sequence[LoginState]) -> None:
    for state in states:
        if state.problem is not None:
            hint = f"\n  {show.cleaned(state.problem.hint)}" if state.problem.hint else ""
            door.warn(f"{state.account}: {show.cleaned(state.problem.message)}{hint}")


def _table(states: Sequence[LoginState]) -> None:
    show.table("", COLUMNS, [_row(state) for state in states])


def _row(state: LoginState) -> tuple[object, ...]:
    close = {True: "outlived", False: "NOT outlived", None: None}[state.covers_close]
    asked = state.challenge.kind if state.challenge is not None else None
    until = None if state.until is None else _ist(state.until)
    return (state.account, state.broker, state.standing, until, close, asked)


def _ist(moment: datetime) -> str:
    return f"{moment.astimezone(IST):%d %b %H:%M}"


def _json(states: Sequence[LoginState], as_json: bool) -> Any:
    if not as_json:
        return None
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return [schemas.login(state) for state in states]
