"""The log: one JSON object a line in `ordo.log`, without secrets, shared safely by many processes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ordo_cli.domain.patterns import later
from ordo_cli.domain.seams import Clock

try:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
except ImportError:  # Windows: the log grows, nothing else changes
    LOCK_EX = LOCK_NB = LOCK_UN = 0  # type: ignore[misc]

    def flock(fd: object, operation: int, /) -> None:  # type: ignore[misc]
        raise OSError("this system has no flock")


LEVELS = ("debug", "info", "warning", "error")
ROTATE_AT = 5 * 1024 * 1024  # bytes
LOOK = 0.25  # seconds between two looks at the file itself: a busy server writes hundreds of lines in one
KEPT = 5  # older files beside the current one
LONGEST = 2_000  # characters of one value
REDACTED = "[redacted]"

# Names are matched by their parts, so `idempotency_key` and `monkey` stay readable and `api_key` does not.
SECRET_NAMES = later(
    r"pass(word|wd|phrase|code)?s?|secrets?|tokens?|otp|totp|seeds?|m?pins?|api_?keys?|auth(entication|orization)?|"
    r"cookies?|credentials?|bearer|jwt|signatures?|private_?keys?|vault_?keys?|session_?(id|key)s?|request_?token",
    re.IGNORECASE,
)
SECRET_VALUES = later(
    r"(?P<scheme>\b(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/=:-]{6,}"
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|\bordo_[A-Za-z0-9]+_[A-Za-z0-9_-]{8,}"
    r"|(?P<name>\b(?:pass(?:word|wd|phrase)?|secret|[a-z_]*token|t?otp|m?pin|api_?key|app_?secret|signature|auth"
    r"|authorization|cookie|set-cookie)[\"']?\s*[=:]\s*[\"']?(?:(?:bearer|basic|token)\s+)?)[^\s\"'&,;}]+"
    r"|(?P<login>://[^\s/:@]*:)[^\s/@]+(?=@)",
    re.IGNORECASE,
)
_MAY_HIDE = later(r"[\s=:]|eyJ|ordo_", re.IGNORECASE)  # without one of these there is no such value, and most have none
_WORDS = later(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])|[0-9]+")


class Log:
    """What one module says. Costs nothing until something is said that the level lets through."""

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **fields: object) -> None:
        _write("debug", self._name, event, fields)

    def info(self, event: str, **fields: object) -> None:
        _write("info", self._name, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        _write("warning", self._name, event, fields)

    def error(self, event: str, **fields: object) -> None:
        _write("error", self._name, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """An error with the traceback of the exception being handled; values of variables stay out of it."""
        _write("error", self._name, event, {**fields, "exc_info": True})


class Sink:
    """The file that lines go to. Each line is one write, so that processes do not mix theirs."""

    def __init__(self, folder: str, clock: Clock, level: str) -> None:
        self.path = os.path.join(folder, "ordo.log")
        self.clock = clock
        self.level = LEVELS.index(level)
        self.hidden: set[str] = set()
        self._file: int | None = None
        self._looked = 0.0  # when it was last made sure that the file is the current one, by the elapsed clock
        self._bind: Callable[[str], Any] | None = None
        self._bound: dict[str, Any] = {}

    def logger(self, name: str) -> Any:
        if name not in self._bound:
            self._bind = self._bind or _structlog(self)
            self._bound[name] = self._bind(name)
        return self._bound[name]

    def msg(self, line: str) -> None:
        """Append one line. A log that cannot be written never stops an order, nor fails a command."""
        try:
            os.write(self._opened(), line.encode("utf-8", "replace") + b"\n")
        except OSError:
            self._file = None

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        """The file to write to, opened again when another process rotated it, rotated when it is full."""
        now = self.clock.elapsed()
        if self._file is not None and 0 <= now - self._looked < LOOK:
            return self._file
        self._looked = now
        if self._file is not None and not self._is_current(self._file):
            self.close()
        if self._file is None:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if os.fstat(self._file).st_size >= ROTATE_AT and self._rotate():
            os.close(self._file)
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return self._file

    def _is_current(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _rotate(self) -> bool:
        """Move the files one place on; the process that holds the lock does it, the others write on meanwhile."""
        lock = os.open(self.path + ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            flock(lock, LOCK_EX | LOCK_NB)
            if os.stat(self.path).st_size < ROTATE_AT:
                return True  # somebody just did
            for number in range(KEPT - 1, 0, -1):
                if os.path.exists(f"{self.path}.{number}"):
                    os.replace(f"{self.path}.{number}", f"{self.path}.{number + 1}")
            os.replace(self.path, f"{self.path}.1")
        except OSError:
            return False
        else:
            return True
        finally:
            os.close(lock)


_sink: Sink | None = None


def get(name: str) -> Log:
    """The log of one module. Cheap; structlog is imported with the first line that is written."""
    return Log(name)


def configure(folder: str, clock: Clock, level: str = "warning") -> None:
    """From now on write to `ordo.log` in this folder. Before this call, and below this level, lines are dropped."""
    global _sink
    if _sink is None or _sink.path != os.path.join(folder, "ordo.log"):
        if _sink is not None:
            _sink.close()
        _sink = Sink(folder, clock, level)
    _sink.clock, _sink.level = clock, LEVELS.index(level)


def hide(*secrets: str) -> None:
    """Never let these very texts reach the log, wherever they appear."""
    if _sink is not None:
        _sink.hidden.update(secret for secret in secrets if len(secret) >= 4)


def redacted(value: object, hidden: frozenset[str] | set[str] = frozenset()) -> object:
    """The value without what looks like a secret, by name or by shape, and without the texts to hide."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):  # what most values are, and asking of a text whether it is a mapping is dear
        if isinstance(value, Mapping):
            return {
                str(name): REDACTED if is_secret(str(name)) else redacted(item, hidden) for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [redacted(item, hidden) for item in value]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    for secret in hidden:
        text = text.replace(secret, REDACTED)
    if _MAY_HIDE.search(text):
        text = SECRET_VALUES.sub(_without_value, text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


@lru_cache(1024)  # the same few names come with every line, and a server writes one for each request
def is_secret(name: str) -> bool:
    """Whether a field of this name holds something that nobody should read in a log."""
    words = [word.lower() for word in _WORDS.findall(name)]
    spans = (
        words[start:end] for start in range(len(words)) for end in range(start + 1, min(start + 2, len(words)) + 1)
    )
    return any(SECRET_NAMES.fullmatch("_".join(span)) for span in spans)


def _without_value(match: re.Match[str]) -> str:
    return (match["scheme"] or match["name"] or match["login"] or "") + REDACTED


def _write(level: str, name: str, event: str, fields: Mapping[str, object]) -> None:
    sink = _sink
    if sink is None or LEVELS.index(level) < sink.level:
        return
    getattr(sink.logger(name), level)(event, **fields)


def _structlog(sink: Sink) -> Callable[[str], Any]:
    """Loggers that write to the sink. structlog takes 130 ms to import, so only for the first line of a process."""
    import logging

    import structlog

    for noisy in ("httpx", "httpcore", "h11", "hpack"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # below it they tell URLs and headers

    def stamp(_: object, method: str, event: dict[str, Any]) -> dict[str, Any]:
        moment = sink.clock.now().isoformat(timespec="milliseconds")
        return {"timestamp": moment, "level": method, "pid": os.getpid(), **event}

    def redact(_: object, __: str, event: dict[str, Any]) -> dict[str, Any]:
        return {name: REDACTED if is_secret(name) else redacted(item, sink.hidden) for name, item in event.items()}

    processors: list[Any] = [
        structlog.processors.format_exc_info,
        stamp,
        redact,
        structlog.processors.JSONRenderer(ensure_ascii=True),  # no character of a value can end the line
    ]
    methods = structlog.make_filtering_bound_logger(0)
    return lambda name: structlog.wrap_logger(
        _Lines(sink), processors=processors, wrapper_class=methods, cache_logger_on_first_use=False, module=name
    ).bind()


class _Lines:
    """What structlog calls to write: every level is the same line."""

    def __init__(self, sink: Sink) -> None:
        self.debug = self.info = self.warning = self.error = sink.msg
