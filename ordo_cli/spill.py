"""The spill file: where the outcome of a sent leg goes when the journal cannot take it, even on a full disk."""

from __future__ import annotations

import contextlib
import json
import os

from ordo_cli.domain.legs import Leg

SIZE = 64 * 1024
NAME = "spill"


class Spill:
    """64 KiB reserved beforehand, so that a full disk still has room for what must not be lost."""

    def __init__(self, run: str) -> None:
        self.path = os.path.join(run, NAME)

    def reserve(self) -> None:
        """Make the file with real blocks under it. A disk too full for it is for the free-space check to refuse."""
        if os.path.exists(self.path):
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(b"\0" * SIZE)
                file.flush()
                os.fsync(file.fileno())

    def keep(self, leg: Leg) -> bool:
        """Write the leg's outcome after what is there already; False when even that failed or the file is full."""
        line = json.dumps(_plain(leg)).encode() + b"\n"
        try:
            with open(self.path, "r+b") as file:
                used = file.read(SIZE).find(b"\0")
                if used < 0 or used + len(line) > SIZE:
                    return False
                file.seek(used)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        return True

    def kept(self) -> list[dict[str, str | None]]:
        """What was spilled, oldest first."""
        try:
            with open(self.path, "rb") as file:
                text = file.read(SIZE).partition(b"\0")[0]
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def clear(self, known: int) -> None:
        """Empty it, keeping its blocks, once the journal knows all that it held; not when more has come since."""
        if len(self.kept()) != known:
            return
        with open(self.path, "r+b") as file:
            file.write(b"\0" * SIZE)
            file.flush()
            os.fsync(file.fileno())


def _plain(leg: Leg) -> dict[str, str | None]:
    return {
        "leg": leg.id,
        "account": leg.account,
        "submission": str(leg.submission),
        "broker_order_id": leg.broker_order_id,
        "problem": leg.problem.code if leg.problem else None,
    }
