"""Pictures in PNG with nothing but the standard library: notes inside them, and as few bytes as their colours need."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

BEGIN = b"\x89PNG\r\n\x1a\n"
NOTE = b"zTXt"
RGB = b"\x08\x02\0\0\0"  # eight bits of each colour, not interlaced
PALETTE = b"\x08\x03\0\0\0"  # eight bits that are a place in a palette
COLOURS = 128  # with more, a page looks no better


def noted(picture: bytes, name: str, text: str) -> bytes:
    """The picture with a note of this name in it."""
    *rest, end = _chunks(picture)
    return _picture(*rest, (NOTE, name.encode() + b"\0\0" + zlib.compress(text.encode("ascii"), 9)), end)


def note(picture: bytes, name: str) -> str | None:
    """The note of this name in the picture, if there is one."""
    begin = name.encode() + b"\0\0"
    found = (data for kind, data in _chunks(picture) if kind == NOTE and data.startswith(begin))
    return next((zlib.decompress(data.removeprefix(begin)).decode("ascii") for data in found), None)


def size(picture: bytes) -> tuple[int, int]:
    """Its width and its height."""
    width, height = struct.unpack_from(">II", picture, len(BEGIN) + 8)
    return int(width), int(height)


def packed(picture: bytes) -> bytes:
    """The picture in its most frequent colours, each other pixel in the nearest of them: a third of the bytes."""
    chunks = list(_chunks(picture))
    if chunks[0][1][8:] != RGB:
        raise ValueError("only plain RGB is packed")
    lines = _lines(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")), size(picture)[0])
    pixels = [[line[at : at + 3] for at in range(0, len(line), 3)] for line in lines]
    counted = Counter(pixel for line in pixels for pixel in line)
    palette = [pixel for pixel, _ in counted.most_common(COLOURS)]
    place = {pixel: _nearest(palette, pixel) for pixel in counted}
    drawn = b"".join(b"\0" + bytes([place[pixel] for pixel in line]) for line in pixels)
    return _picture(
        (b"IHDR", chunks[0][1][:8] + PALETTE),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(drawn, 9)),
        (b"IEND", b""),
    )


def _picture(*chunks: tuple[bytes, bytes]) -> bytes:
    return BEGIN + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(BEGIN)
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        at += length + 12


def _lines(data: bytes, width: int) -> Iterator[bytes]:
    """Each line of an RGB picture as its pixels are, without the filter that it was written with."""
    length = 3 * width
    above = bytes(length)
    for at in range(0, len(data), length + 1):
        line = bytearray(data[at + 1 : at + 1 + length])
        _unfilter(data[at], line, above)
        above = bytes(line)
        yield above


def _unfilter(kind: int, line: bytearray, above: bytes) -> None:
    if kind == 0:
        return
    for i in range(len(line)):
        left = line[i - 3] if i > 2 else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[i]
        elif kind == 3:
            guess = (left + above[i]) // 2
        else:
            guess = _paeth(left, above[i], above[i - 3] if i > 2 else 0)
        line[i] = (line[i] + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    likely = left + up - corner
    return min((abs(likely - left), 0, left), (abs(likely - up), 1, up), (abs(likely - corner), 2, corner))[2]


def _nearest(palette: list[bytes], pixel: bytes) -> int:
    apart = [sum((one - other) ** 2 for one, other in zip(colour, pixel, strict=True)) for colour in palette]
    return apart.index(min(apart))
