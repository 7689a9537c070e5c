"""Writes ordo_cli/cli/words.py, the words that completion offers, from the command tree: python -m tests.cli.words"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ordo_cli.brokers.paper.listing import EQUITIES
from ordo_cli.cli import root, words

FILE = Path(words.__file__)
KINDS = {
    "TARGET": "target",
    "[TARGET]…": "target*",
    "[TARGET]...": "target*",
    "INSTRUMENT": "instrument",
    "INSTRUMENT…": "instrument*",
    "I": "instrument",
    "A": "account",
    "ACCOUNT": "account",
    "G": "group",
    "SCOPE": "scope",
}
OWN = {
    "login": ("target*",),  # its group takes them itself
    "order place": ("buy|sell", "instrument", "target*"),
    "buy": ("instrument", "target*"),
    "sell": ("instrument", "target*"),
    "help": ("exit-codes|environment|output|safety|paper|batch",),
}


def tree() -> dict[str, Any]:
    """Every command by its full name, as Typer has it; groups have `commands`."""
    found: dict[str, Any] = {}
    for name in root.ENTRIES:
        command = root.load(name)
        if hasattr(command, "commands"):
            found |= {f"{name} {verb}": each for verb, each in command.commands.items()}
        found[name] = command
    return found


def kind_of(command: str, parameter: Any) -> str:
    """What completion offers as a value of this parameter; `?` for a value that it cannot know."""
    choices = getattr(parameter.type, "choices", None)
    if choices:
        return "|".join(str(getattr(choice, "value", choice)) for choice in choices)
    metavar = parameter.metavar or ""
    if command.startswith("account ") and metavar in ("ID", "[ID]…"):
        return "?" if command == "account add" else "account"
    if metavar == "A" and "--egress" in parameter.opts:
        return "?"
    return KINDS.get(metavar) or (metavar if "|" in metavar else "?")


def text() -> str:
    """The module as it should be."""
    options: dict[str, dict[str, str]] = {}
    arguments: dict[str, tuple[str, ...]] = {}
    verbs: dict[str, list[str]] = {}
    for name, command in tree().items():
        first, _, verb = name.partition(" ")
        if verb:
            verbs.setdefault(first, []).append(verb)
        flags = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
        options[name] = {
            flag: "" if each.is_flag else kind_of(name, each)
            for each in flags
            for flag in each.opts
            if flag[:2] == "--"
        }
        positional = [kind_of(name, each) for each in command.params if each.param_type_name == "argument"]
        arguments[name] = OWN.get(name, tuple(positional))
    lines = [
        '"""The words that completion offers, generated from the command tree by tests/cli/words.py."""',
        "",
        "VERBS: dict[str, tuple[str, ...]] = {",
        *(f"    {name!r}: {tuple(found)!r}," for name, found in verbs.items()),
        "}",
        "OPTIONS: dict[str, dict[str, str]] = {",
        *(f"    {name!r}: {found!r}," for name, found in options.items()),
        "}",
        "ARGUMENTS: dict[str, tuple[str, ...]] = {",
        *(f"    {name!r}: {found!r}," for name, found in arguments.items()),
        "}",
        f"INSTRUMENTS: tuple[str, ...] = {tuple('NSE:' + row[0] for row in EQUITIES)!r}",
    ]
    return formatted("\n".join(lines) + "\n")


def formatted(source: str) -> str:
    """As black would have it, so that formatting the repository changes nothing."""
    import black

    return black.format_str(source, mode=black.Mode(line_length=120))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(f"wrote {FILE}")
