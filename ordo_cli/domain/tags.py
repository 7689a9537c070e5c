"""Tags: the 16 letters and digits by which a broker's book carries our leg, and how they are told from others'."""

from __future__ import annotations

import hmac
import re
from functools import cache

from ordo_cli.domain.legs import LegId
from ordo_cli.domain.orders import Tag
from ordo_cli.domain.patterns import later

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBERS = {letter: number for number, letter in enumerate(CROCKFORD)}
PREFIX = "O"
BODY = 14
TAG = later(PREFIX + f"[{CROCKFORD}]{{{BODY + 1}}}", re.ASCII)


def tag_of(install_key: bytes, leg: LegId) -> Tag:
    """The tag of a leg: the same each time, unguessable without the install's key, fit for every broker's field."""
    keyed = _keyed(install_key).copy()
    keyed.update(leg.encode())
    number = int.from_bytes(keyed.digest(), "big")
    body = "".join(CROCKFORD[number >> 5 * place & 31] for place in range(BODY))
    return Tag(PREFIX + body + _check(body))


@cache  # there is one
def _keyed(install_key: bytes) -> hmac.HMAC:
    return hmac.new(install_key, digestmod="sha256")


def is_ours(tag: str | None) -> bool:
    """Whether some ordo made this tag: its form and its check character agree."""
    return tag is not None and TAG.fullmatch(tag) is not None and _check(tag[1:-1]) == tag[-1]


def _check(body: str) -> str:
    """A check character that notices every single wrong character and every two that changed places.

    It is the remainder of the body as a polynomial over GF(32), evaluated at a generator (x^5 + x^2 + 1).
    """
    remainder = 0
    for letter in body:
        remainder = remainder << 1 ^ (0x25 if remainder & 16 else 0) ^ NUMBERS[letter]
    return CROCKFORD[remainder]
