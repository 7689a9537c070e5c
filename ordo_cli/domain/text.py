"""Text: makes what somebody else wrote (brokers, files, users) safe for a terminal, a log and a spreadsheet."""

from __future__ import annotations

from ordo_cli.domain.patterns import later

LIMIT = 500

# Whole sequences go, not only their first byte: what stays of "ESC ] 0 ; title BEL" would read as words of a broker.
# A string that is never closed keeps its words and loses its introducer, so that nothing hides the rest of a message.
# Bodies exclude the introducers themselves; that keeps matching linear in the length of hostile text.
_SEQUENCES = later(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x90\x98\x9b-\x9f]*(?:\x07|\x1b\\|\x9c)"  # OSC
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x90\x98\x9b-\x9f]*(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"  # two-character and charset sequences
)
_BREAKS = later(r"[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
_UNSEEN = later(
    r"[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers, the Arabic mark
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f"  # zero-width, direction overrides and isolates
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"  # fillers, variation selectors, BOM, annotations
    r"\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f"  # the other controls
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"  # format controls, tags
)
_LONE = later(r"[\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def clean(text: str, limit: int = LIMIT) -> str:
    """The text on one line, without anything that a terminal obeys or a reader cannot see; cut at `limit`."""
    if not (text.isascii() and text.isprintable()):
        text = _SEQUENCES.sub("", text[: 64 * limit])
        text = _UNSEEN.sub("", _BREAKS.sub(" ", text))
        text = _LONE.sub("\ufffd", text)  # half of a pair cannot be written to any stream
    return text if len(text) <= limit else text[: limit - 1] + "…"


def csv_cell(text: str) -> str:
    """A text cell that no spreadsheet takes for a formula. For text alone: a negative number of ours needs no guard."""
    safe = clean(text)
    return f"'{safe}" if text.startswith(_FORMULA) or safe.lstrip().startswith(_FORMULA) else safe
