"""Sealing: AES-256-GCM under data keys that the keyring or vault keeps, for what must lie in the database."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import SecretsUnavailable
from ordo_cli.domain.values import dataclass, field
from ordo_cli.secrets.vault import KEY_BYTES, NONCE_BYTES, random_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from ordo_cli.secrets import Secrets

VERSION = 1
OWNER = AccountId("_ordo")  # no account can have this name
FIELD = "data_keys"
ID_LENGTH = 8
HEAD = 1 + ID_LENGTH
KEY_LIFE = timedelta(days=30)  # then a new one is made; what the one before has sealed is over long before
KEPT = 3  # keys, the newest first


class Unsealable(Exception):
    """A sealed row was changed by something else than ordo, belongs elsewhere, or its key is gone."""


@dataclass(frozen=True, slots=True)
class DataKey:
    id: str
    made: date
    key: bytes = field(repr=False)


class Seals:
    """Seals and opens. What it raises beside Unsealable is SecretsUnavailable. May wait seconds for a keyring."""

    def __init__(self, secrets: Secrets, install: str) -> None:
        self._secrets, self._install = secrets, install
        self._keys: tuple[DataKey, ...] = ()

    def fresh(self, today: date) -> bool:
        """Whether there is a key to seal with that is young enough. What another process made counts."""
        if not _young(self._keys, today):
            self._keys = self._read()
        return _young(self._keys, today)

    def make(self, today: date) -> None:
        """Make a new key and keep the latest ones; nobody else may do so at the same time."""
        new = DataKey(self._secrets.chance.token(ID_LENGTH), today, random_bytes(self._secrets.chance, KEY_BYTES))
        keys = (new, *self._read())[:KEPT]
        self._secrets.put(
            OWNER, FIELD, " ".join(f"{each.id}:{each.made.isoformat()}:{each.key.hex()}" for each in keys)
        )
        self._keys = keys

    def seal(self, account: AccountId, purpose: str, plain: bytes) -> bytes:
        """Seal with the newest key, bound to this installation, account and purpose. There must be one."""
        key = self._keys[0]
        nonce = random_bytes(self._secrets.chance, NONCE_BYTES)
        box = _cipher(key).encrypt(nonce, plain, self._bound(account, purpose, key.id))
        return bytes([VERSION]) + key.id.encode() + nonce + box

    def unseal(self, account: AccountId, purpose: str, sealed: bytes) -> bytes:
        """What was sealed for exactly this. Raises Unsealable."""
        from cryptography.exceptions import InvalidTag

        key = self._key_of(sealed)
        nonce, box = sealed[HEAD : HEAD + NONCE_BYTES], sealed[HEAD + NONCE_BYTES :]
        try:
            return _cipher(key).decrypt(nonce, box, self._bound(account, purpose, key.id))
        except (InvalidTag, ValueError):
            raise Unsealable(f"what is stored for {account} was changed by something else than ordo") from None

    def _key_of(self, sealed: bytes) -> DataKey:
        if sealed[:1] != bytes([VERSION]):
            raise Unsealable("a sealed row is of no kind that this ordo knows")
        name = sealed[1:HEAD].decode("ascii", "replace")
        if not any(key.id == name for key in self._keys):
            self._keys = self._read()  # another process may have made it since
        for key in self._keys:
            if key.id == name:
                return key
        raise Unsealable(f"{self._secrets.place.title} has no key any more for what is stored")

    def _read(self) -> tuple[DataKey, ...]:
        text = self._secrets.place.read(OWNER, FIELD)
        return tuple(map(_data_key, text.split())) if text else ()

    def _bound(self, account: AccountId, purpose: str, key: str) -> bytes:
        return json.dumps([self._install, account, purpose, VERSION, key], separators=(",", ":")).encode()


def _young(keys: Sequence[DataKey], today: date) -> bool:
    return bool(keys) and today - keys[0].made < KEY_LIFE


def _data_key(text: str) -> DataKey:
    try:
        name, made, key = text.split(":")
        return DataKey(name, date.fromisoformat(made), bytes.fromhex(key))
    except ValueError:
        raise SecretsUnavailable(
            "the data key that ordo keeps was changed by something else", hint="see: ordo doctor"
        ) from None


def _cipher(key: DataKey) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 15 ms, only where something is sealed

    return AESGCM(key.key)
