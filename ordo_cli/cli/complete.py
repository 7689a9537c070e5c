"""Completion of a word: from the generated list of commands and the database, read-only, without Typer or network."""

import os
import sys

from ordo_cli.cli.tree import GLOBALS, entries
from ordo_cli.cli.words import ARGUMENTS, INSTRUMENTS, OPTIONS, VERBS

TYPE_CHECKING = False  # typing costs 8 ms of the 60 that a completed word may take
if TYPE_CHECKING:
    from collections.abc import Iterable

BREAKS = ":=@"  # bash cuts words at these, and puts back what we print behind the cut


def main() -> int:
    """Answer the completion script of the shell that `_ORDO_COMPLETE` names; when anything fails, offer nothing."""
    asked, _, shell = os.environ["_ORDO_COMPLETE"].partition("_")
    if asked == "source":
        from ordo_cli.cli.shells import SCRIPTS

        sys.stdout.write(SCRIPTS.get(shell, ""))
        return 0 if shell in SCRIPTS else 1
    try:
        words, word = _said(shell)
        prefix = ""
        if shell == "bash":
            words, word, prefix = _joined(words, word)
        found = candidates(words, word)
    except Exception:
        found, prefix = [], ""
    if shell == "fish" and os.environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return 0 if found else 1
    text = _printed(shell, [(value.removeprefix(prefix), line) for value, line in found])
    if text:
        sys.stdout.write(text + "\n")
    return 0


def candidates(words: list[str], word: str) -> list[tuple[str, str]]:
    """What may follow these words and begin with this one, each with a line of help or an empty one."""
    return [(value, line) for value, line in _possible(words, word) if value.startswith(word)]


def _possible(words: list[str], word: str) -> "Iterable[tuple[str, str]]":
    commands = entries()
    rest = _without_globals(words)
    if not rest:
        return _globals() if word.startswith("-") else [(name, line) for name, (_, _, line) in commands.items()]
    command, rest = rest[0], rest[1:]
    if command in VERBS and not rest and not word.startswith("-"):
        return [*_plain(VERBS[command]), *_of_kind(_argument(command, rest, {}), word)]
    if command in VERBS and rest and rest[0] in VERBS[command]:
        command, rest = f"{command} {rest[0]}", rest[1:]
    options = OPTIONS.get(command, {})
    if rest and rest[-1].startswith("-") and options.get(rest[-1]):
        return _of_kind(options[rest[-1]], word)
    if word.startswith("-"):
        name, equals, _ = word.partition("=")
        if equals and options.get(name):
            return [(f"{name}={value}", line) for value, line in _of_kind(options[name], word[len(name) + 1 :])]
        return [*_plain(options), *_globals()]
    return _of_kind(_argument(command, rest, options), word)


def _argument(command: str, rest: list[str], options: "dict[str, str]") -> str:
    """What kind of positional word comes next. The last kind repeats when it ends in `*`."""
    kinds = ARGUMENTS.get(command, ())
    given, skip = 0, False
    for each in rest:
        if skip:
            skip = False
        elif each.startswith("-"):
            skip = bool(options.get(each))
        else:
            given += 1
    if given < len(kinds):
        return kinds[given].rstrip("*")
    return kinds[-1].rstrip("*") if kinds and kinds[-1].endswith("*") else ""


def _of_kind(kind: str, word: str) -> "Iterable[tuple[str, str]]":
    if kind == "target":
        accounts, groups = _accounts()
        return _plain([*accounts, *(f"@{name}" for name in groups), "all"])
    if kind == "account":
        return _plain(_accounts()[0])
    if kind == "group":
        return _plain(_accounts()[1])
    if kind == "scope":
        accounts, groups = _accounts()
        return _plain(["global", *(f"account:{name}" for name in accounts), *(f"group:{name}" for name in groups)])
    if kind == "instrument":
        return _plain(_instruments(word))
    return _plain(kind.split("|")) if "|" in kind else []


def _plain(values: "Iterable[str]") -> list[tuple[str, str]]:
    return [(value, "") for value in values]


def _globals() -> list[tuple[str, str]]:
    return [(flag.partition(" ")[0], line) for flag, line in GLOBALS]


def _without_globals(words: list[str]) -> list[str]:
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--home":
            next(waiting, "")
        elif word not in ("--no-input",) and not word.startswith("--home="):
            rest.append(word)
    return rest


def _accounts() -> tuple[list[str], list[str]]:
    """Names of accounts and of groups."""
    rows = _asked("SELECT id, groups FROM accounts ORDER BY id")
    groups = {name for _, listed in rows for name in listed.split('"')[1::2]}  # a JSON list of plain names
    return [row[0] for row in rows], sorted(groups)


def _instruments(word: str) -> list[str]:
    """What was ordered before, newest first, then what the brokers' lists here have, then the paper exchange's."""
    seen = [
        row[0] for row in _asked("SELECT instrument FROM fanouts GROUP BY instrument ORDER BY max(created_at) DESC")
    ]
    return list(dict.fromkeys([*seen, *_listed(word), *INSTRUMENTS]))


def _listed(word: str) -> list[str]:
    """Names of instruments that begin so, from the lists on this machine; a part of them while there are too many."""
    from ordo_cli.home import find_home

    folder = find_home().instruments
    if ":" not in word or not os.path.isdir(folder):
        return []
    from ordo_cli.index.reading import open_index  # 3 ms, where there is a list
    from ordo_cli.index.search import beginning

    found: list[str] = []
    for name in sorted(os.listdir(folder)):
        index = open_index(os.path.join(folder, name)) if name.endswith(".idx") else None
        found += beginning(index, word) if index is not None else []
    return found


def _asked(query: str) -> "list[tuple[str, ...]]":
    """Rows from the database, which is only read; none when there is no database, or it is busy or newer."""
    from ordo_cli.home import find_home

    path = find_home().database
    if not os.path.exists(path):
        return []
    import sqlite3  # 5 ms that a command's name does not need

    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.05)
        try:
            return database.execute(query).fetchall()
        finally:
            database.close()
    except sqlite3.Error:
        return []


def _said(shell: str) -> tuple[list[str], str]:
    """The words before the one being typed, without `ordo` itself, and that one."""
    if shell == "bash":
        words = os.environ["COMP_WORDS"].split("\n" if "\n" in os.environ["COMP_WORDS"] else None)
        at = int(os.environ["COMP_CWORD"])
        return words[1:at], words[at] if at < len(words) else ""
    line = os.environ.get("_TYPER_COMPLETE_ARGS", "")
    words = line.split()[1:]
    if shell in ("powershell", "pwsh"):
        word = os.environ.get("_TYPER_COMPLETE_WORD_TO_COMPLETE", "")
        return (words[:-1] if word else words), word
    if words and not line[-1:].isspace():
        return words[:-1], words[-1].strip("'\"")
    return words, ""


def _joined(words: list[str], word: str) -> tuple[list[str], str, str]:
    """Words as they were typed, from the pieces that bash cuts `NSE:INFY`, `alice=10` and `@family` into.

    The third is what bash keeps before the piece it completes.
    """
    joined: list[str] = []
    glue = False
    for piece in [*words, word]:
        if joined and (glue or piece in (":", "=")) and not joined[-1].startswith("--"):
            joined[-1] += piece
        else:
            joined.append(piece)
        glue = piece in (":", "=", "@")
    whole = joined[-1]
    kept = whole[: len(whole) - len(word)] if word not in BREAKS else whole
    return joined[:-1], whole, kept


def _printed(shell: str, found: list[tuple[str, str]]) -> str:
    if shell == "zsh":
        if not found:
            return "_files"
        rows = "\n".join(f'"{_zsh(value)}"' + (f':"{_zsh(line)}"' if line else "") for value, line in found)
        return f"_arguments '*: :(({rows}))'"
    if shell == "fish":
        return "\n".join(f"{value}\t{line}" if line else value for value, line in found)
    if shell in ("powershell", "pwsh"):
        return "\n".join(f"{value}:::{line or ' '}" for value, line in found)
    return "\n".join(value for value, _ in found)


def _zsh(text: str) -> str:
    for sign, escaped in (('"', '""'), ("'", "''"), ("$", "\\$"), ("`", "\\`"), (":", "\\\\:")):
        text = text.replace(sign, escaped)
    return text
