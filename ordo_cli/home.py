"""Where ordo keeps its things on this machine. Import-free, because `ordo kill` runs it before all else."""

import os
import sys

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from collections.abc import Mapping

# fmt: off
NETWORK = frozenset((
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.ceph", "fuse.cephfs", "fuse.gcsfuse", "fuse.glusterfs",
    "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncp", "ncpfs", "nfs",
    "nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3", "smbfs",
))
# fmt: on
"""File systems on which neither flock nor SQLite's write-ahead log keeps its word."""


def at_once(path: str, flags: int) -> int:
    """An opener for files of ordo's own. Raises OSError for a pipe: reading it could wait for ever, with a kill too."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    if os.fstat(descriptor).st_mode & 0o170000 == 0o010000:
        os.close(descriptor)
        raise OSError("it is a pipe")
    return descriptor


class Home:
    """The folders and files of one ordo, as text."""

    __slots__ = ("config", "config_file", "data", "database", "instruments", "logs", "run")

    def __init__(self, config: str, data: str, state: str) -> None:
        self.config = config
        self.config_file = os.path.join(config, "config.toml")
        self.data = data
        self.database = os.path.join(data, "ordo.db")
        self.instruments = os.path.join(data, "instruments")
        self.run = os.path.join(state, "run")
        self.logs = os.path.join(state, "logs")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Home) and (self.config, self.data, self.run) == (other.config, other.data, other.run)

    def __hash__(self) -> int:
        return hash((self.config, self.data, self.run))

    def __repr__(self) -> str:
        return f"Home(config={self.config!r}, data={self.data!r}, run={self.run!r})"


def find_home(environ: "Mapping[str, str]" = os.environ) -> Home:
    """ORDO_HOME holds everything when it is set; otherwise the platform's config, data and state folders."""
    whole = environ.get("ORDO_HOME", "")
    if whole.strip():
        return home_at(whole)
    user = environ.get("HOME") or os.path.expanduser("~")
    if sys.platform == "win32":
        local = environ.get("LOCALAPPDATA") or os.path.join(os.path.expanduser("~"), "AppData", "Local")
        return home_at(os.path.join(local, "ordo"))
    if sys.platform == "darwin":
        apple = os.path.join(user, "Library", "Application Support")
        return Home(
            _xdg(environ, "XDG_CONFIG_HOME", apple),
            _xdg(environ, "XDG_DATA_HOME", apple),
            _xdg(environ, "XDG_STATE_HOME", apple),
        )
    return Home(
        _xdg(environ, "XDG_CONFIG_HOME", os.path.join(user, ".config")),
        _xdg(environ, "XDG_DATA_HOME", os.path.join(user, ".local", "share")),
        _xdg(environ, "XDG_STATE_HOME", os.path.join(user, ".local", "state")),
    )


def home_at(folder: str) -> Home:
    """Everything in one folder."""
    whole = os.path.abspath(os.path.expanduser(folder))
    return Home(whole, whole, whole)


def make(home: Home) -> None:
    """Create the folders that are missing, for their owner alone; a folder of ours that others may enter is closed."""
    for folder in (home.config, home.data, home.run, home.instruments, home.logs):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.name == "posix" and os.stat(folder).st_mode & 0o077:
            os.chmod(folder, 0o700)


def network_file_system(path: str, mounts: str = "/proc/self/mounts") -> str | None:
    """The kind of network file system that holds this path, or None: a local disk, or a system that does not tell."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as table:
            rows = [row.split(" ") for row in table]
    except OSError:
        return None  # macOS and Windows have no such table
    real = os.path.realpath(path)
    best, kind = "", ""
    for row in rows:
        place = row[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = real == place or real.startswith(place if place.endswith("/") else place + "/")
        if inside and len(place) >= len(best):
            best, kind = place, row[2]
    return kind if kind in NETWORK else None


def _xdg(environ: "Mapping[str, str]", name: str, default: str) -> str:
    # The standard says that a relative path here is to be ignored.
    chosen = environ.get(name, "").strip()
    return os.path.join(chosen if os.path.isabs(chosen) else default, "ordo")
