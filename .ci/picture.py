"""Draws the picture of the README: real commands on throw-away paper accounts, saved by Rich as seen in a terminal."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parent.parent / ".github" / "fan-out.svg"
WIDTH = 108
ACCOUNTS = (
    ("alice", "--group", "family"),
    ("bob", "--group", "family"),
    ("carol", "--group", "family", "--behaviour", "refuse=RMS_MARGIN"),
    ("dave", "--group", "family", "--behaviour", "silent"),
)
SCENES = (
    ("buy", "NSE:INFY", "--qty", "10", "--to", "@family"),
    ("fanout", "reconcile"),
    ("kill",),
    ("buy", "NSE:TCS", "--qty", "5", "--to", "@family"),
)


def run(environ: dict[str, str], *words: str) -> str:
    """What one command prints on a terminal: its talk, then its result."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ordo_cli", *words]
    process = subprocess.Popen(command, env=environ, stdout=theirs, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the terminal is closed when the command has ended
        pass
    talk = process.communicate()[1]
    return f"{talk.decode()}{shown.decode()}".replace("\r\n", "\n").rstrip()


def draw() -> None:
    """Run the scenes and write the picture."""
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "ORDO_HOME": home, "TERM": "xterm-256color", "COLUMNS": str(WIDTH)}
        for name, *options in ACCOUNTS:
            run(environ, "account", "add", name, "--broker", "paper", *options)
        for words in SCENES:
            console.print(Text("$ ", style="bold green") + Text("ordo " + " ".join(words), style="bold"))
            console.print(Text.from_ansi(run(environ, *words)), end="\n\n")
    PICTURE.write_text(console.export_svg(title="ordo"))


if __name__ == "__main__":
    draw()
