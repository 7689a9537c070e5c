"""What `docker compose up` needs and nobody should have to type: secrets, paper accounts, tokens. Safe to run again.

    python -m ordo_cli.deploy.start secrets          makes what is missing: passwords, a certificate
    python -m ordo_cli.deploy.start serve [OPTION…]  makes what is missing of ordo's own, then becomes `ordo serve`

Each other container is handed a folder of its own, `handover/NAME` in ordo's, and finds there only what it needs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ordo_cli.deploy.certificate import lasts, self_signed
from ordo_cli.machine import SystemChance, SystemClock, SystemDisk

NAMES = ("localhost", "127.0.0.1", "::1", "ordo")  # as this machine and the other containers call it
ANYBODY, OWNER = 0o444, 0o600  # whoever is handed a folder reads it as a user of its own
ACCOUNTS = ("alice", "bob")
TRADER = ("read", "trade", "cancel", "kill:engage")
ORDO = (sys.executable, "-m", "ordo_cli", "--no-input")


def secrets(home: Path) -> None:
    """Passwords and a certificate that were made here and are known nowhere else."""
    handed = home / "handover"
    password = _kept(handed / "postgres" / "password")
    _write(home / "pgpass", f"*:*:*:ordo:{password}\n".encode(), OWNER)
    _kept(handed / "grafana" / "password")
    certificate, key = home / "tls" / "certificate.pem", home / "tls" / "key.pem"
    now = SystemClock().now()
    if not key.exists() or not certificate.exists() or not lasts(certificate.read_bytes(), now):
        made, secret = self_signed(NAMES, now)
        _write(key, secret, OWNER)
        _write(certificate, made, ANYBODY)
    _write(handed / "prometheus" / "certificate.pem", certificate.read_bytes(), ANYBODY)


def prepare(home: Path) -> None:
    """A home with its vault, two paper accounts and two tokens, unless they were made before."""
    _ordo("init", "--secrets", "vault")
    if not _data("account", "list"):
        for name in ACCOUNTS:
            _ordo("account", "add", name, "--broker", "paper", "--group", "family")
    _token("first", home / "token", TRADER, OWNER)
    _token("prometheus", home / "handover" / "prometheus" / "token", ("read",), ANYBODY)


def serve(home: Path, options: list[str]) -> None:
    """Become the server, in this process: it is the container's first, which is told when to stop."""
    prepare(home)
    sys.stderr.write(f"a token for you is in {home}/token; trust the certificate {home}/tls/certificate.pem\n")
    tls = ("--tls-cert", str(home / "tls" / "certificate.pem"), "--tls-key", str(home / "tls" / "key.pem"))
    everywhere = "0.0.0.0"  # noqa: S104  of the container; compose.yaml publishes it to this machine alone
    words = (*ORDO, "serve", "--host", everywhere, "--expose", *tls, "--allow-host", "ordo", *options)
    os.execv(sys.executable, words)  # noqa: S606  no shell is wanted


def _kept(path: Path) -> str:
    """The secret in this file, made first if there is none."""
    if not path.exists():
        _write(path, SystemChance().token(40).encode(), ANYBODY)
    return path.read_text()


def _token(name: str, path: Path, scopes: tuple[str, ...], mode: int) -> None:
    """A token of this name in this file. One that was lost with its file is replaced."""
    if path.exists():
        return
    if any(each["name"] == name and each["state"] != "revoked" for each in _data("token", "list")):
        _ordo("token", "revoke", name)
    asked = [word for scope in scopes for word in ("--scope", scope)]
    _write(path, _ordo("token", "create", name, *asked, "--expires", "never").strip().encode(), mode)


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    SystemDisk().write(str(path), data, mode)


def _data(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_ordo(*words, "--json"))["data"]
    return found


def _ordo(*words: str) -> str:
    """What one command of ordo answers; ends this program with its words and code when it fails."""
    done = subprocess.run([*ORDO, *words], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  our own
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise SystemExit(done.returncode)
    return done.stdout


def main(words: list[str]) -> None:
    home = Path(os.environ["ORDO_HOME"])
    match words:
        case ["secrets"]:
            secrets(home)
        case ["serve", *options]:
            serve(home, options)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
