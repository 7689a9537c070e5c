"""Arming files: an entry order leaves only while they exist; to unlink one is to stop. Import-free, for `ordo kill`.

One file per scope, `<epoch> <nonce>\\n`, for its owner alone. A sender holds `gate.lock` shared across its last check
and its first write; whoever has disarmed takes it exclusively, and then knows that no sender is between the two.
"""

import os
import time

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: importing must work there; share, drain and alone fail closed
    fcntl = None  # type: ignore[assignment]

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from collections.abc import Callable

PREFIXES = {"broker": "b-", "account": "a-", "group": "g-"}
KINDS = ("global", *PREFIXES)
CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""How a file is opened that somebody else may have put there: no link is followed, and no pipe is waited for."""
READ = os.O_RDONLY | CAREFUL
LOCK = "gate.lock"
PAUSE = 0.0005  # seconds between two tries for the lock
LONGEST = 128  # bytes of an arming file; more is not ours


def path_of(run: str, kind: str, name: str) -> str:
    """The arming file of a scope."""
    if kind == "global":
        return f"{run}{os.sep}armed"
    return f"{run}{os.sep}armed.d{os.sep}{PREFIXES[kind]}{name}"


def folder_of(run: str, kind: str) -> str:
    """Where the arming files of such scopes lie."""
    return run if kind == "global" else f"{run}{os.sep}armed.d"


def ready(run: str) -> None:
    """Create the folders and the lock file that arming needs."""
    for folder in (run, os.path.join(run, "armed.d")):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    os.close(os.open(os.path.join(run, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def arm(run: str, kind: str, name: str, epoch: int, nonce: str) -> None:
    """Write the arming file so that it survives a power cut. It appears whole or not at all."""
    path = path_of(run, kind, name)
    ready(run)
    beside = f"{path}.new-{os.getpid()}-{nonce}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, b"%d %s\n" % (epoch, nonce.encode("ascii")))
        os.fsync(descriptor)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    finally:
        os.close(descriptor)
    _sync_folder(os.path.dirname(path))


def disarm(run: str, kind: str, name: str) -> OSError | None:
    """Stop a scope: spoil the file's first byte, then unlink it. Either is enough.

    Gives None when the scope is certainly stopped, else what went wrong. Needs no free space and waits for nobody.
    """
    problem = _remove(path_of(run, kind, name))
    if isinstance(problem, PermissionError) and os.name == "posix":
        for folder in (run, os.path.join(run, "armed.d")):  # a folder that was closed, with the file still in it
            try:  # noqa: SIM105  contextlib costs 1 ms, which a kill does not have
                os.chmod(folder, 0o700)
            except OSError:
                pass
        problem = _remove(path_of(run, kind, name))
    return problem


def pressed(run: str) -> int:
    """A stamp that changes with every press, for a release to see that one came between. 0 when there is none."""
    try:
        return os.stat(os.path.join(run, LOCK)).st_mtime_ns
    except OSError:
        return 0


def note_press(run: str) -> None:
    """Change the stamp of `pressed`; touching a time needs no free space."""
    now = time.time_ns()  # the system's own stamp of a file may be 4 ms old
    path = os.path.join(run, LOCK)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.utime(path, ns=(now, now))
    except OSError:
        pass  # no run folder: senders fail closed without it, and a release has nothing to trust


def drain(run: str, limit_s: float = 0.25, meanwhile: "Callable[[], object] | None" = None) -> bool:
    """Wait until no sender is between its last check and its first write. False: not known within the limit.

    `meanwhile` runs once the lock is held, so that nothing of it can interleave with a sender or a release.
    """
    try:
        lock = _take(run, exclusive=True, limit_s=limit_s)
    except OSError:
        return False
    try:
        if meanwhile is not None:
            meanwhile()
    finally:
        os.close(lock)
    return True


def share(run: str, limit_s: float = 0.02) -> int:
    """The gate's lock, shared, as a descriptor that its holder closes. Raises OSError when it cannot be had in time."""
    return _take(run, exclusive=False, limit_s=limit_s)


def alone(run: str, limit_s: float = 1.0) -> int:
    """The gate's lock, exclusive, as a descriptor that its holder closes. Raises OSError when it is not had in time."""
    return _take(run, exclusive=True, limit_s=limit_s)


def armed(path: str, expected: bytes | None = None) -> bytes:
    """What an arming file says. Raises OSError unless it is ours, for us alone, readable, whole and unspoiled.

    What is `expected` was found whole before, and is not taken apart again: this runs between the last check of an
    order and its first byte.
    """
    descriptor = os.open(path, READ)
    try:
        status = os.fstat(descriptor)
        if os.name == "posix":  # pragma: no branch
            _private(status, path)
        if status.st_mode & 0o170000 != 0o100000 or not status.st_mode & 0o400 or status.st_nlink != 1:
            raise OSError(f"{path} is not a plain readable file of its own")
        content = os.read(descriptor, LONGEST + 1)
    finally:
        os.close(descriptor)
    if content != expected:
        epoch_of(content, path)
    return content


def epoch_of(content: bytes, path: str = "arming file") -> int:
    """The epoch that an arming file names. Raises OSError when the content is not one of ours."""
    epoch, space, nonce = content.partition(b" ")
    if (
        len(content) > LONGEST
        or not space
        or not epoch.isdigit()
        or not nonce.endswith(b"\n")
        or not nonce[:-1].isalnum()
    ):
        raise OSError(f"{path} does not hold an epoch and a nonce")
    return int(epoch)


def private_folder(path: str) -> None:
    """Raises OSError unless this folder is ours and nobody else may write in it."""
    if os.name == "posix":  # pragma: no branch
        _private(os.stat(path), path)


def waiting(run: str) -> list[int]:
    """The processes that hold the gate's lock shared, where the system tells (Linux); else none are named."""
    try:
        inode = f":{os.stat(os.path.join(run, LOCK)).st_ino}"
        with open("/proc/locks", encoding="ascii") as table:
            rows = [row.split() for row in table]
    except OSError:
        return []
    held = {int(row[4]) for row in rows if row[1] == "FLOCK" and row[3] == "READ" and row[5].endswith(inode)}
    return sorted(held)


def _private(status: os.stat_result, path: str) -> None:
    if status.st_uid != os.geteuid():
        raise OSError(f"{path} belongs to another user")
    if status.st_mode & 0o022:
        raise OSError(f"others may write to {path}")


def _remove(path: str) -> OSError | None:
    spoiled = _spoil(path)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return None
    except OSError as problem:
        return None if spoiled else problem
    return None


def _spoil(path: str) -> bool:
    # One byte over an existing byte: no block is needed, so a full disk does not matter.
    try:
        descriptor = os.open(path, os.O_WRONLY | CAREFUL)
    except OSError:
        return False
    try:
        return os.write(descriptor, b"K") == 1
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _take(run: str, exclusive: bool, limit_s: float) -> int:
    if fcntl is None:
        raise OSError("this system has no flock")
    descriptor = os.open(run + os.sep + LOCK, os.O_RDWR | os.O_CLOEXEC)
    kind = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB
    until = None
    try:
        while True:
            try:
                fcntl.flock(descriptor, kind)
                return descriptor
            except BlockingIOError:
                until = until or time.monotonic() + limit_s
                if time.monotonic() >= until:
                    raise
                time.sleep(PAUSE)
    except BaseException:
        os.close(descriptor)
        raise


def _sync_folder(folder: str) -> None:
    if os.name != "posix":  # pragma: no cover - Windows
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
