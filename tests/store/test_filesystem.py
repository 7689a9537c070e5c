"""Where the journal may lie: on a local disk, and readable by its owner alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordo_cli.domain.errors import Invalid, StoreFailed
from ordo_cli.store import filesystem
from ordo_cli.store.filesystem import make_private
from ordo_cli.store.opening import path_of

pytestmark = pytest.mark.sqlite_only


def test_a_journal_on_a_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Mounting one needs root; what is judged a network is the business of the home and tested there.
    monkeypatch.setattr(filesystem, "network_file_system", lambda path: "nfs4")
    with pytest.raises(StoreFailed, match=r"network file system \(nfs4\)") as refusal:
        filesystem.refuse_network("/somewhere/ordo.db")
    assert refusal.value.hint


def test_a_local_disk_is_taken(tmp_path: Path) -> None:
    filesystem.refuse_network(str(tmp_path / "ordo.db"))


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


def test_only_sqlite_is_a_file() -> None:
    assert path_of("sqlite:////var/lib/ordo.db") == "/var/lib/ordo.db"
    assert path_of("/var/lib/ordo.db") == "/var/lib/ordo.db"
    with pytest.raises(Invalid, match=r"postgresql\+asyncpg"):
        path_of("postgresql+asyncpg://host/ordo")
