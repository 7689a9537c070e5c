"""One of several processes that use the same keys at the same moment, for the test of that name."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.store.making import fan_out, opened


async def main(path: str, me: str, keys: int) -> None:
    async with opened(Path(path)) as store:
        sys.stdin.readline()  # everybody starts at once
        for number in range(keys):
            mine = fan_out(f"{me}x{number:03}", key=f"shared-{number}")
            opened_one = await store.journal.open(mine, duplicate_window=None)
            print(number, opened_one.id, int(opened_one.replayed))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
