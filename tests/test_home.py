"""Where ordo lives, and that nobody else may look in."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import platformdirs
import pytest

from ordo_cli.home import Home, find_home, home_at, make, network_file_system


def test_ordo_home_holds_everything_in_one_folder(tmp_path: Path) -> None:
    home = find_home({"ORDO_HOME": str(tmp_path / "all"), "XDG_DATA_HOME": "/elsewhere"})
    inside = [home.config, home.config_file, home.data, home.database, home.run, home.instruments, home.logs]
    assert all(Path(path).is_relative_to(tmp_path / "all") for path in inside)
    assert Path(home.run) == tmp_path / "all" / "run"


def test_a_relative_ordo_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_home({"ORDO_HOME": "here"}).data == str(tmp_path / "here")


@pytest.mark.parametrize("xdg", [{}, {"XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s"}])
def test_the_folders_are_those_of_the_platform(xdg: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in xdg.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ORDO_HOME", raising=False)
    home, theirs = find_home(), platformdirs.PlatformDirs("ordo", appauthor=False)
    assert (home.config, home.data) == (theirs.user_config_dir, theirs.user_data_dir)
    assert os.path.dirname(home.run) == theirs.user_state_dir


def test_a_relative_xdg_folder_is_ignored_as_its_standard_says() -> None:
    assert find_home({"HOME": "/h/me", "XDG_DATA_HOME": "data"}) == find_home({"HOME": "/h/me"})


@pytest.mark.parametrize(
    ("platform", "environ", "data"),
    [
        ("darwin", {"HOME": "/u/me"}, "/u/me/Library/Application Support/ordo"),
        ("win32", {"HOME": "/x", "LOCALAPPDATA": "/local"}, "/local/ordo"),
        ("win32", {"HOME": "/x"}, os.path.expanduser("~/AppData/Local/ordo")),
        ("linux", {"HOME": "/h/me"}, "/h/me/.local/share/ordo"),
    ],
)
def test_each_system_has_its_own_place(
    platform: str, environ: dict[str, str], data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert find_home(environ).data == data


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    home = home_at(str(tmp_path / "new"))
    Path(home.run).mkdir(parents=True, mode=0o755)
    make(home)
    folders = (home.config, home.data, home.run, home.instruments, home.logs)
    assert {stat.S_IMODE(os.stat(folder).st_mode) for folder in folders} == {0o700}
    assert "new" in repr(home)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/share/ordo", "nfs4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/shared", None),
        ("/with space/x", "cifs"),
        ("/h/me", None),
    ],
)
def test_a_network_file_system_is_recognised(tmp_path: Path, path: str, kind: str | None) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/sda1 / ext4 rw 0 0\nserver:/x /mnt/share nfs4 rw 0 0\n//s/y /with\\040space cifs rw 0 0\n",
    )
    assert network_file_system(path, str(table)) == kind


def test_a_system_without_a_table_of_mounts_names_none(tmp_path: Path) -> None:
    assert network_file_system("/", str(tmp_path / "none")) is None


def test_two_homes_are_told_apart_by_their_folders() -> None:
    assert Home("/c", "/d", "/s") != Home("/c", "/d", "/t")
