"""The keyring of the operating system: only backends known to encrypt, and never more than three seconds of waiting."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from ordo_cli.domain.errors import SecretsUnavailable
from ordo_cli.domain.money import shown

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

PATIENCE = 3.0  # seconds; a Secret Service that hangs never returns
NO_KEYRING = "ordo init --secrets vault keeps them in an encrypted file instead"

_MAC = "keyring.backends.macOS.Keyring"
_WINDOWS = "keyring.backends.Windows.WinVaultKeyring"
_DESKTOPS = (
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.libsecret.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.kwallet.DBusKeyringKWallet4",
)
ALLOWED = frozenset({_MAC, _WINDOWS, *_DESKTOPS})
"""The classes that may hold a credential. Null, fail, chainer, plaintext and all plug-ins are not among them."""


class OsKeyring:
    """Secrets of one ordo in the user's keyring, one short item for each."""

    def __init__(self, service: str, patience: float = PATIENCE) -> None:
        self.title = "the keyring"
        self._service, self._patience = service, patience
        self._backend: KeyringBackend | None = None
        self._silent = False

    def open(self) -> bool:
        """False: each read may wait for the keyring, or for its owner."""
        return False

    def read(self, account: str, field: str) -> str | None:
        found: str | None = self._ask(lambda backend: backend.get_password(self._service, f"{account}/{field}"))
        return found

    def write(self, account: str, field: str, value: str) -> None:
        self._ask(lambda backend: backend.set_password(self._service, f"{account}/{field}", value))

    def erase(self, account: str, field: str) -> None:
        def erase(backend: KeyringBackend) -> None:
            if backend.get_password(self._service, f"{account}/{field}") is not None:
                backend.delete_password(self._service, f"{account}/{field}")

        self._ask(erase)

    def _ask(self, question: Callable[[KeyringBackend], Any]) -> Any:
        if self._silent:  # it had its three seconds; nobody waits for it twice
            raise _silence(self._patience)
        answers: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
        # A daemon thread, because a hung keyring would otherwise keep the process from ending.
        Thread(target=self._answer, args=(question, answers), name="ordo-keyring", daemon=True).start()
        try:
            well, answer = answers.get(timeout=self._patience)
        except Empty:
            self._silent = True
            raise _silence(self._patience) from None
        if not well:
            raise answer from None
        return answer

    def _answer(self, question: Callable[[KeyringBackend], Any], answers: SimpleQueue[tuple[bool, Any]]) -> None:
        try:
            if self._backend is None:
                self._backend = choose()
            answers.put((True, question(self._backend)))
        except SecretsUnavailable as error:
            answers.put((False, error))
        except (
            BaseException
        ) as error:  # whatever a backend raises; its words might quote the secret, so none are passed on
            answers.put((False, _trouble(error)))


def choose() -> KeyringBackend:
    """The best keyring of this machine that may hold credentials. May hang: call it in a thread that can be left."""
    forced = forced_backend()
    if forced is not None:
        return _build(forced)
    ranked = sorted(_viable(), key=lambda found: found[0], reverse=True)
    if not ranked:
        raise SecretsUnavailable("this machine has no keyring that ordo can use", hint=NO_KEYRING, code="no_keyring")
    return _build(ranked[0][1])


def forced_backend() -> str | None:
    """The backend that the environment or keyringrc.cfg asks for. Raises SecretsUnavailable unless it is allowed."""
    for source, name in (("PYTHON_KEYRING_BACKEND", os.environ.get("PYTHON_KEYRING_BACKEND")), _from_file()):
        if name and name not in ALLOWED:
            raise SecretsUnavailable(
                f"{source} asks for the keyring {shown(name)}, which is not known to protect secrets",
                hint=f"take that setting away; {NO_KEYRING}",
                code="keyring_refused",
            )
        if name:
            return name
    return None


def _from_file() -> tuple[str, str | None]:
    # Read here and not by the keyring library, which would also put the file's keyring-path among the imports.
    from configparser import Error, RawConfigParser

    from keyring.util.platform_ import config_root

    path = config_root() / "keyringrc.cfg"
    parser = RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        return str(path), parser.get("backend", "default-keyring", fallback="").strip() or None
    except (Error, OSError, UnicodeDecodeError) as error:
        raise SecretsUnavailable(f"{path} cannot be read", hint="mend it or take it away") from error


def _viable() -> Iterator[tuple[float, str]]:
    candidates = {"darwin": (_MAC,), "win32": (_WINDOWS,)}.get(sys.platform, _DESKTOPS)
    for name in candidates:
        try:
            yield float(_class(name).priority), name
        except (RuntimeError, ImportError, AttributeError, FileNotFoundError, ConnectionError):
            continue  # how a backend says that what it speaks to is not on this machine
        except TimeoutError as error:  # something is there and does not answer: that is not the same as nothing
            raise _silence(PATIENCE) from error


def _build(name: str) -> KeyringBackend:
    try:
        kind = _class(name)
        float(kind.priority)  # raises when it cannot work here
        built: KeyringBackend = kind()
    except Exception as error:
        raise SecretsUnavailable(f"the keyring {name} does not work here", hint=NO_KEYRING) from error
    return built


def _class(name: str) -> Any:
    module, _, kind = name.rpartition(".")
    return getattr(import_module(module), kind)


def _silence(patience: float) -> SecretsUnavailable:
    return SecretsUnavailable(
        f"the keyring did not answer within {patience:g} seconds",
        hint="unlock it or start it again, then repeat; nothing was written anywhere else",
        code="keyring_silent",
    )


def _trouble(error: BaseException) -> SecretsUnavailable:
    kind = type(error).__name__
    if kind == "KeyringLocked" or "Locked" in kind or "Dismissed" in kind:
        return SecretsUnavailable("the keyring is locked", hint="unlock it, then repeat", code="keyring_locked")
    return SecretsUnavailable(f"the keyring failed ({kind})", hint="see: ordo doctor", code="keyring_failed")
