"""Makes the client without asyncio of the one for it: `python -m tests.client.making`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import ordo_cli.client

FOLDER = Path(ordo_cli.client.__file__).parent
MADE = {"sync.py": "aio.py", "syncline.py": "aioline.py"}

HEAD = '"""The client without asyncio, for scripts. Made of `{source}` by `python -m tests.client.making`."""'
SWAPS = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(?=[A-Z])", ""),
    (r"(from ordo_cli\.client\.)aioline( import .*\n)((?:from ordo_cli\.client\.\w+ .*\n)+)", r"\3\1syncline\2"),
    (r"\baiter_lines\b", "iter_lines"),
    (r"\b(aread|aclose)\b", lambda found: found[0][1:]),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"clock\.sleep\b", "clock.wait"),
    (r"import Chance, Clock\b", "import Chance, Waiting"),
    (r": Clock\b", ": Waiting"),
    (r"import Iterator, Iterable\b", "import Iterable, Iterator"),
)


def made(source: str) -> str:
    """The synchronous text of this source."""
    text = (FOLDER / source).read_text(encoding="utf-8")
    text = re.sub(r'\A""".*?"""', HEAD.format(source=source), text, flags=re.DOTALL)
    for pattern, by in SWAPS:
        text = re.sub(pattern, by, text)
    return text


if __name__ == "__main__":
    for name, source in MADE.items():
        (FOLDER / name).write_text(made(source), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "black", "-q", str(FOLDER / name)], check=True)
