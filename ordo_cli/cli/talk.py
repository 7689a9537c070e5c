"""What was said around the command, and how ordo talks to whoever is there: on standard error, never among results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ordo_cli.cli.front import coloured
from ordo_cli.client.whose import take
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.values import dataclass

if TYPE_CHECKING:
    from ordo_cli.home import Home


@dataclass
class Invocation:
    """What was said before and around the command: where home is, and whether anybody may be asked."""

    home: str | None = None
    remote: str = ""  # the address of a server; empty is this machine
    token_file: str = ""
    no_input: bool = False
    interrupted: bool = False
    reading: bool = False  # what was done changed nothing
    above: Callable[[str], None] | None = None  # prints above a live table, which else would paint over the talk


_invocation: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def current() -> Invocation:
    """The command that is running."""
    invocation = _invocation.get()
    if invocation is None:  # a test or a script that calls a command without `main`
        _invocation.set(invocation := Invocation())
    return invocation


def begin(words: list[str]) -> list[str]:
    """Take the options that may stand anywhere (`--home F`, `--remote URL`, `--no-input`) out of the words."""
    invocation, rest = Invocation(), []
    invocation.remote, invocation.token_file, words = take(words)
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            rest += [word, *waiting]
        elif word == "--no-input":
            invocation.no_input = True
        elif word == "--home" or word.startswith("--home="):
            invocation.home = word[7:] if "=" in word else next(waiting, "")
            if not invocation.home:
                raise Invalid("--home needs a folder", hint="ordo --home FOLDER …")
        else:
            rest.append(word)
    _invocation.set(invocation)
    return rest


def home() -> Home:
    """Where everything lives for this command: the flag, then the environment, then the platform's folders."""
    from ordo_cli.home import find_home

    if current().remote:  # nothing of this machine is read or written for a server's sake
        raise Invalid("this works on the machine itself, not at a server", hint="leave --remote away")
    chosen = current().home
    return find_home({**os.environ, "ORDO_HOME": os.path.abspath(chosen)} if chosen else os.environ)


def interrupted() -> bool:
    """Whether a signal asked this command to stop."""
    return current().interrupted


def lively() -> bool:
    """Whether standard error is a terminal that can redraw."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """Talk: progress, banners, notes. Standard error, so that results stay clean."""
    above = current().above
    with suppress(OSError, ValueError):  # nobody listens any more, which must not stop an order halfway
        if above is not None:
            above(text)
            return
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def talk_above(printer: Callable[[str], None] | None) -> None:
    """While a live table stands on standard error, talk is printed above it by whoever draws it."""
    current().above = printer


def warn(text: str) -> None:
    """Talk that should not be missed."""
    say(f"\x1b[33mwarning:\x1b[0m {text}" if coloured(sys.stderr) else f"warning: {text}")
