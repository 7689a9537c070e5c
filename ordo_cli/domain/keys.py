"""Keys: what makes two requests the same request, and what tells them apart."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from unicodedata import normalize

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.money import shown, text_of
from ordo_cli.domain.patterns import later
from ordo_cli.domain.seams import Chance

KEY = later(r"[A-Za-z0-9._:-]{8,64}", re.ASCII)
SAFE_INTEGER = 2**53  # beyond it other readers of JSON round
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def check_key(text: str) -> str:
    """The idempotency key itself when it is one. Raises Invalid."""
    if not KEY.fullmatch(text):
        raise Invalid(f"{shown(text)} is not a key", hint="a key has 8 to 64 of A-Z a-z 0-9 . _ : -")
    return text


def canonical(value: Any) -> bytes:
    """The one spelling of a value as JSON: sorted keys, exact decimals as text, NFC. Raises TypeError for floats."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def fingerprint(value: Any) -> str:
    """SHA-256 of the canonical spelling: equal exactly when two requests ask for the same."""
    return sha256(canonical(value)).hexdigest()


def new_key(now: datetime, chance: Chance) -> str:
    """A fresh key that sorts by time (UUID version 7)."""
    milliseconds = int(now.timestamp() * 1000)
    luck = 0
    for letter in chance.token(15):
        luck = luck << 5 | CROCKFORD.index(letter)
    high = (milliseconds & (1 << 48) - 1) << 16 | 0x7000 | luck >> 62 & 0xFFF
    digits = f"{high << 64 | 1 << 63 | luck & (1 << 62) - 1:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _plain(value: Any) -> Any:
    """The value in JSON's own types. Anything without exactly one spelling is refused."""
    kind = type(value)
    if value is None or kind is bool or (kind is str and value.isascii()):
        return value
    if isinstance(value, str):
        return str(value) if value.isascii() else normalize("NFC", value)
    if isinstance(value, int):
        return int(value) if -SAFE_INTEGER < value < SAFE_INTEGER else str(int(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError("a number that is not finite has no canonical spelling")
        return text_of(value if value else Decimal(0))  # minus zero is zero
    if isinstance(value, Mapping):
        return _plain_mapping(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _plain_object(value)


def _plain_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    if not all(isinstance(name, str) for name in value):
        raise TypeError("names are text")
    plain = {_plain(name): _plain(item) for name, item in value.items()}
    if len(plain) != len(value):
        raise TypeError("two names differ only in how their letters are composed")
    return plain


def _plain_object(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a time without a zone has no canonical spelling")
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    raise TypeError(f"{type(value).__name__} has no canonical spelling")
