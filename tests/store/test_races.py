"""Eight processes with the same keys at the same moment: every key has exactly one winner, whom all others see."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.store.making import opened

ROOT = Path(__file__).parents[2]
PROCESSES, KEYS = 8, 25


def test_of_eight_processes_with_one_key_one_wins(tmp_path: Path, long_form: bool) -> None:
    keys = KEYS * 40 if long_form else KEYS
    path = str(tmp_path / "ordo.db")
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.store.race", path, str(me), str(keys)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for me in range(PROCESSES)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    winners: dict[str, set[str]] = defaultdict(set)
    firsts: dict[str, int] = defaultdict(int)
    answers = [racer.communicate(timeout=120)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * PROCESSES
    for said in answers:
        for line in said.splitlines():
            number, fan_out, replayed = line.split()
            winners[number].add(fan_out)
            firsts[number] += replayed == "0"
    assert len(winners) == keys
    assert all(len(ids) == 1 for ids in winners.values())
    assert set(firsts.values()) == {1}

    async def count() -> tuple[int, str]:
        async with opened(Path(path)) as store:
            return len(await store.journal.fan_outs(10_000)), (await store.audit.verify()).state

    assert asyncio.run(count()) == (keys, "whole")
