"""Credentials: kept in the keyring of the operating system or in an encrypted vault, whichever `ordo init` chose."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Protocol, TypeVar

from ordo_cli.domain.errors import Invalid, NotFound, SecretsUnavailable
from ordo_cli.domain.values import dataclass, field

if TYPE_CHECKING:
    from asyncio import Future

    from ordo_cli.domain.accounts import AccountId
    from ordo_cli.domain.seams import Chance, Disk
    from ordo_cli.home import Home

T = TypeVar("T")

LONGEST = 1000  # characters; the vault of Windows takes no more
KEYRING = "keyring"
VAULT = "vault"


class Chosen(Protocol):
    """The settings that say where secrets are kept."""

    @property
    def secrets_name(self) -> str: ...

    @property
    def secrets_backend(self) -> str: ...

    @property
    def key_file(self) -> str: ...

    @property
    def passphrase_file(self) -> str: ...


class Place(Protocol):
    """Somewhere that keeps secrets. Every call may raise SecretsUnavailable; none ever falls back to another place."""

    title: str

    def open(self) -> bool:
        """Make ready what reads need; whether they wait for nobody from then on, as those of a keyring always may."""
        ...

    def read(self, account: str, field: str) -> str | None: ...

    def write(self, account: str, field: str, value: str) -> None: ...

    def erase(self, account: str, field: str) -> None: ...


@dataclass
class Secrets:
    """The credentials of every account. Nothing is opened before the first is asked for."""

    home: Home
    config: Chosen
    disk: Disk
    chance: Chance
    _place: Place | None = field(default=None, init=False, repr=False)
    _near: bool | None = field(default=None, init=False, repr=False)  # None before the place was opened
    _opening: Future[None] | None = field(default=None, init=False, repr=False)
    _choosing: Lock = field(default_factory=Lock, init=False, repr=False)  # threads may be the first together

    @property
    def place(self) -> Place:
        """Where secrets are kept. Raises SecretsUnavailable when nobody has chosen yet."""
        with self._choosing:
            if self._place is None:
                _no_core_dumps()
                self._place = _place(self.home, self.config, self.disk, self.chance)
            return self._place

    async def reading(self, read: Callable[[], T]) -> T:
        """What this reads of the secrets, without holding up the loop.

        A vault is opened once for all who ask, in a thread, and then read at once: an order to a hundred accounts would
        otherwise change threads two hundred times. A keyring may take seconds for each answer.
        """
        import asyncio  # which whoever is in a loop has imported

        if self._near is None:
            if self._opening is None or self._opening.done():
                self._opening = asyncio.ensure_future(asyncio.to_thread(self._open))
                self._opening.add_done_callback(_heard)
            await asyncio.shield(self._opening)
        return read() if self._near else await asyncio.to_thread(read)

    def _open(self) -> None:
        self._near = self.place.open()

    def get(self, account: AccountId, field: str) -> str:
        """One credential. Raises NotFound when it was never given."""
        value = self.place.read(account, field)
        if value is None:
            raise NotFound(f"{account} has no {field}", hint=f"ordo account edit {account} --secrets-file -")
        return value

    def every(self, account: AccountId, fields: Iterable[str], optional: Iterable[str] = ()) -> dict[str, str]:
        """These credentials, and those of the optional ones that are kept. Raises NotFound for one never given."""
        names = (*fields, *self.fields(account, optional))
        return {name: self.get(account, name) for name in names}

    def put(self, account: AccountId, field: str, value: str) -> None:
        """Keep one credential, and see that what was kept is what was given."""
        check_value(field, value)
        self.place.write(account, field, value)
        kept = self.place.read(account, field)
        if kept is None or not hmac.compare_digest(kept.encode(), value.encode()):
            raise SecretsUnavailable(f"{self.place.title} gave back something else than {field} of {account}")

    def remove(self, account: AccountId, fields: Iterable[str]) -> None:
        """Forget these credentials; those that were never there are no error."""
        for name in fields:
            self.place.erase(account, name)

    def fields(self, account: AccountId, among: Iterable[str]) -> tuple[str, ...]:
        """Which of these credentials are kept."""
        return tuple(name for name in among if self.place.read(account, name) is not None)

    def prove(self) -> str:
        """Write, read, compare and erase a probe; the title of the place that passed."""
        probe = self.chance.token(20)
        name = f"probe_{self.chance.token(6)}"
        place = self.place
        place.write("ordo", name, probe)
        kept = place.read("ordo", name)
        place.erase("ordo", name)
        if kept != probe or place.read("ordo", name) is not None:
            raise SecretsUnavailable(f"{place.title} does not keep what it is given")
        return place.title


def check_value(field: str, value: str) -> None:
    """Raises Invalid for what no credential looks like; the value itself is never repeated."""
    if not value or len(value) > LONGEST or not value.isprintable():
        raise Invalid(f"{field} is empty, longer than {LONGEST} characters or has characters that cannot be typed")


def new_name(chance: Chance) -> str:
    """The name under which a new ordo keeps its secrets, so that two homes on one machine never share any."""
    return f"ordo-{chance.token(10)}"


def _place(home: Home, config: Chosen, disk: Disk, chance: Chance) -> Place:
    if config.secrets_backend == KEYRING and config.secrets_name:
        from ordo_cli.secrets.oskeyring import OsKeyring  # the keyring library costs 85 ms

        return OsKeyring(config.secrets_name)
    if config.secrets_backend == VAULT:
        from ordo_cli.secrets.vault import Vault, key_source, vault_file  # cryptography costs 15 ms

        return Vault(vault_file(home), key_source(config.key_file, config.passphrase_file), disk, chance)
    raise SecretsUnavailable("no place for secrets was chosen yet", hint="ordo init --secrets keyring, or vault")


def _heard(opening: Future[None]) -> None:
    """Nobody may be waiting any more; then nobody else needs to hear what went wrong."""
    if not opening.cancelled():
        opening.exception()


def _no_core_dumps() -> None:
    # A process that holds secrets must not leave its memory in a file when it crashes.
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):  # no such thing on Windows
        return
