"""The audit service: rows by the beginning of an id, exports that prove themselves, anchors of this installation."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.trail import State
from ordo_cli.services import audit
from tests.backends import Backend
from tests.store.making import fan_out


async def written(desk: Desk) -> None:
    await desk.store.journal.open(fan_out("aa11"), duplicate_window=None)
    await desk.store.journal.open(fan_out("bb22"), duplicate_window=None)
    await desk.store.audit.append("test", {"text": "é\x1b[2J"}, {"fan_out": "bb22", "leg": "bb22-2"})


async def test_rows_are_found_by_the_beginning_of_an_id(desk: Desk) -> None:
    await written(desk)
    assert [row.type for row in await audit.rows(desk, fan_out="aa")] == ["plan"]
    assert [row.type for row in await audit.rows(desk, leg="bb-2")] == ["test"]
    assert [row.ids["fan_out"] for row in await audit.rows(desk, kind="plan")] == ["aa11", "bb22"]
    assert await audit.rows(desk, since=desk.clock.now().replace(year=2030)) == []
    with pytest.raises(NotFound):
        await audit.rows(desk, leg="zz-1")
    with pytest.raises(Invalid, match="at least 1"):
        await audit.rows(desk, limit=0)


async def test_an_export_can_be_proved_by_anybody(desk: Desk, tmp_path: Path) -> None:
    await written(desk)
    done = await audit.export(desk, str(tmp_path / "audit.jsonl"), str(tmp_path / "anchors"))
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert len(lines) == done.rows == done.anchor.size
    previous = bytes(32)
    for line in lines:
        row = json.loads(line)
        assert bytes.fromhex(row.pop("prev")) == previous
        digest = row.pop("hash")
        body = json.dumps(row, sort_keys=True, separators=(",", ":"))
        previous = hashlib.sha256(b"ordo-audit-v1\0" + previous + body.encode()).digest()
        assert previous.hex() == digest
    assert previous.hex() == done.anchor.head
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o600
    assert (await audit.rows(desk, kind="export"))[0].data["head"] == done.anchor.head


async def test_anchors_gather_and_are_checked_from_a_file_or_a_folder(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for number in range(3):
        await written(desk) if number == 0 else await desk.store.audit.append("test", {}, {})
        await audit.export(desk, str(tmp_path / f"{number}.jsonl"), str(tmp_path / "kept" / "anchors"))
    assert len((tmp_path / "kept" / "anchors").read_text().splitlines()) == 3
    for place in ("kept", "kept/anchors"):
        assert (await audit.verify(desk, str(tmp_path / place))).state is State.WHOLE
    first = json.loads((tmp_path / "kept" / "anchors").read_text().splitlines()[0])
    (tmp_path / "kept" / "forged").write_text(json.dumps({**first, "head": "ab" * 32}))
    assert (await audit.verify(desk, str(tmp_path / "kept"))).state is State.REWRITTEN
    (tmp_path / "kept" / "forged").write_text(json.dumps({**first, "size": 10_000}))
    assert (await audit.verify(desk, str(tmp_path / "kept"))).state is State.TRUNCATED
    (tmp_path / "kept" / "forged").write_text(json.dumps({**first, "origin": "ordo/somebody-else"}))
    with pytest.raises(Invalid, match="somebody-else"):
        await audit.verify(desk, str(tmp_path / "kept"))


async def test_nothing_is_written_over_and_nothing_is_left_half(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Invalid, match="not overwritten"):
        await audit.export(desk, str(tmp_path / "there"))
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(Invalid, match="cannot be written"):
        await audit.export(desk, str(tmp_path / "no" / "such" / "folder"))
    with pytest.raises(Invalid, match="could not be written"):
        await audit.export(desk, str(tmp_path / "new"), str(tmp_path / "no" / "anchors"))
    assert not (tmp_path / "new").exists()
    for nothing in ("nowhere", "empty"):
        with pytest.raises(NotFound):
            await audit.verify(desk, str(tmp_path / nothing))


async def test_a_broken_chain_is_not_exported(desk: Desk, tmp_path: Path, backend: Backend) -> None:
    await written(desk)
    backend.without_guards(Path(desk.home.database))
    backend.execute(Path(desk.home.database), "UPDATE audit SET type = 'plan' WHERE type = 'test'")
    assert (await audit.verify(desk)).state is State.BROKEN
    with pytest.raises(Invalid, match="broken at row"):
        await audit.export(desk, str(tmp_path / "audit.jsonl"))
    assert not (tmp_path / "audit.jsonl").exists()
