"""The vault: a file of encrypted secrets for machines without a keyring, opened by a key file or a passphrase."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from ordo_cli.domain.errors import SecretsUnavailable
from ordo_cli.domain.values import dataclass, field, replace

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from ordo_cli.domain.seams import Chance, Disk
    from ordo_cli.home import Home

VERSION = 1
KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12
SHORTEST_PASSPHRASE = 8
PASSES, LANES, MEMORY_KIB = 3, 4, 64 * 1024  # of Argon2id: a sixth of a second, and 64 MiB, for each guess
CHECK = ("ordo", "check")  # an entry that tells a wrong key from a damaged entry
Stamp = tuple[int, ...]
KeySource = Callable[[bytes], bytes]
"""The vault's key, given its salt."""


def vault_file(home: Home) -> str:
    return os.path.join(home.data, "vault.json")


def key_source(key_file: str, passphrase_file: str) -> KeySource:
    """How the key is had, by what `ordo init` wrote down."""
    if key_file:
        return lambda salt: read_key(key_file)
    if passphrase_file:
        return lambda salt: derive(read_passphrase(passphrase_file), salt)

    def nobody_knows(salt: bytes) -> bytes:
        raise SecretsUnavailable("nothing says how the vault is opened", hint="ordo init --secrets vault --key-file F")

    return nobody_knows


def read_key(path: str) -> bytes:
    """The 32 bytes of a key file."""
    key = _private_file(path, "key file")
    if len(key) != KEY_BYTES:
        raise SecretsUnavailable(f"the key file {path} does not hold exactly {KEY_BYTES} bytes")
    return key


def read_passphrase(path: str) -> bytes:
    """The passphrase in a file, a pipe or a descriptor, without the end of its line."""
    passphrase = _private_file(path, "passphrase file").removesuffix(b"\n").removesuffix(b"\r")
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise SecretsUnavailable(f"the passphrase in {path} is shorter than {SHORTEST_PASSPHRASE} characters")
    return passphrase


def derive(passphrase: bytes, salt: bytes) -> bytes:
    """The key that a passphrase stands for in the vault with this salt."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    hard = Argon2id(salt=salt, length=KEY_BYTES, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
    return hard.derive(passphrase)


def random_bytes(chance: Chance, count: int) -> bytes:
    """Unguessable bytes, drawn five bits at a time from the one seam to chance."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    number = 0
    for letter in chance.token(-(-8 * count // 5)):
        number = number << 5 | digits.index(letter)
    return (number & ((1 << 8 * count) - 1)).to_bytes(count)


@dataclass(frozen=True)
class Contents:
    """What the file says. Values are a nonce and a sealed text, in hex."""

    name: str
    salt: bytes
    entries: dict[str, str] = field(default_factory=dict, repr=False)


class Vault:
    """Secrets in one file that is replaced as a whole, each sealed with AES-256-GCM to the place where it belongs."""

    def __init__(self, path: str, key_source: KeySource, disk: Disk, chance: Chance) -> None:
        self.title = f"the vault {path}"
        self._path, self._key_source, self._disk, self._chance = path, key_source, disk, chance
        self._keys: dict[bytes, bytes] = {}
        self._deriving = Lock()
        self._read: tuple[Stamp, Contents] | None = None  # as it was read last, still sealed

    def create(self, name: str) -> None:
        """Make an empty vault that this key opens. One that is there already must open, and is kept."""
        with self._alone():
            if os.path.exists(self._path):
                self._load()
                return
            empty = Contents(name, random_bytes(self._chance, SALT_BYTES))
            self._save(replace(empty, entries={"/".join(CHECK): self._seal(empty, *CHECK, name)}))

    def open(self) -> bool:
        """Work out the key, which takes a sixth of a second where it comes of a passphrase; reads are quick then."""
        self._load()
        return True

    def read(self, account: str, field: str) -> str | None:
        contents = self._load()
        sealed = contents.entries.get(f"{account}/{field}")
        return None if sealed is None else self._unseal(contents, account, field, sealed)

    def write(self, account: str, field: str, value: str) -> None:
        with self._alone():
            contents = self._load()
            sealed = self._seal(contents, account, field, value)
            self._save(replace(contents, entries={**contents.entries, f"{account}/{field}": sealed}))

    def erase(self, account: str, field: str) -> None:
        with self._alone():
            contents = self._load()
            left = {name: sealed for name, sealed in contents.entries.items() if name != f"{account}/{field}"}
            if left != contents.entries:
                self._save(replace(contents, entries=left))

    def _seal(self, contents: Contents, account: str, field: str, value: str) -> str:
        nonce = random_bytes(self._chance, NONCE_BYTES)
        return (nonce + self._cipher(contents).encrypt(nonce, value.encode(), _bound(contents, account, field))).hex()

    def _unseal(self, contents: Contents, account: str, field: str, sealed: str) -> str:
        from cryptography.exceptions import InvalidTag

        try:
            whole = bytes.fromhex(sealed)
            nonce, box = whole[:NONCE_BYTES], whole[NONCE_BYTES:]
            return self._cipher(contents).decrypt(nonce, box, _bound(contents, account, field)).decode()
        except (InvalidTag, ValueError):
            if (account, field) == CHECK:
                raise SecretsUnavailable(
                    "this passphrase or key file does not open the vault",
                    hint="give the one that ordo init was given; there is no other way in",
                    code="vault_wrong_key",
                ) from None
            raise SecretsUnavailable(
                f"the vault's {field} of {account} was changed by something else than ordo",
                hint=f"restore {self._path} from a backup, or give the secret again: ordo account edit {account}",
                code="vault_tampered",
            ) from None

    def _cipher(self, contents: Contents) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 15 ms, only for a vault

        with self._deriving:  # a passphrase may come through a pipe, which can be read once
            if contents.salt not in self._keys:
                self._keys[contents.salt] = self._key_source(contents.salt)
            return AESGCM(self._keys[contents.salt])

    def _load(self) -> Contents:
        """What the file says now. An order to many accounts reads each credential of all of them out of one file."""
        stamp, before = _stamp(self._path), self._read
        if before is not None and stamp is not None and before[0] == stamp:
            return before[1]
        contents = read_vault(self._path)
        self._unseal(contents, *CHECK, contents.entries.get("/".join(CHECK), ""))
        self._read = None if stamp is None else (stamp, contents)  # a stamp from before the reading, never a later one
        return contents

    def _save(self, contents: Contents) -> None:
        whole = {"ordo_vault": VERSION, "name": contents.name, "salt": contents.salt.hex(), "entries": contents.entries}
        try:
            self._disk.write(self._path, (json.dumps(whole, indent=1) + "\n").encode())
        except OSError as error:
            raise SecretsUnavailable(f"{self.title} could not be written: {error.strerror}") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Two writers at once would each lose what the other wrote. The kernel lets go when a holder dies.
        try:
            lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SecretsUnavailable(f"{self.title} cannot be locked: {error.strerror}") from error
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def read_vault(path: str) -> Contents:
    """What a vault's file says, nothing unsealed yet."""
    try:
        whole = json.loads(_private_file(path, "vault"))
        if whole["ordo_vault"] != VERSION:
            raise SecretsUnavailable(f"the vault {path} was made by a newer ordo", hint="upgrade ordo")
        return Contents(str(whole["name"]), bytes.fromhex(whole["salt"]), dict(whole["entries"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SecretsUnavailable(f"{path} is not a vault of ordo", hint="restore it from a backup") from error


def _stamp(path: str) -> Stamp | None:
    """What changes with a file whenever its bytes or its permissions do; None when it cannot be told."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    kind, times = (found.st_dev, found.st_ino, found.st_mode), (found.st_mtime_ns, found.st_ctime_ns)
    return (*kind, *times, found.st_size)


def _bound(contents: Contents, account: str, field: str) -> bytes:
    """What a sealed text is bound to: moved to another entry, vault or version it does not open."""
    return json.dumps([contents.name, account, field, VERSION], separators=(",", ":")).encode()


def _private_file(path: str, what: str) -> bytes:
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            # A pipe or descriptor has no permissions of its own to speak of.
            if os.name == "posix" and stat.S_ISREG(found.st_mode) and found.st_mode & 0o077:
                raise SecretsUnavailable(f"others may open the {what} {path}", hint=f"chmod 600 {path}")
            return file.read(1 << 22)
    except FileNotFoundError:
        raise SecretsUnavailable(f"the {what} {path} is missing", hint="restore it; or: ordo init") from None
    except OSError as error:
        raise SecretsUnavailable(f"the {what} {path} cannot be read: {error.strerror}") from error
