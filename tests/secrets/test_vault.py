"""The vault: what is in it cannot be read, moved or changed without its key, and nothing of it is ever half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ordo_cli.config import Config
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import Invalid, NotFound, SecretsUnavailable
from ordo_cli.home import Home, home_at, make
from ordo_cli.machine import SystemChance, SystemDisk
from ordo_cli.secrets import Secrets
from ordo_cli.secrets.vault import Vault, derive, key_source, random_bytes, read_key, vault_file

DISK, CHANCE = SystemDisk(), SystemChance()
SECRET = "sentinel-3f9ac1"
ALICE = AccountId("alice")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = home_at(str(tmp_path / "home"))
    make(found)
    return found


@pytest.fixture
def key(home: Home) -> str:
    path = os.path.join(home.config, "vault.key")
    DISK.write(path, bytes(range(32)))
    return path


@pytest.fixture
def vault(home: Home, key: str) -> Vault:
    made = Vault(vault_file(home), key_source(key, ""), DISK, CHANCE)
    made.create("ordo-test")
    return made


def again(home: Home, key_file: str = "", passphrase_file: str = "") -> Vault:
    return Vault(vault_file(home), key_source(key_file, passphrase_file), DISK, CHANCE)


def edited(home: Home, change: Callable[[dict[str, str]], object]) -> None:
    whole = json.loads(Path(vault_file(home)).read_text())
    change(whole["entries"])
    DISK.write(vault_file(home), json.dumps(whole).encode())


def test_a_secret_comes_back_in_another_process_and_is_not_in_the_file(home: Home, vault: Vault, key: str) -> None:
    vault.write("alice", "api_secret", SECRET)
    assert again(home, key).read("alice", "api_secret") == SECRET
    text = Path(vault_file(home)).read_bytes()
    assert SECRET.encode() not in text
    assert SECRET.encode().hex().encode() not in text


def test_a_vault_and_its_lock_are_for_their_owner_alone(home: Home, vault: Vault) -> None:
    for path in (vault_file(home), vault_file(home) + ".lock"):
        assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_wrong_key_is_told_in_one_clear_sentence(home: Home, vault: Vault, key: str) -> None:
    vault.write("alice", "api_secret", SECRET)
    DISK.write(key, bytes(32))
    with pytest.raises(SecretsUnavailable, match="this passphrase or key file does not open the vault") as caught:
        again(home, key).read("alice", "api_secret")
    assert caught.value.reason == "vault_wrong_key"
    with pytest.raises(SecretsUnavailable, match="does not open"):
        again(home, key).write("alice", "api_secret", "other")


def test_a_wrong_passphrase_is_told_and_the_right_one_opens(home: Home, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    DISK.write(str(right), b"correct horse battery\n")
    DISK.write(str(wrong), b"incorrect horse\n")
    made = again(home, passphrase_file=str(right))
    made.create("ordo-test")
    made.write("alice", "api_secret", SECRET)
    assert again(home, passphrase_file=str(right)).read("alice", "api_secret") == SECRET
    with pytest.raises(SecretsUnavailable, match="does not open the vault"):
        again(home, passphrase_file=str(wrong)).read("alice", "api_secret")


def test_two_vaults_of_one_passphrase_have_keys_of_their_own() -> None:
    one, two = random_bytes(CHANCE, 16), random_bytes(CHANCE, 16)
    assert len(one) == len(two) == 16
    assert one != two
    assert derive(b"passphrase", one) != derive(b"passphrase", two)


def test_the_key_derived_from_a_passphrase_never_changes() -> None:
    # Argon2id with 3 passes, 64 MiB, 4 lanes: another figure here would lock every user out.
    found = derive(b"correct horse battery", bytes(16))
    assert found.hex() == "db728710cfed080df1e237cd496f2eaa4b69cccf0ece50ce188606fa876dace3"


@pytest.mark.parametrize("at", [0, 11, 12, -1])
def test_a_changed_byte_is_noticed(home: Home, vault: Vault, at: int) -> None:
    vault.write("alice", "api_secret", SECRET)

    def flip(entries: dict[str, str]) -> None:
        sealed = bytearray.fromhex(entries["alice/api_secret"])
        sealed[at] ^= 1
        entries["alice/api_secret"] = sealed.hex()

    edited(home, flip)
    with pytest.raises(SecretsUnavailable, match="changed by something else than ordo"):
        vault.read("alice", "api_secret")


@pytest.mark.parametrize("moved_to", ["bob/api_secret", "alice/api_key"])
def test_a_secret_moved_to_another_place_does_not_open(home: Home, vault: Vault, moved_to: str) -> None:
    vault.write("alice", "api_secret", SECRET)
    edited(home, lambda entries: entries.update({moved_to: entries["alice/api_secret"]}))
    account, field = moved_to.split("/")
    with pytest.raises(SecretsUnavailable, match="changed by something else"):
        vault.read(account, field)


def test_a_secret_of_another_vault_with_the_same_key_does_not_open(home: Home, vault: Vault, key: str) -> None:
    other = home_at(os.path.join(home.config, "other"))
    make(other)
    theirs = again(other, key)
    theirs.create("ordo-other")
    theirs.write("alice", "api_secret", SECRET)
    stolen = json.loads(Path(vault_file(other)).read_text())["entries"]["alice/api_secret"]
    edited(home, lambda entries: entries.update({"alice/api_secret": stolen}))
    with pytest.raises(SecretsUnavailable, match="changed by something else"):
        vault.read("alice", "api_secret")


@pytest.mark.parametrize("sealed", ["", "zz", "00", "00" * 12])
def test_nonsense_in_an_entry_is_noticed(home: Home, vault: Vault, sealed: str) -> None:
    edited(home, lambda entries: entries.update({"alice/api_secret": sealed}))
    with pytest.raises(SecretsUnavailable):
        vault.read("alice", "api_secret")


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"null", b'{"ordo_vault": 2}', b"\xff", b'{"ordo_vault":1,"name":5}']
)
def test_a_file_that_is_no_vault_is_refused(home: Home, vault: Vault, text: bytes) -> None:
    DISK.write(vault_file(home), text)
    with pytest.raises(SecretsUnavailable):
        vault.read("alice", "api_secret")


def test_a_vault_that_others_may_read_is_refused(home: Home, vault: Vault) -> None:
    os.chmod(vault_file(home), 0o644)
    with pytest.raises(SecretsUnavailable, match="others may open the vault"):
        vault.read("alice", "api_secret")


def test_a_key_or_passphrase_that_others_may_read_is_refused(home: Home, vault: Vault, key: str) -> None:
    os.chmod(key, 0o640)
    with pytest.raises(SecretsUnavailable, match="others may open the key file"):
        again(home, key).read("alice", "api_secret")
    with pytest.raises(SecretsUnavailable, match="others may open the passphrase file"):
        again(home, passphrase_file=key).read("alice", "api_secret")


def test_a_missing_key_file_is_named(home: Home, vault: Vault, key: str) -> None:
    os.unlink(key)
    with pytest.raises(SecretsUnavailable, match=r"the key file .* is missing"):
        again(home, key).read("alice", "api_secret")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_file_holds_exactly_32_bytes(tmp_path: Path, length: int) -> None:
    DISK.write(str(tmp_path / "key"), bytes(length))
    with pytest.raises(SecretsUnavailable, match="exactly 32 bytes"):
        read_key(str(tmp_path / "key"))


def test_a_short_passphrase_is_refused(home: Home, tmp_path: Path) -> None:
    DISK.write(str(tmp_path / "phrase"), b"1234567\n")
    with pytest.raises(SecretsUnavailable, match="shorter than 8"):
        again(home, passphrase_file=str(tmp_path / "phrase")).create("ordo-test")


def test_a_passphrase_may_come_through_a_descriptor(home: Home) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"correct horse battery\n")
    os.close(writing)
    vault = again(home, passphrase_file=f"/dev/fd/{reading}")
    vault.create("ordo-test")  # read once: a pipe gives nothing a second time
    vault.write("alice", "api_secret", SECRET)
    assert vault.read("alice", "api_secret") == SECRET
    os.close(reading)


def test_a_vault_that_cannot_be_written_says_so_and_stays(home: Home, vault: Vault, key: str) -> None:
    class FullDisk(SystemDisk):
        def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
            raise OSError(28, "No space left on device")

    vault.write("alice", "api_secret", SECRET)
    full = Vault(vault_file(home), key_source(key, ""), FullDisk(), CHANCE)
    with pytest.raises(SecretsUnavailable, match="No space left"):
        full.write("alice", "api_secret", "other")
    assert vault.read("alice", "api_secret") == SECRET


def test_creating_again_keeps_what_is_there(home: Home, vault: Vault, key: str) -> None:
    vault.write("alice", "api_secret", SECRET)
    again(home, key).create("ordo-other")
    assert again(home, key).read("alice", "api_secret") == SECRET


def test_writers_at_once_lose_nothing(home: Home, vault: Vault, key: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: again(home, key).write("alice", f"f{n}", f"v{n}"), range(24)))
    assert [vault.read("alice", f"f{n}") for n in range(24)] == [f"v{n}" for n in range(24)]


def secrets_at(home: Home, key: str) -> Secrets:
    config = Config("", secrets_name="ordo-test", secrets_backend="vault", key_file=key)
    return Secrets(home, config, DISK, CHANCE)


def test_secrets_are_put_found_and_removed(home: Home, vault: Vault, key: str) -> None:
    secrets = secrets_at(home, key)
    secrets.put(ALICE, "api_secret", SECRET)
    assert secrets.get(ALICE, "api_secret") == SECRET
    assert secrets.fields(ALICE, ("api_key", "api_secret")) == ("api_secret",)
    secrets.remove(ALICE, ("api_key", "api_secret"))
    with pytest.raises(NotFound, match="alice has no api_secret"):
        secrets.get(ALICE, "api_secret")


def test_the_probe_leaves_nothing_behind(home: Home, vault: Vault, key: str) -> None:
    before = json.loads(Path(vault_file(home)).read_text())["entries"].keys()
    assert "vault" in secrets_at(home, key).prove()
    assert json.loads(Path(vault_file(home)).read_text())["entries"].keys() == before


def test_without_a_choice_there_is_no_place_for_secrets(home: Home) -> None:
    with pytest.raises(SecretsUnavailable, match="no place for secrets was chosen"):
        Secrets(home, Config(""), DISK, CHANCE).get(ALICE, "api_secret")


@pytest.mark.parametrize("value", ["", "a\nb", "a\x00b", "\x1b[31m", "x" * 1001])
def test_what_cannot_be_a_credential_is_refused_without_repeating_it(
    home: Home, vault: Vault, key: str, value: str
) -> None:
    with pytest.raises(Invalid) as caught:
        secrets_at(home, key).put(ALICE, "api_secret", value)
    assert not value or value not in str(caught.value)


def test_a_place_that_gives_back_something_else_is_an_error(home: Home) -> None:
    class Forgetful:
        title = "a forgetful place"

        def open(self) -> bool:
            return True

        def read(self, account: str, field: str) -> str | None:
            return "something else"

        def write(self, account: str, field: str, value: str) -> None: ...

        def erase(self, account: str, field: str) -> None: ...

    secrets = Secrets(home, Config(""), DISK, CHANCE)
    secrets._place = Forgetful()
    with pytest.raises(SecretsUnavailable, match="gave back something else"):
        secrets.put(ALICE, "api_secret", SECRET)
    with pytest.raises(SecretsUnavailable, match="does not keep"):
        secrets.prove()


def test_no_repr_shows_a_secret(home: Home, vault: Vault, key: str) -> None:
    secrets = secrets_at(home, key)
    secrets.put(ALICE, "api_secret", SECRET)
    assert SECRET not in repr(secrets) + repr(secrets.place) + repr(vars(secrets.place))


def test_a_process_with_secrets_leaves_no_core_file(home: Home, vault: Vault, key: str) -> None:
    program = (
        "import resource, sys\n"
        "from ordo_cli.config import Config\n"
        "from ordo_cli.home import home_at\n"
        "from ordo_cli.machine import SystemChance, SystemDisk\n"
        "from ordo_cli.secrets import Secrets\n"
        "c = Config('', secrets_backend='vault', secrets_name='n', key_file=sys.argv[2])\n"
        "Secrets(home_at(sys.argv[1]), c, SystemDisk(), SystemChance()).fields('alice', ('x',))\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    run = subprocess.run([sys.executable, "-c", program, home.data, key], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "0"
