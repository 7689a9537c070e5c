"""Failures as users and scripts see them: a sentence and a hint, or a JSON document; a traceback only in the log."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from ordo_cli.cli import door
from ordo_cli.cli.exits import FAILED, INTERRUPTED, USAGE, exit_code_for
from ordo_cli.cli.front import Unwritten, coloured, write_out
from ordo_cli.domain.errors import OrdoError


def fail(command: str, error: OrdoError, *, as_json: bool) -> int:
    """Say what went wrong in one sentence with a hint, or as a JSON document, and give the exit code."""
    return _fail(command, error.reason, error.message, error.hint, exit_code_for(error), as_json=as_json)


def fail_usage(command: str, error: Any, *, as_json: bool) -> int:
    """A command line that makes no sense: one sentence."""
    path = error.ctx.command_path if getattr(error, "ctx", None) is not None else "ordo"
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
        if not as_json:
            door.say(error.ctx.get_help())
            return USAGE
        sentence = f"{path} needs a command"
    else:
        sentence = " ".join(error.format_message().split()).replace("a valid float range", "a number")
    return _fail(command, "usage", sentence, f"see: {path} --help", USAGE, as_json=as_json)


def fail_as_bug(command: str, error: BaseException, *, as_json: bool) -> int:
    """A failure that nobody expected: the details go to the log and never to the terminal."""
    where = _write_traceback(command, error)
    sentence = f"a bug in ordo stopped this command ({type(error).__name__})"
    return _fail(command, "bug", sentence, f"details are in {where}" if where else None, FAILED, as_json=as_json)


def fail_as_interrupted(command: str, *, as_json: bool) -> int:
    """Somebody pressed Ctrl-C where nothing had to be finished first."""
    return _fail(command, "interrupted", "interrupted", None, INTERRUPTED, as_json=as_json)


def _fail(command: str, code: str, message: str, hint: str | None, exit_code: int, *, as_json: bool) -> int:
    from ordo_cli.cli.show import cleaned

    message, hint = cleaned(message), cleaned(hint) if hint else None
    if as_json:
        with suppress(Unwritten):
            write_out(door.document(command, exit_code, error={"code": code, "message": message, "hint": hint}))
        return exit_code
    red, plain = ("\x1b[1;31m", "\x1b[0m") if coloured(sys.stderr) else ("", "")
    door.say(f"{red}error:{plain} {message}" + (f"\n  {hint}" if hint else ""))
    return exit_code


def _write_traceback(command: str, error: BaseException) -> str | None:
    """Append the traceback, without the values of variables, to the log; None when even that fails."""
    import json
    import traceback

    from ordo_cli.machine import SystemClock

    try:
        logs = door.home().logs
        os.makedirs(logs, mode=0o700, exist_ok=True)
        path = os.path.join(logs, "ordo.log")
        frames = "".join(traceback.format_exception(error))
        line = {
            "timestamp": SystemClock().now().isoformat(),
            "level": "error",
            "event": "bug",
            "command": command,
            "exception": frames,
        }
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except Exception:
        return None
    return path
