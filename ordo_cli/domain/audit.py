"""The audit chain: how a row is written as canonical JSON and tied to the row before it.

Light on purpose (no json, dataclasses or enum): the kill switch writes its row within milliseconds of process start.
"""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from _sha2 import sha256  # type: ignore[import-not-found]  # hashlib's own fallback: loading OpenSSL would cost 3 ms
except ImportError:
    from hashlib import sha256
try:
    from _json import encode_basestring_ascii as quoted
except ImportError:  # an interpreter without the C part: the same function, behind a slower import
    from json.encoder import py_encode_basestring_ascii as quoted

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = b"ordo-audit-v1\0"
GENESIS = bytes(32)  # what the first row is tied to
MOST_NAMES = 1000
_second = (-1, "")  # the last one written, and how: a busy server writes hundreds of rows in one
_names: dict[str, str] = {}  # as they are quoted; they are those of this program, and few
EXACT = 2**53  # integers beyond it are text, since many readers of JSON would round them


def link(previous: bytes, body: str) -> bytes:
    """The hash of a row: of the row before and of its own body, so that no row can change or go unseen."""
    digest: bytes = sha256(PREFIX + previous + body.encode("ascii")).digest()
    return digest


def instant(at: int) -> str:
    """A time in microseconds since 1970 as the log writes it."""
    global _second
    second, micro = divmod(at, 1_000_000)
    known = _second
    if known[0] != second:
        known = _second = second, datetime.fromtimestamp(second, UTC).isoformat()[:19]
    return f"{known[1]}.{micro:06}Z"


def canonical(value: object) -> str:
    """The one JSON text of a value: sorted keys, text in NFC and escaped, no floats: those raise TypeError."""
    if type(value) is str and value.isascii():
        return quoted(value)
    if isinstance(value, str):
        return quoted(str(value) if value.isascii() else _composed(value))
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value)) if -EXACT < value < EXACT else f'"{int(value)}"'
    if isinstance(value, list | tuple):
        return "[" + ",".join([canonical(item) for item in value]) + "]"
    if hasattr(value, "keys"):
        return _object(value)  # type: ignore[arg-type]  # a mapping by its manner: collections.abc would cost a millisecond
    if type(value).__name__ == "Decimal":  # by name: importing decimal would cost the kill switch its time
        return f'"{value:f}"'
    raise TypeError(f"{type(value).__name__} has no place in the audit log")


def body_of(
    seq: int,
    kind: str,
    at: int,
    *,
    actor: str,
    host: str = "",
    boot: str = "",
    pid: int = 0,
    elapsed_ns: int = 0,
    ids: Mapping[str, object] | None = None,
    before: str | None = None,
    after: str | None = None,
    evidence: str | None = None,
    data: Mapping[str, object] | None = None,
) -> str:
    """The canonical text of one row, without what ties it to the chain. By hand, as thousands may be due at once."""
    what = f'"ids":{_object(ids or {})},"mono_ns":"{elapsed_ns}","pid":{pid},"seq":{seq}'
    return (
        f'{{"actor":{canonical(actor)},"at":"{instant(at)}","boot":{canonical(boot)},"data":{_object(data or {})},'
        f'"evidence":{canonical(evidence)},"from":{canonical(before)},"host":{canonical(host)},{what},'
        f'"to":{canonical(after)},"type":{canonical(kind)}}}'
    )


def _object(value: Mapping[str, object]) -> str:
    parts = []
    for name in sorted(value):
        told = _names.get(name)
        if told is None:
            told = canonical(name)
            if len(_names) < MOST_NAMES:
                _names[name] = told
        item = value[name]
        parts.append(f"{told}:{quoted(item) if type(item) is str and item.isascii() else canonical(item)}")
    return "{" + ",".join(parts) + "}"


def _composed(text: str) -> str:
    from unicodedata import normalize  # 1 ms that plain ASCII need not pay

    return normalize("NFC", text)
