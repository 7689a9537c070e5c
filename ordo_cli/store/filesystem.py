"""Where the database lies: a file of the owner alone, and never on a network file system."""

from __future__ import annotations

import os

from ordo_cli.domain.errors import StoreFailed

NETWORK = frozenset(
    (
        *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre"),
        *("beegfs", "gpfs", "davfs", "fuse.sshfs", "fuse.davfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone"),
        *("fuse.gcsfuse", "fuse.cephfs"),
    )
)
MOUNTS = "/proc/self/mountinfo"


def refuse_network(path: str, mounts: str = MOUNTS) -> None:
    """Raise StoreFailed where file locks and write-ahead logging cannot be trusted."""
    kind = kind_at(path, mounts)
    if kind in NETWORK:
        raise StoreFailed(
            f"{path} lies on a network file system ({kind}), where a journal can be damaged",
            hint="set ORDO_HOME to a folder on a local disk",
            code="STORE_NETWORK",
        )


def kind_at(path: str, mounts: str = MOUNTS) -> str | None:
    """The type of file system at a path, or None where the system does not tell."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.readlines()
    except OSError:
        return None
    place = os.path.realpath(path)
    best, kind = -1, None
    for line in lines:
        mount, found = _read(line)
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= best:  # the last of equals lies on top
            best, kind = len(mount), found
    return kind


def make_private(path: str) -> None:
    """The file exists, and nobody but its owner may read it; SQLite gives its companions the same rights."""
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if os.stat(path).st_mode & 0o077:
            os.chmod(path, 0o600)
    except OSError as error:
        raise StoreFailed(
            f"the database {path} cannot be opened: {error.strerror}", hint="see: ordo doctor", code="STORE"
        ) from error


def _read(line: str) -> tuple[str, str | None]:
    left, _, right = line.partition(" - ")
    fields = left.split(" ")
    if len(fields) < 5 or not right:
        return "\0", None
    mount = fields[4]
    for escaped, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        mount = mount.replace(escaped, plain)
    return mount, right.split(" ")[0]
