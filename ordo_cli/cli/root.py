"""The root of the command tree: groups are imported when called, and every error becomes an exit code here."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import MarkupMode, TyperGroup
from typer.main import get_command, get_group

from ordo_cli.cli import door, exits, failures, front
from ordo_cli.cli.talk import current
from ordo_cli.cli.tree import ALIASES, FAR, entries
from ordo_cli.cli.words import VERBS
from ordo_cli.domain.errors import Invalid, OrdoError

ENTRIES = entries()
NOWHERE = frozenset({"help", "remote"})  # what touches neither this machine's home nor a server's


class Root(TyperGroup):
    """The first words of `ordo`, each imported when it is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(ENTRIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load(cmd_name) if cmd_name in ENTRIES else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in ENTRIES:
            from difflib import get_close_matches  # 9 ms; only for a mistake

            near = get_close_matches(args[0], ENTRIES)
            also = f"; did you mean {' or '.join(near)}?" if near else ""
            raise typer.TyperException(f"there is no command {args[0]!r}{also}")
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: Any) -> str:
        return front.front(front.coloured(sys.stdout))


def load(name: str) -> Any:
    """The command behind a first word, as Typer runs it."""
    module, attribute, line = ENTRIES[name]
    found = getattr(import_module(module), attribute)
    markup: MarkupMode = (
        "rich" if front.coloured(sys.stdout) else None
    )  # plain help is 60 ms faster, and a pipe wants it plain
    if isinstance(found, typer.Typer):
        found.rich_markup_mode = markup
        found.info.help = found.info.help or line
        command: Any = get_group(found)
    else:
        alone = typer.Typer(add_completion=False, rich_markup_mode=markup)
        alone.command(name)(found)
        command = get_command(alone)
    command.name = name
    for each in (command, *getattr(command, "commands", {}).values()):
        _example_first(each)
    return command


def _example_first(command: Any) -> None:
    """Help begins with a line to copy; it is written behind `Example:` in the docstring or the epilog."""
    told = command.help or ""
    for text in (command.epilog or "", told):
        before, found, example = text.partition("Example: ")
        if found:
            rest = told if text is not told else before.strip()
            command.short_help = command.short_help or rest.partition("\n")[0]
            command.help, command.epilog = f"{example.strip()}\n\n{rest}", None
            return


app = typer.Typer(cls=Root, add_completion=False, no_args_is_help=True)


@app.callback()
def _root() -> None:
    """One order, many broker accounts."""


def call(words: list[str]) -> int:
    """Run one command line; whatever goes wrong becomes one sentence and an exit code."""
    as_json = "--json" in words
    try:
        words = door.begin(words)
        if not words or words in (["--help"], ["help"]):
            return front.print_front()
        _refuse_from_afar(words)
        code = get_command(app).main(args=words, prog_name="ordo", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except OrdoError as error:
        return failures.fail(command_of(words), error, as_json=as_json)
    except typer.TyperException as error:
        return failures.fail_usage(command_of(words), error, as_json=as_json)
    except front.Unwritten:
        return exits.FAILED
    except (KeyboardInterrupt, typer.Abort):
        return failures.fail_as_interrupted(command_of(words), as_json=as_json)
    except Exception as error:
        return failures.fail_as_bug(command_of(words), error, as_json=as_json)


def _refuse_from_afar(words: list[str]) -> None:
    """Raises Invalid for a command that no server does for somebody else."""
    name = command_of(words)
    here = name in FAR or words[0] in NOWHERE or words[0] not in ENTRIES or {"--help", "-h"} & set(words)
    if not current().remote or here or (len(words) == 1 and VERBS.get(name)):
        return
    raise Invalid(
        f"ordo {name} works on the machine itself, not with --remote",
        hint=f"at the server: ordo {name}; for this machine: ORDO_REMOTE= ordo {name}",
        code="not_remote",
    )


def command_of(words: list[str]) -> str:
    """The command that these words name, as JSON documents call it."""
    named = [word for word in words if not word.startswith("-")]
    if not named:
        return "ordo"
    first = named[0]
    if first in ALIASES:
        return ALIASES[first]
    verb = next((word for word in words[1:2] if word in VERBS.get(first, ())), None)
    return f"{first} {verb}" if verb else first
