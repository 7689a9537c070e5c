"""The keyring: only backends known to encrypt, never chosen by somebody else's setting, never waited for too long."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ordo_cli.secrets.oskeyring import ALLOWED

ASK = """
import sys
from ordo_cli.domain.errors import OrdoError
from ordo_cli.secrets.oskeyring import OsKeyring
keyring = OsKeyring("ordo-test")
for _ in range(2):
    try:
        print("found", keyring.read("alice", "api_secret"))
    except OrdoError as error:
        print(error.reason, "|", error.message, "|", error.hint)
"""
EVIL = """
from keyring.backend import KeyringBackend
class Keyring(KeyringBackend):
    priority = 99
    def get_password(self, service, username): return open({mark!r}, "w").write("used")
    def set_password(self, service, username, password): open({mark!r}, "w").write(password)
"""


def ask(tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """What a real process hears from a keyring; no session bus unless one is given."""
    clean = {name: value for name, value in os.environ.items() if "DBUS" not in name and not name.startswith("XDG_")}
    whole = {**clean, "HOME": str(tmp_path), "PYTHONPATH": os.getcwd(), **environ}
    return subprocess.run(
        [sys.executable, "-c", ASK], env=whole, capture_output=True, text=True, timeout=30, check=True
    )


def test_a_machine_without_a_keyring_says_so_and_names_the_vault(tmp_path: Path) -> None:
    lines = ask(tmp_path, DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path}/none").stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("no_keyring | this machine has no keyring")
        assert "ordo init --secrets vault" in line


@pytest.mark.parametrize(
    "backend",
    [
        "keyring.backends.null.Keyring",
        "keyring.backends.fail.Keyring",
        "keyring.backends.chainer.ChainerBackend",
        "keyrings.alt.file.PlaintextKeyring",
        "evil.Keyring",
    ],
)
def test_a_backend_forced_by_the_environment_is_refused_unless_known(tmp_path: Path, backend: str) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "evil.py").write_text(EVIL.format(mark=str(mark)))
    run = ask(tmp_path, PYTHON_KEYRING_BACKEND=backend, PYTHONPATH=f"{os.getcwd()}:{tmp_path}")
    assert run.stdout.startswith(f"keyring_refused | PYTHON_KEYRING_BACKEND asks for the keyring {backend!r}")
    assert not mark.exists()


def test_a_backend_forced_by_the_file_is_refused_and_its_path_never_imported(tmp_path: Path) -> None:
    mark, folder = tmp_path / "mark", tmp_path / ".config" / "python_keyring"
    folder.mkdir(parents=True)
    (tmp_path / "evil.py").write_text(EVIL.format(mark=str(mark)) + f"\nopen({str(mark)!r}, 'w')\n")
    (folder / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring=evil.Keyring\nkeyring-path={tmp_path}\n")
    assert "keyringrc.cfg asks for the keyring 'evil.Keyring'" in ask(tmp_path).stdout
    assert not mark.exists()


def test_a_file_that_cannot_be_read_is_an_error_and_not_a_shrug(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "python_keyring"
    folder.mkdir(parents=True)
    (folder / "keyringrc.cfg").write_text("default-keyring=without a section\n")
    assert "keyringrc.cfg cannot be read" in ask(tmp_path).stdout


def test_a_known_backend_may_be_forced_but_must_work(tmp_path: Path) -> None:
    name = "keyring.backends.SecretService.Keyring"
    run = ask(tmp_path, PYTHON_KEYRING_BACKEND=name, DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path}/none")
    assert f"the keyring {name} does not work here" in run.stdout


def test_plug_ins_are_not_asked(tmp_path: Path) -> None:
    mark, info = tmp_path / "mark", tmp_path / "evil-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[keyring.backends]\nevil = evil\n")
    (tmp_path / "evil.py").write_text(EVIL.format(mark=str(mark)))
    run = ask(tmp_path, PYTHONPATH=f"{os.getcwd()}:{tmp_path}", DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path}/none")
    assert run.stdout.startswith("no_keyring")
    assert not mark.exists()


def test_the_allow_list_holds_no_backend_that_keeps_plain_text() -> None:
    for name in ALLOWED:
        assert not {"null", "fail", "chainer", "file", "Plaintext"} & set(name.replace(".", " ").split())


def test_a_bus_that_accepts_and_never_speaks_is_not_taken_for_no_keyring(tmp_path: Path) -> None:
    path = str(tmp_path / "bus")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        lines = ask(tmp_path, DBUS_SESSION_BUS_ADDRESS=f"unix:path={path}").stdout.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("keyring_silent | the keyring did not answer within 3 seconds") for line in lines)
