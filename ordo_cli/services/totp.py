"""Codes made from a seed: never the same code twice, and twice a day at the most without a person.

Whoever gives ordo the seed of an account gives it the whole of a login, so this is for accounts whose user chose it,
and a broker that says no is not asked again: accounts are locked after a few wrong tries.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from typing import TYPE_CHECKING

from ordo_cli.domain import market
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import Invalid, Refused, StoreFailed

if TYPE_CHECKING:
    from ordo_cli.desk import Desk

STEP = 30  # seconds that a code is good for
DIGITS = 6
MOST = 2  # codes in a day that nobody typed


async def code(desk: Desk, account: AccountId, seed: str) -> str:
    """The code of this moment, or of the next step when this one's was used. It counts as used from here on.

    The caller is the only login of this account. Raises Refused when the day's codes are used up.
    """
    path = os.path.join(desk.home.run, "totp", f"{account}.json")
    today = market.trading_day(desk.clock.now()).isoformat()
    day, used, last = _read(path)
    used = used if day == today else 0
    if used >= MOST:
        raise Refused(
            f"ordo has logged {account} in by itself {MOST} times today, and does not try again",
            hint=f"type a code: ordo login otp {account}",
            code="totp_budget",
        )
    if (step := _step(desk)) <= last:
        await desk.clock.sleep((last + 1) * STEP - desk.clock.now().timestamp())
        step = max(_step(desk), last + 1)
    text = json.dumps({"day": today, "used": used + 1, "step": step})
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        desk.disk.write(path, text.encode())
    except OSError as error:
        raise StoreFailed(f"{path} cannot be written: {error.strerror}", hint="see: ordo doctor") from None
    return code_of(seed, step)


def check_seed(seed: str) -> str:
    """Raises Invalid for what is no seed; it is never repeated."""
    code_of(seed, 0)
    return seed


def code_of(seed: str, step: int) -> str:
    """The code of one step of 30 seconds since 1970 (RFC 6238, SHA-1, six digits)."""
    from cryptography.hazmat.primitives.hashes import SHA1  # 15 ms, only for this
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

    plain = "".join(seed.split()).upper()
    try:
        key = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except binascii.Error:
        key = b""
    if not key:
        raise Invalid("the TOTP seed is not one", hint="it is the text behind the QR code: letters and digits 2 to 7")
    # Brokers hand out seeds of 80 bits, shorter than the library wants.
    made = TOTP(key, DIGITS, SHA1(), STEP, enforce_key_length=False)  # noqa: S303  what every authenticator computes
    return made.generate(step * STEP).decode()


def _step(desk: Desk) -> int:
    return int(desk.clock.now().timestamp()) // STEP


def _read(path: str) -> tuple[str, int, int]:
    """The day of the last code, how many were used in it, and its step. What cannot be read counts as used up."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        return str(found["day"]), int(found["used"]), int(found["step"])
    except FileNotFoundError:
        return "", 0, -1
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(
            f"{path} cannot be read, so nobody knows which codes were used", hint="see: ordo doctor"
        ) from None
