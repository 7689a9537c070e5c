"""`ordo --remote URL kill` itself: plain sockets, pressed again and again until the server says that it holds.

A server may be slow, drop a connection or be away. Every second, and at once after a failure, another connection
presses too; the first that confirms decides. When none has within five seconds, it is said aloud that nothing is known
to be stopped. A press that cancels or closes too is pressed plainly first; the whole program then asks for the rest.
"""

import _thread
import time

from ordo_cli import press
from ordo_cli.client import wire
from ordo_cli.client.address import Address
from ordo_cli.client.whose import take, token_for
from ordo_cli.domain.errors import OrdoError
from ordo_cli.press import Outcome, Press

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from typing import Any

    from ordo_cli.press import CleanUp

UNREACHABLE, MISTAKEN, NOT_QUIET = 1, press.USAGE, press.NOT_QUIET
PATIENCE_S = 5.0
EVERY_S = 1.0  # between two connections that press side by side
AGAIN_S = 0.05  # after a failure, doubling
LONGEST_S = 0.5
GRACE_S = 0.2  # for connections to say how they ended
USAGE = frozenset({400, 404, 422})
NOTHING = "NOTHING WAS STOPPED"
AT_THE_SERVER = (
    "at the server: ordo kill, or delete the file run/armed in its home, or stop `ordo serve` there;\n"
    "  then look at the brokers' own apps. This machine's own ordo was not touched; ORDO_REMOTE= ordo kill stops it"
)


class Refused(Exception):
    """The server will not press, in one sentence; asking again would not help."""

    def __init__(self, message: str, exit_code: int, hint: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.hint = hint


class Silent(Exception):
    """Nobody has confirmed in time. `sent` says that a press may have arrived."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


def main(words: "list[str]", clean_up: "CleanUp") -> int | None:
    """Answer `ordo --remote URL kill …`, or None when the words are for the whole program."""
    as_json = "--json" in words
    try:
        url, file, rest = take(words)
        if not url:
            return press.main(words, clean_up)
        asked = press.read(rest)
        if asked is None:
            return None
        address = Address(url)
        token = token_for(address.url, file)
    except press.Usage as problem:
        return press.refuse(str(problem), as_json)
    except OrdoError as problem:
        return press.refuse(problem.message, as_json, problem.hint or press.SCOPES)
    try:
        outcome = confirm(address, token, asked)
    except KeyboardInterrupt:
        press._say(2, f"interrupted; NOTHING IS KNOWN TO BE STOPPED at {address.url}\n  {AT_THE_SERVER}\n")
        return press.INTERRUPTED
    except Refused as refusal:
        if refusal.exit_code == MISTAKEN:
            return press.refuse(str(refusal), as_json, refusal.hint)
        return _told(as_json, refusal.exit_code, "refused", f"{NOTHING}: {refusal}", refusal.hint)
    except Silent as silence:
        return _silent(address, silence, as_json)
    if not as_json:
        press._say(2, f"pressed at {address.url}\n")
    if asked.level == press.BLOCK:
        press.report(asked, outcome)
        return outcome.exit_code
    return clean_up(words, outcome)


def confirm(address: Address, token: str, asked: Press, patience: float = PATIENCE_S) -> Outcome:
    """Press until the server confirms that it is engaged and quiet. Raises Refused or Silent.

    Gives the last answer when the time is up and some server answered that it is engaged and not quiet.
    """
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "ordo-kill",
    }
    question = wire.question(address, "POST", "/kill", headers, _body(asked))
    results = Results()
    end = time.monotonic() + patience
    due, pause, out, sent = 0.0, AGAIN_S, 0, False
    why, last = "it gave no answer", None  # type: str, Outcome | None
    while (now := time.monotonic()) < end or (out and now < end + GRACE_S):
        if due <= now < end:
            _thread.start_new_thread(_press, (address, question, end, results))
            due, out = now + EVERY_S, out + 1
        result = results.next(max(0.001, min(due, end if now < end else end + GRACE_S) - now))
        if result is None:
            continue
        status, got, left = result
        sent, out = sent or left, out - 1
        if status == 200 and isinstance(got, dict) and got.get("engaged") is True:
            last = _outcome(got)
            if last.quiet:
                return last
        elif status:
            _give_up(address, status, got)
            why = _why(status, got)
        else:
            why = str(got)
        due = min(due, time.monotonic() + pause)
        pause = min(LONGEST_S, pause * 2)
    if last is not None:
        return last
    raise Silent(why, sent=sent or out > 0)


class Results:
    """What became of presses, in the order in which it is known. `threading` would cost 3 ms before the first."""

    def __init__(self) -> None:
        self._found: list[tuple[int, Any, bool]] = []
        self._news, self._lock = _thread.allocate_lock(), _thread.allocate_lock()
        self._news.acquire()

    def put(self, result: "tuple[int, Any, bool]") -> None:
        with self._lock:
            self._found.append(result)
            if self._news.locked():
                self._news.release()

    def next(self, seconds: float) -> "tuple[int, Any, bool] | None":
        """The next one, or None when none has come in time."""
        if not self._found and not self._news.acquire(timeout=seconds):
            return None
        with self._lock:
            first = self._found.pop(0) if self._found else None
            if self._found and self._news.locked():
                self._news.release()
        return first


def _body(asked: Press) -> bytes:
    told = f'"scope":"{asked.scope}","level":"{press.LEVELS[press.BLOCK]}"'  # words of ours, with nothing to escape
    if asked.reason:
        import json  # 8 ms that a press without a reason waits for only while its server works

        told += f',"reason":{json.dumps(asked.reason)}'
    return f"{{{told}}}".encode()


def _press(address: Address, question: bytes, end: float, results: Results) -> None:
    """One press over one connection; whatever becomes of it is told, and nothing is raised."""
    try:
        answer = wire.ask(address, question, end, time.monotonic, _tls, connect=PATIENCE_S)
        try:
            results.put((answer.status, _read(answer.body(end)), True))
        finally:
            answer.close()
    except wire.Broken as broken:
        results.put((0, broken.why, broken.sent))
    except Exception as error:
        results.put((0, type(error).__name__, True))


def _tls() -> "Any":
    from ordo_cli.client.tls import context

    return context()


def _read(content: bytes) -> object:
    import json

    try:
        return json.loads(content)
    except ValueError:
        return None


def _outcome(body: "dict[str, Any]") -> Outcome:
    outcome = Outcome()
    outcome.engaged = True
    outcome.quiet = body.get("quiet") is True
    spent = body.get("quiet_ms")
    outcome.quiet_ms = float(spent) if isinstance(spent, int | float) else 0.0
    outcome.recorded = body.get("recorded") is True
    outcome.note = None if outcome.recorded else "the server's"
    outcome.certain = body.get("certain") is not False
    outcome.problem = body["problem"] if isinstance(body.get("problem"), str) else None
    senders = body.get("senders")
    outcome.senders = [each for each in senders if isinstance(each, int)] if isinstance(senders, list) else []
    return outcome


def _why(status: int, got: object) -> str:
    body = got if isinstance(got, dict) else {}
    problem = body.get("message") or body.get("problem")
    return f"it answered with {status}" + (f": {problem}" if isinstance(problem, str) else "")


def _give_up(address: Address, status: int, got: object) -> None:
    """Raises Refused for what no repetition will change: the token, the scope, a stranger at that address."""
    body = got if isinstance(got, dict) else {}
    message = body.get("message") if isinstance(body.get("message"), str) else None
    hint = body.get("hint") if isinstance(body.get("hint"), str) else ""
    if status in (401, 403):
        said, helps = message or "the token may not press it", hint or "give a token that may: ORDO_TOKEN"
        raise Refused(f"{said} ({address.url})", UNREACHABLE, f"{helps}\n  {AT_THE_SERVER}")
    if status in USAGE and message:
        raise Refused(message.replace(f"; {NOTHING}", ""), MISTAKEN, hint or press.SCOPES)
    if 300 <= status < 400:
        raise Refused(f"{address.url} sends elsewhere ({status}), which is not followed", UNREACHABLE, AT_THE_SERVER)


def _silent(address: Address, silence: Silent, as_json: bool) -> int:
    may = "a press may have arrived" if silence.sent else "no press has arrived"
    asked = f"{address.url} did not confirm within {PATIENCE_S:.0f} s ({silence}); {may}"
    message = f"NOTHING IS KNOWN TO BE STOPPED: {asked}"
    code = "no_answer" if silence.sent else "unreachable"
    return _told(as_json, NOT_QUIET if silence.sent else UNREACHABLE, code, message, AT_THE_SERVER)


def _told(as_json: bool, exit_code: int, code: str, message: str, hint: str) -> int:
    if as_json:
        body = {"code": code, "message": message, "hint": hint}
        press._say(1, press.document("kill", exit_code, "error", body))
    press._say(2, f"{_clean(message)}\n  {_clean(hint)}\n")
    return exit_code


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n")
