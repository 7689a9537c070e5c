"""What every command shares: opening the desk, answering on standard output, asking on standard error."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ordo_cli.cli.exits import DONE, EXIT_CODES, FAILED, INTERRUPTED, PARTIAL, exit_code_for, exit_code_of
from ordo_cli.cli.front import Unwritten, coloured, write_out
from ordo_cli.cli.talk import begin, current, home, interrupted, lively, say, talk_above, warn
from ordo_cli.domain.errors import Invalid, Refused
from ordo_cli.domain.moments import moment_text
from ordo_cli.domain.money import text_of

if TYPE_CHECKING:
    from ordo_cli.cli.operations import Operations
    from ordo_cli.desk import Desk
    from ordo_cli.press import Outcome, Press

__all__ = [
    "DONE",
    "EXIT_CODES",
    "FAILED",
    "INTERRUPTED",
    "PARTIAL",
    "begin",
    "exit_code_for",
    "exit_code_of",
    "home",
    "interrupted",
    "lively",
    "say",
    "talk_above",
    "warn",
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document")]
Csv = Annotated[bool, typer.Option("--csv", help="Print comma-separated values")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer the question with yes")]


def run[T](work: Callable[[Desk], Awaitable[T]], *, reading: bool = False) -> T:
    """Open the desk and the event loop, and do the work.

    The first Ctrl-C or SIGTERM asks the work to start nothing more and to finish what is out; the second leaves at
    once. Work that only reads (`reading`) is left at the first.
    """
    import asyncio  # 45 ms that help and usage errors need not pay

    from ordo_cli.cli.signals import supervised

    current().reading = reading
    return asyncio.run(supervised(work, home(), reading, current()))


def operate[T](work: Callable[[Operations], Awaitable[T]], *, reading: bool = False) -> T:
    """Do the work where the user wants it done: on the desk of this machine, or at the server of `--remote`."""
    if current().remote:
        from ordo_cli.cli.remote import at_server

        current().reading = reading
        return at_server(work, current())
    from ordo_cli.cli.local import Local

    return run(lambda desk: work(Local(desk)), reading=reading)


def remote() -> bool:
    """Whether it is a server that the user wants it done at."""
    return bool(current().remote)


def engage(asked: Press) -> Outcome:
    """Press the kill switch there, when the short way of `__main__` has not done it already."""
    if current().remote:
        from ordo_cli.cli.remote import engage

        return engage(asked, current())
    from ordo_cli import press

    return press.engage(home(), asked)


def answer(
    command: str, data: object, *, as_json: bool, text: Callable[[], None], exit_code: int = DONE, as_csv: bool = False
) -> None:
    """Print the one JSON document, or the text, and end the command with its exit code.

    Where that finds no room, a read has failed, and the code of anything else still tells what was done.
    """
    if as_json and as_csv:
        raise Invalid("--json and --csv exclude each other")
    try:
        if as_json:
            write_out(document(command, exit_code, data=data))
        else:
            text()
    except Unwritten:
        exit_code = FAILED if exit_code == DONE and current().reading else exit_code
    raise typer.Exit(exit_code)


def document(command: str, exit_code: int, **body: object) -> str:
    """One JSON document of a command: `data` or `error` under the common head."""
    import json  # 6 ms; only for --json

    whole = {"schema_version": 1, "command": command, "exit_code": exit_code, **body}
    return json.dumps(whole, default=_plain) + "\n"


def _plain(value: object) -> object:
    """What json cannot write by itself, in the public form; models of `schemas` say it themselves."""
    if isinstance(value, Decimal):
        return text_of(value)
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


def banner(mode: str, accounts: Iterable[str]) -> None:
    """Say on standard error, before a write, whose money it concerns: `LIVE 3 accounts (alice, bob, carol)`."""
    names = list(accounts)
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    text = f"{mode.upper()} {len(names)} account{'' if len(names) == 1 else 's'} ({shown})"
    colour = "\x1b[1;41;97m" if mode == "live" else "\x1b[1;36m"
    say(f"{colour}{text}\x1b[0m" if coloured(sys.stderr) else text)


def plugins() -> tuple[str, ...]:
    """The packages of others whose brokers this ordo may use."""
    from ordo_cli.config import load

    return load(home()).plugins


def interactive() -> bool:
    """Whether somebody is there to answer a question."""
    return not current().no_input and sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool, flag: str = "--yes") -> None:
    """Go on after a yes. Raises Refused after a no, Invalid when nobody can be asked."""
    if yes:
        return
    if _ask(f"{question} [y/N] ", flag).strip().lower() not in ("y", "yes"):
        raise Refused("not confirmed; nothing was done", code="declined")


def prompt(question: str, flag: str) -> str:
    """One line typed by the user. Raises Invalid naming the flag that would have answered when nobody is there."""
    return _ask(f"{question}: ", flag).strip()


def secret(question: str, flag: str) -> str:
    """One line typed unseen. Raises Invalid naming the flag that would have answered when nobody is there."""
    _need_somebody(question, flag)
    from getpass import getpass

    try:
        with _interruptible():
            return getpass(f"{question}: ", stream=sys.stderr)
    except EOFError:
        raise _unanswered(question, flag) from None


def _ask(question: str, flag: str) -> str:
    _need_somebody(question, flag)
    sys.stderr.write(question)
    sys.stderr.flush()
    with _interruptible():
        line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
        raise _unanswered(question, flag)
    return line


def _interruptible() -> AbstractContextManager[None]:
    """While a question waits inside the event loop, Ctrl-C means no: the loop's own handler would never run."""
    if "asyncio" not in sys.modules:
        return nullcontext()
    from ordo_cli.cli.signals import asking

    return asking()


def _need_somebody(question: str, flag: str) -> None:
    if not interactive():
        raise _unanswered(question, flag)


def _unanswered(question: str, flag: str) -> Invalid:
    return Invalid(f"nobody was there to answer: {question.strip(' :')}", hint=f"give {flag}", code="needs_input")


def leave(exit_code: int) -> NoReturn:
    """End the command with this exit code and nothing more to print."""
    raise typer.Exit(exit_code)
