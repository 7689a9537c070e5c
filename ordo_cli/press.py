"""`ordo kill` itself, import-free: it has stopped before a heavier program would have started.

In this order: spoil and unlink the arming file; wait for senders in their last microseconds; then the record. A full
disk or a locked database delays the record and nothing else: a note in `run/presses` makes the next ordo write it.
A word that cannot be understood is a usage error and stops nothing, said so aloud: a guess at the scope would stop the
wrong one and leave its user believing in the right one. `ordo kill` with no word at all stops everything.
"""

import os
import time

from ordo_cli import arming
from ordo_cli.home import at_once, find_home, home_at

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ordo_cli.home import Home
    from ordo_cli.store.driver import Body

    CleanUp = Callable[["list[str]", "Outcome"], int]

DONE, USAGE, INTERRUPTED, NOT_QUIET = 0, 2, 130, 10
BLOCK, CANCEL, FLATTEN = 1, 2, 3
LEVELS = {BLOCK: "block", CANCEL: "cancel", FLATTEN: "flatten"}
OTHERS = ("status", "release", "drill")  # what else `ordo kill` has; the whole program answers those
FIRST, REST = "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz0123456789_-"
DRAIN_S = 0.25
RECORD_S = 1.0  # how long a locked database is tried in the foreground
LONGEST_REASON = 500
ACTOR = "cli"


SCOPES = "ordo kill alone stops everything; --scope takes global, broker:B, account:A or group:G"
ELSEWHERE = "say where it is: ordo --home FOLDER kill"


class Usage(Exception):
    """A word that could not be understood, in one sentence."""


class Press:
    """What one `ordo kill` asks for."""

    __slots__ = ("actor", "home", "json", "kind", "level", "name", "orphans", "protective", "reason", "request")

    def __init__(self, kind: str = "global", name: str = "", level: int = BLOCK, reason: str = "") -> None:
        self.kind = kind
        self.name = name
        self.level = level
        self.reason = reason
        self.actor = ACTOR
        self.request: str | None = None  # the HTTP request that it came by
        self.home: str | None = None
        self.json = False
        self.protective = False  # cancel stops that protect a position too
        self.orphans = False  # cancel orders that ordo did not place too

    @property
    def scope(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


class Outcome:
    """What one press did: whether it holds, whether senders are known to be quiet, and whether it is written down."""

    __slots__ = ("certain", "engaged", "known", "note", "problem", "quiet", "quiet_ms", "recorded", "senders")

    def __init__(self) -> None:
        self.engaged = False  # certainly, by the arming file
        self.known = True  # the scope names something that exists
        self.certain = True  # and that could be looked up, unless its arming file was there to say so
        self.quiet = False
        self.quiet_ms = 0.0
        self.recorded = False
        self.note: str | None = None
        self.senders: list[int] = []
        self.problem: str | None = None

    @property
    def exit_code(self) -> int:
        return DONE if (self.engaged or self.recorded) and self.quiet and self.certain else NOT_QUIET


def main(words: "list[str]", clean_up: "CleanUp") -> int | None:
    """Answer `ordo kill …`, or None when the words are for the whole program.

    `clean_up` goes on in the whole program once everything is stopped, for a press that cancels or flattens too.
    """
    as_json = "--json" in words
    try:
        press = read(words)
        if press is None:
            return None
        home = home_at(press.home) if press.home else find_home()
        if not (os.path.exists(home.run) or os.path.exists(home.database)):
            return refuse(f"there is no ordo at {home.data}", as_json, ELSEWHERE)
    except Usage as problem:
        return refuse(str(problem), as_json)
    outcome = Outcome()
    try:
        engage(home, press, outcome)
    except KeyboardInterrupt:
        _say(2, f"interrupted; {headline(outcome)}; the database row is still to be written\n")
        return INTERRUPTED
    if not outcome.known:
        return refuse(f"there is no {press.kind} {press.name}", as_json)
    if press.level == BLOCK:
        report(press, outcome)
        return outcome.exit_code
    return clean_up(words, outcome)


def read(words: "list[str]") -> Press | None:
    """The press that these words ask for. None: they ask for something else; raises Usage when they make no sense."""
    press, levels, seen = Press(), [], False
    rest = iter(words)
    for word in rest:
        flag, equals, given = word.partition("=")
        if word == "kill" and not seen:
            seen = True
        elif word in ("--help", "-h", "--version") or (word in OTHERS and seen):
            return None
        elif flag in ("--scope", "--reason", "--home"):
            _take(press, flag, given if equals else next(rest, ""))
        elif word in ("--cancel", "--flatten"):
            levels.append(CANCEL if word == "--cancel" else FLATTEN)
        elif word == "--json":
            press.json = True
        elif word == "--include-protective":
            press.protective = True
        elif word == "--all":
            press.orphans = True
        elif word not in ("--no-input", "--yes", "-y"):
            if not seen:
                return None
            raise Usage(f"{_plain(word)!r} is not a word of ordo kill")
    if not seen:
        return None
    if len(set(levels)) > 1:
        raise Usage("--cancel and --flatten exclude each other; --flatten cancels too")
    press.level = levels[0] if levels else BLOCK
    return press


def engage(home: "Home", press: Press, outcome: Outcome | None = None) -> Outcome:
    """Stop the scope, wait for its senders, and see that it is written down."""
    outcome, begun = outcome or Outcome(), time.monotonic()
    # Without its lock file nobody can say whether a sender still holds one that was deleted.
    had_lock = arming.pressed(home.run) != 0
    there = os.path.lexists(arming.path_of(home.run, press.kind, press.name))
    problem = arming.disarm(home.run, press.kind, press.name)
    outcome.engaged = problem is None
    arming.note_press(home.run)
    # Once more under the lock: a release in its last step cannot bring the file back behind our back.
    outcome.quiet = had_lock and arming.drain(
        home.run, DRAIN_S, lambda: arming.disarm(home.run, press.kind, press.name)
    )
    outcome.quiet_ms = (time.monotonic() - begun) * 1000
    if not outcome.quiet:
        outcome.senders = arming.waiting(home.run)
    if problem is not None:
        outcome.problem = f"the arming file could not be removed: {problem.strerror or problem}"
    _record(home, press, outcome, there)
    if problem is not None and outcome.recorded:
        # The row lets nothing new be claimed; what was claimed before it is too old to leave after this.
        time.sleep(DRAIN_S)
        outcome.quiet = arming.drain(home.run, DRAIN_S)
    return outcome


def report(press: Press, outcome: Outcome) -> None:
    """Say what happened: the result on standard output, the rest on standard error."""
    if press.json:
        _say(1, document("kill", outcome.exit_code, "data", data(press, outcome)))
        return
    _say(1, headline(outcome) + "\n")
    who = f" (process {', '.join(map(str, outcome.senders))})" if outcome.senders else ""
    if not outcome.quiet:
        _say(2, f"a sender was between its last check and its first write{who}; what it sends may still arrive\n")
    if not outcome.certain:
        _say(2, f"no arming file of {press.scope} was there: killed before, or no such {press.kind}; CHECK THE NAME\n")
    if not outcome.recorded:
        _say(2, _unrecorded(outcome))
    _say(2, f"scope {press.scope}; to send again: ordo kill release --scope {press.scope}\n")


def headline(outcome: Outcome) -> str:
    """What a press came to, in one line."""
    if not outcome.engaged:
        held = "ENGAGED by its database row alone" if outcome.recorded else "NOT STOPPED"
        return f"{held}; {outcome.problem or 'it was too early'}"
    by = "" if outcome.recorded else " (files)"
    if outcome.quiet:
        return f"ENGAGED{by}, quiet confirmed in {outcome.quiet_ms:.0f} ms"
    return f"ENGAGED{by}, {len(outcome.senders) or 'an unknown number of'} senders not confirmed"


def data(press: Press, outcome: Outcome) -> "dict[str, object]":
    """The press and its outcome as the `data` of the JSON document."""
    return {
        "scope": press.scope,
        "level": LEVELS[press.level],
        "reason": press.reason or None,
        "engaged": outcome.engaged or outcome.recorded,
        "quiet": outcome.quiet,
        "quiet_ms": round(outcome.quiet_ms, 1),
        "senders": outcome.senders,
        "recorded": outcome.recorded,
        "certain": outcome.certain,
        "problem": outcome.problem,
        "accounts": [],
    }


def refuse(problem: str, as_json: bool, hint: str = SCOPES) -> int:
    """Say that nothing was stopped and why."""
    if as_json:
        body = {"code": "invalid", "message": f"{problem}; NOTHING WAS STOPPED", "hint": hint}
        _say(1, document("kill", USAGE, "error", body))
    _say(2, f"NOTHING WAS STOPPED: {problem}\n  {hint}\n")
    return USAGE


def document(command: str, exit_code: int, key: str, body: object) -> str:
    """The one JSON document of a command."""
    import json  # 3 ms, and only for --json

    whole = {"schema_version": 1, "command": command, "exit_code": exit_code, key: body}
    return json.dumps(whole, ensure_ascii=False) + "\n"


def pending(run: str) -> "Iterator[tuple[str, Press, float]]":
    """The presses that are not yet in the database, oldest first: the note's path, the press, and when it was."""
    folder = os.path.join(run, "presses")
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for note in names:
        at, level, kind, name = [*note.split("~"), "", "", ""][:4]
        if not (at.isdigit() and level.isdigit() and int(level) in LEVELS and kind in arming.KINDS):
            continue  # nothing of ours
        path = os.path.join(folder, note)
        try:
            with open(path, encoding="utf-8", errors="replace", opener=at_once) as file:
                reason = file.read(LONGEST_REASON)
        except FileNotFoundError:
            continue  # written down by another ordo just now
        except OSError:
            reason = ""  # a press all the same: its name says the rest
        yield path, Press(kind, name, int(level), reason), int(at) / 1e6


def forget(note: str | None) -> None:
    """The press of this note is in the database."""
    try:
        if note is not None:
            os.unlink(note)
    except OSError:
        pass  # another ordo was first; if not, the row is written once more, which changes nothing


def _record(home: "Home", press: Press, outcome: Outcome, there: bool) -> None:
    # The note is written before the row, so that a press interrupted here is still recorded by the next ordo.
    at = time.time()
    outcome.note = _note(home.run, press, at)
    try:
        outcome.known = _write_row(home, press, at, there)
    except Exception as problem:  # whatever it is, the press itself has happened
        outcome.problem = outcome.problem or str(problem) or type(problem).__name__
        outcome.certain = there or press.kind == "global"
        return
    outcome.recorded = outcome.known
    forget(outcome.note)
    outcome.note = None


def _write_row(home: "Home", press: Press, at: float, there: bool) -> bool:
    from ordo_cli.store.now import run_now  # with sqlite3, 8 ms: after the stop, never before it
    from ordo_cli.store.switches import engage_body, names_something

    def body() -> "Body[bool]":
        if not there and not (yield from names_something(press.kind, press.name)):
            return False
        what = press.kind, press.name, press.level, press.reason or None
        yield from engage_body(*what, press.actor, at, press.request)
        return True

    return run_now(_database(home), body(), RECORD_S)


def _database(home: "Home") -> str:
    url = os.environ.get("ORDO_DATABASE__URL", "") or _configured(home.config_file)
    path = url.removeprefix("sqlite:///") if url else home.database
    if "://" in path:
        return path
    if not os.path.exists(path):
        raise OSError(f"there is no database at {path}")
    return path


def _configured(path: str) -> str:
    try:
        with open(path, "rb", opener=at_once) as file:
            text = file.read()
    except OSError:
        return ""
    if not _names_database(text):
        return ""
    import tomllib  # 6 ms, and only where a database of one's own is configured

    table = tomllib.loads(text.decode()).get("database", {})
    return str(table.get("url", "")) if isinstance(table, dict) else ""


def _names_database(text: bytes) -> bool:
    inside = False
    for line in text.splitlines():
        word = line.strip().lstrip(b"\"'")
        if word.startswith(b"["):
            inside = b"database" in word
        elif word.startswith(b"database") or (inside and word.startswith(b"url")):
            return True
    return False


def _note(run: str, press: Press, at: float) -> str | None:
    # Everything but the reason is in the name: an empty file often fits where the disk has no block left.
    folder = os.path.join(run, "presses")
    path = os.path.join(folder, f"{int(at * 1e6):016d}~{press.level}~{press.kind}~{press.name}")
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o700, True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError:
        return None
    try:
        who = "" if press.actor == ACTOR else f"by {press.actor}"
        os.write(descriptor, " ".join(word for word in (press.reason, who) if word).encode("utf-8", "replace"))
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return path


def _take(press: Press, flag: str, value: str) -> None:
    if not value:
        raise Usage(f"{flag} needs a value")
    if flag == "--home":
        press.home = value
    elif flag == "--reason":
        press.reason = "".join(letter for letter in value if letter.isprintable())[:LONGEST_REASON]
    else:
        press.kind, press.name = _scope(value)


def _scope(text: str) -> "tuple[str, str]":
    kind, colon, name = text.partition(":")
    if kind not in arming.KINDS or (kind == "global") == bool(colon):
        raise Usage(f"{_plain(text)!r} is not a scope")
    if colon and (not 1 <= len(name) <= 32 or name[0] not in FIRST or name == "all" or name.strip(REST)):
        raise Usage(f"{_plain(name)!r} cannot name a {kind}")
    return kind, name


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:60]


def _unrecorded(outcome: Outcome) -> str:
    follows = "the next ordo writes it" if outcome.note else "nothing could be noted either: press again when it can"
    return f"{outcome.problem or 'the database row is still to be written'}; {follows}\n"


def _say(descriptor: int, text: str) -> None:
    try:  # noqa: SIM105  contextlib costs 1 ms, which a kill does not have
        os.write(descriptor, text.encode("utf-8", "replace"))
    except OSError:
        pass  # nobody listens any more; the press stands
