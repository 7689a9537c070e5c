"""The front page of help and the version, printed without Typer or Rich so that they appear at once."""

from __future__ import annotations

import os
import sys

from ordo_cli.cli.tree import GLOBALS, TOPICS

EXAMPLE = "ordo buy NSE:INFY --qty 10 --limit 1500 --to alice @family"
TOPIC_WORDS = ("exit-codes", "environment", "output", "safety", "paper", "batch")


def coloured(stream: object) -> bool:
    """Whether escape codes may be written there."""
    is_terminal = getattr(stream, "isatty", lambda: False)()
    return bool(is_terminal) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def front(colour: bool) -> str:
    """The whole front page: an example first, then the commands by topic."""
    bold, dim, cyan, plain = ("\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m") if colour else ("",) * 4
    lines = [
        "One order, many broker accounts.",
        "",
        f"  {cyan}{EXAMPLE}{plain}",
        f"  {dim}new here?{plain} {cyan}ordo demo{plain} {dim}is a tour that needs no account and no network{plain}",
        "",
        f"{bold}Usage:{plain} ordo [OPTIONS] COMMAND [ARGS]…",
    ]
    for topic, group in TOPICS:
        lines += ["", f"{bold}{topic}{plain}"]
        lines += [f"  {cyan}{name:<12}{plain}{line}" for name, _, _, line in group]
    lines += ["", f"{bold}Options{plain}"]
    lines += [f"  {cyan}{flag:<16}{plain}{line}" for flag, line in GLOBALS]
    lines += ["", f"{bold}Topics{plain}  ordo help " + " | ".join(TOPIC_WORDS)]
    return "\n".join(lines) + "\n"


def print_front() -> int:
    return _printed(front(coloured(sys.stdout)))


def print_version() -> int:
    return _printed(f"ordo {version()}\n")


def _printed(text: str) -> int:
    try:
        write_out(text)
    except Unwritten:
        return 1
    return 0


def version() -> str:
    """The version of the installed package; importlib.metadata costs 15 ms, so only here."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ordo-cli")
    except PackageNotFoundError:
        return "0 (not installed)"


class Unwritten(Exception):
    """A result found no room, as on a full disk; standard error has been told."""


def write_out(text: str) -> None:
    """Print a result. A reader that has gone away (`| head`) is no error and does not change the exit code.

    Raises Unwritten when the result is lost for another reason.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered would fail again at exit, with a traceback of the interpreter's own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            try:  # noqa: SIM105  # contextlib would cost the front page 2 ms
                sys.stderr.write(f"error: the result could not be written: {error.strerror}\n")
            except OSError:
                pass
            raise Unwritten from error
