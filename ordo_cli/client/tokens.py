"""Tokens as a client carries them: in one header, and nowhere where they could be read again."""

from __future__ import annotations

from ordo_cli.domain.errors import Invalid

AGENT = "ordo-client"


def bearer(token: str | None) -> dict[str, str]:
    """The headers that say who asks. Raises Invalid, without quoting it, for what cannot be a token."""
    said = {"User-Agent": AGENT}
    if token is None:
        return said
    return {**said, "Authorization": f"Bearer {checked(token)}"}


def checked(token: str) -> str:
    """The token itself, without the line end of the file it came from."""
    plain = token.strip()
    if not plain or not plain.isascii() or not plain.isprintable() or " " in plain or len(plain) > 512:
        raise Invalid("that is not a token", hint="a token is one word: ordo_<id>_<secret>")
    return plain
