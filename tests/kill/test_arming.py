"""Arming files: they appear whole, they go at once, and the lock tells who is between check and write."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ordo_cli import arming


@pytest.fixture
def run(tmp_path: Path) -> str:
    folder = str(tmp_path / "run")
    arming.arm(folder, "account", "alice", 7, "n0nce")
    return folder


def test_an_arming_file_says_its_epoch_and_is_for_its_owner_alone(run: str) -> None:
    path = arming.path_of(run, "account", "alice")
    content = arming.armed(path)
    assert content == b"7 n0nce\n"
    assert arming.epoch_of(content) == 7
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert {stat.S_IMODE(os.stat(folder).st_mode) for folder in (run, os.path.dirname(path))} == {0o700}
    assert os.path.basename(path) == "a-alice"


def test_names_of_different_kinds_have_different_files(run: str) -> None:
    paths = {arming.path_of(run, kind, "same") for kind in arming.KINDS}
    assert len(paths) == len(arming.KINDS)


def test_an_arming_that_fails_halfway_leaves_nothing(run: str) -> None:
    before = sorted(os.listdir(os.path.join(run, "armed.d")))
    with pytest.raises(UnicodeEncodeError):
        arming.arm(run, "account", "bob", 1, "nönce")
    assert sorted(os.listdir(os.path.join(run, "armed.d"))) == before


def test_to_disarm_twice_is_to_disarm(run: str) -> None:
    assert arming.disarm(run, "account", "alice") is None
    assert arming.disarm(run, "account", "alice") is None
    assert not os.path.exists(arming.path_of(run, "account", "alice"))


def test_a_sender_that_has_the_file_open_already_reads_the_spoiled_byte(run: str) -> None:
    with open(arming.path_of(run, "account", "alice"), "rb") as file:
        arming.disarm(run, "account", "alice")
        assert file.read() == b"K n0nce\n"


def test_a_link_is_not_followed_to_spoil_what_it_points_to(run: str, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"1 kept\n")
    path = Path(arming.path_of(run, "account", "alice"))
    path.unlink()
    path.symlink_to(precious)
    assert arming.disarm(run, "account", "alice") is None
    assert precious.read_bytes() == b"1 kept\n"
    assert not path.is_symlink()


@pytest.mark.timeout(20)
def test_a_pipe_in_its_place_is_not_waited_for(run: str) -> None:
    path = Path(arming.path_of(run, "account", "alice"))
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(OSError, match="not a plain readable file"):
        arming.armed(str(path))
    assert arming.disarm(run, "account", "alice") is None
    assert not path.exists()


def test_what_cannot_be_unlinked_is_reported_unless_it_was_spoiled(run: str) -> None:
    path = Path(arming.path_of(run, "account", "alice"))
    path.unlink()
    path.mkdir()
    assert isinstance(arming.disarm(run, "account", "alice"), OSError)


def test_each_press_changes_the_stamp(run: str) -> None:
    seen = {arming.pressed(run)}
    for _ in range(3):
        arming.note_press(run)
        seen.add(arming.pressed(run))
    assert len(seen) == 4


def test_without_a_lock_file_there_is_no_stamp_and_no_quiet(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    arming.note_press(nowhere)
    assert arming.pressed(nowhere) == 0
    assert not arming.drain(nowhere)
    assert arming.waiting(nowhere) == []


def test_what_is_done_while_alone_is_done_before_any_sender_goes_on(run: str) -> None:
    seen: list[bool] = []

    def look() -> None:
        with pytest.raises(BlockingIOError):
            os.close(arming.share(run, 0.005))
        seen.append(True)

    assert arming.drain(run, 0.1, look)
    assert seen == [True]
    os.close(arming.share(run, 0.005))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the holders of a lock")
def test_the_holders_of_the_lock_are_named(run: str) -> None:
    assert arming.waiting(run) == []
    held = arming.share(run)
    assert arming.waiting(run) == [os.getpid()]
    assert not arming.drain(run, 0.01)
    os.close(held)


def test_many_senders_may_be_in_the_gate_together(run: str) -> None:
    held = [arming.share(run) for _ in range(50)]
    with pytest.raises(BlockingIOError):
        arming.alone(run, 0.01)
    for each in held:
        os.close(each)
    os.close(arming.alone(run, 0.01))


@pytest.mark.parametrize("take", [arming.share, arming.alone])
def test_a_system_without_flock_has_no_lock_to_give(
    run: str, monkeypatch: pytest.MonkeyPatch, take: Callable[[str], int]
) -> None:
    monkeypatch.setattr(arming, "fcntl", None)
    with pytest.raises(OSError, match="no flock"):
        take(run)
    assert not arming.drain(run)
