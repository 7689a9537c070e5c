"""Setting up: the settings file, a place for secrets and the first arming of a scope. Safe to run again."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ordo_cli import arming, config
from ordo_cli.desk import Desk
from ordo_cli.domain.addresses import without_password
from ordo_cli.domain.errors import Invalid, Refused, SecretsUnavailable
from ordo_cli.domain.kill import GLOBAL, Scope
from ordo_cli.domain.values import dataclass
from ordo_cli.secrets import KEYRING, VAULT, Secrets, new_name
from ordo_cli.services import kill, presses

FIRST_ARMING = "armed for the first time"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was set up: what it is, where it is, and whether it was made now or was there before."""

    what: str
    where: str
    made: bool | None = None  # None: it was there or made by opening it; nobody can tell


@dataclass(frozen=True, slots=True)
class Choice:
    """Where secrets are to be kept; `reason` is said when nobody asked for that place."""

    backend: str
    key_file: str = ""
    passphrase_file: str = ""
    reason: str | None = None


def fresh(desk: Desk) -> bool:
    """Whether this home was never initialised."""
    return not os.path.exists(desk.home.config_file)


async def initialise(desk: Desk, choice: Choice | None) -> list[Step]:
    """Make what is missing: config.toml, the place for secrets when one is chosen, the global arming file."""
    steps = [Step("data", desk.home.data), Step("database", without_password(desk.config.database_url))]
    steps.append(_write_config(desk))
    if choice is not None:
        steps += _open_secrets(desk, choice)
    armed = await arm_new(desk, (GLOBAL,))
    steps.append(Step("armed" if armed else "arming file", arming.path_of(desk.home.run, "global", ""), bool(armed)))
    return steps


def propose(desk: Desk, backend: str | None, key_file: str | None, passphrase_file: str | None) -> Choice:
    """Where secrets shall be kept: as asked for, as chosen before, else the keyring, else a vault with a key file.

    Raises SecretsUnavailable when a keyring is there but locked or silent: that is no reason to write elsewhere.
    """
    if key_file and passphrase_file:
        raise Invalid("a vault has a key file or a passphrase file, not both")
    if (key_file or passphrase_file) and backend == KEYRING:
        raise Invalid("a keyring takes neither a key file nor a passphrase file", hint="--secrets vault")
    settings = desk.config
    if backend is None and not key_file and not passphrase_file and settings.secrets_backend:
        return Choice(settings.secrets_backend, settings.key_file, settings.passphrase_file)
    if backend == VAULT or key_file or passphrase_file:
        return _vault(desk, key_file, passphrase_file)
    try:
        _probe_keyring(desk)
    except SecretsUnavailable as error:
        if backend == KEYRING or error.reason != "no_keyring":
            raise
        return _vault(desk, None, None, reason="this machine has no keyring")
    return Choice(KEYRING)


async def arm_new(desk: Desk, scopes: Iterable[Scope]) -> list[Scope]:
    """Arm the scopes that nobody ever armed or pressed before. One that has a record is left to `ordo kill release`."""
    await presses.write_down(desk)
    known = {switch.scope for switch in await desk.store.switches.all()}
    armed = [scope for scope in scopes if scope not in known]
    for scope in armed:
        stamp = arming.pressed(desk.home.run)
        await kill.write_file(desk, scope, await desk.store.switches.release(scope, FIRST_ARMING), stamp)
    return armed


def _write_config(desk: Desk) -> Step:
    path = desk.home.config_file
    if os.path.exists(path):
        return Step("settings", path, False)
    desk.disk.write(path, config.template().encode())
    return Step("settings", path, True)


def _vault(desk: Desk, key_file: str | None, passphrase_file: str | None, reason: str | None = None) -> Choice:
    if passphrase_file:
        return Choice(VAULT, passphrase_file=os.path.abspath(passphrase_file), reason=reason)
    path = os.path.abspath(key_file) if key_file else os.path.join(desk.home.config, "vault.key")
    return Choice(VAULT, key_file=path, reason=reason)


def _probe_keyring(desk: Desk) -> None:
    from ordo_cli.secrets.oskeyring import OsKeyring  # 85 ms

    OsKeyring(desk.config.secrets_name or new_name(desk.chance)).read("ordo", "probe")


def _open_secrets(desk: Desk, choice: Choice) -> list[Step]:
    """Make the place, prove that it keeps what it is given, and only then write the choice down."""
    _refuse_moving(desk, choice)
    name = desk.config.secrets_name or new_name(desk.chance)
    steps = _make_vault(desk, choice, name) if choice.backend == VAULT else []
    wanted = {
        "secrets.name": name,
        "secrets.backend": choice.backend,
        "secrets.key_file": choice.key_file,
        "secrets.passphrase_file": choice.passphrase_file,
    }
    title = Secrets(desk.home, config.load(desk.home, {}, wanted), desk.disk, desk.chance).prove()
    before = config.load(desk.home, {})
    for path, value in wanted.items():
        if config.origin_of(before, path).value != value:
            config.change(desk.home, desk.disk, path, value)
    return [*steps, Step("secrets", title, desk.config.secrets_backend != choice.backend)]


def _refuse_moving(desk: Desk, choice: Choice) -> None:
    chosen = desk.config.secrets_backend
    if not chosen or chosen == choice.backend:
        return
    raise Refused(
        f"secrets are kept in the {chosen} already, and are not moved to the {choice.backend} by themselves",
        hint=f"keep the {chosen}; or remove the accounts that have secrets, then: ordo config set secrets.backend ''",
    )


def _make_vault(desk: Desk, choice: Choice, name: str) -> list[Step]:
    from ordo_cli.secrets.vault import KEY_BYTES, Vault, key_source, random_bytes, vault_file

    path = vault_file(desk.home)
    steps = []
    there = os.path.exists(path)
    if choice.key_file and not os.path.exists(choice.key_file):
        if there:
            raise SecretsUnavailable(f"the vault {path} is there, but its key file {choice.key_file} is not")
        desk.disk.write(choice.key_file, random_bytes(desk.chance, KEY_BYTES))
        steps.append(Step("key file", choice.key_file, True))
    Vault(path, key_source(choice.key_file, choice.passphrase_file), desk.disk, desk.chance).create(name)
    return [*steps, Step("vault", path, not there)]
