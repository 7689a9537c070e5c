"""Where the journal may lie: on a local disk, and readable by its owner alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordo_cli.domain.errors import Invalid, StoreFailed
from ordo_cli.store.filesystem import kind_at, make_private, refuse_network
from ordo_cli.store.store import path_of

MOUNTS = r"""27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:40 / {home} rw,relatime shared:1 - nfs4 server:/home rw
41 40 0:41 / {home}/my\040disk rw - btrfs /dev/vdb rw
42 27 0:42 / {home}/over rw - ext4 /dev/vdc rw
43 42 0:43 / {home}/over rw - fuse.sshfs me@host:/ rw
nonsense
44 27 0:44 / {home}/cut rw
"""


@pytest.fixture
def mounts(tmp_path: Path) -> str:
    (tmp_path / "mounts").write_text(MOUNTS.replace("{home}", str(tmp_path / "home")), encoding="utf-8")
    return str(tmp_path / "mounts")


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("home/ordo.db", "nfs4"),
        ("home", "nfs4"),
        ("home/my disk/ordo.db", "btrfs"),
        ("home/over/ordo.db", "fuse.sshfs"),
        ("homestead/ordo.db", "ext4"),
        ("elsewhere/ordo.db", "ext4"),
    ],
)
def test_the_innermost_and_last_mount_decides(tmp_path: Path, mounts: str, place: str, kind: str) -> None:
    assert kind_at(str(tmp_path / place), mounts) == kind


def test_a_link_is_followed_to_where_the_file_lies(tmp_path: Path, mounts: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")
    with pytest.raises(StoreFailed, match="network file system") as refusal:
        refuse_network(str(tmp_path / "link" / "ordo.db"), mounts)
    assert refusal.value.hint
    refuse_network(str(tmp_path / "ordo.db"), mounts)


def test_where_the_system_does_not_tell_nothing_is_refused(tmp_path: Path) -> None:
    assert kind_at(str(tmp_path), str(tmp_path / "no such file")) is None


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ordo.db"
    make_private(str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    make_private(str(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreFailed, match="cannot be opened"):
        make_private(str(tmp_path / "file" / "ordo.db"))


def test_only_sqlite_is_taken() -> None:
    assert path_of("sqlite:////var/lib/ordo.db") == "/var/lib/ordo.db"
    assert path_of("/var/lib/ordo.db") == "/var/lib/ordo.db"
    with pytest.raises(Invalid, match=r"postgresql\+asyncpg"):
        path_of("postgresql+asyncpg://host/ordo")
