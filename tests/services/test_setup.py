"""Setting up: safe to run again, and secrets go where they were asked to go or nowhere."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ordo_cli import config
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import Invalid, Refused, SecretsUnavailable
from ordo_cli.home import Home
from ordo_cli.services import setup
from ordo_cli.services.setup import Choice
from tests.services.conftest import Opener


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
async def desk(home: Home) -> AsyncIterator[Desk]:
    async with open_desk(home, actor="test") as opened:
        yield opened


async def test_running_again_changes_nothing(desk: Desk, home: Home, reopen: Opener) -> None:
    await setup.initialise(desk, setup.propose(desk, None, None, None))
    before = {path: path.read_bytes() for path in Path(home.config).glob("*") if path.suffix in (".toml", ".key")}
    assert {path.name for path in before} == {"config.toml", "vault.key"}
    async with open_desk(home) as again:
        steps = await setup.initialise(again, setup.propose(again, None, None, None))
    assert not any(step.made for step in steps)
    assert {path: path.read_bytes() for path in before} == before


async def test_without_a_keyring_a_vault_with_a_key_file_is_proposed_and_says_why(desk: Desk, home: Home) -> None:
    choice = setup.propose(desk, None, None, None)
    assert choice == Choice("vault", os.path.join(home.config, "vault.key"), "", "this machine has no keyring")
    await setup.initialise(desk, choice)
    for path in (choice.key_file, os.path.join(home.data, "vault.json"), home.config_file):
        assert os.stat(path).st_mode & 0o777 == 0o600
    loaded = config.load(home, {})
    assert (loaded.secrets_backend, loaded.key_file) == ("vault", choice.key_file)


async def test_a_keyring_that_was_asked_for_and_is_not_there_is_an_error(desk: Desk, home: Home) -> None:
    with pytest.raises(SecretsUnavailable, match="no keyring"):
        setup.propose(desk, "keyring", None, None)
    assert not os.path.exists(os.path.join(home.data, "vault.json"))


async def test_a_refused_keyring_is_no_reason_to_write_elsewhere(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with pytest.raises(SecretsUnavailable, match="not known to protect secrets"):
        setup.propose(desk, None, None, None)


async def test_a_passphrase_file_makes_a_vault_that_it_opens(desk: Desk, home: Home, tmp_path: Path) -> None:
    phrase = tmp_path / "phrase"
    desk.disk.write(str(phrase), b"correct horse battery\n")
    await setup.initialise(desk, setup.propose(desk, None, None, str(phrase)))
    async with open_desk(home) as again:
        again.secrets.put(AccountId("alice"), "api_key", "x")
        assert again.secrets.get(AccountId("alice"), "api_key") == "x"
    assert not os.path.exists(os.path.join(home.config, "vault.key"))


async def test_a_choice_that_does_not_work_is_not_written_down(desk: Desk, home: Home, tmp_path: Path) -> None:
    short = tmp_path / "short"
    desk.disk.write(str(short), b"x")
    with pytest.raises(SecretsUnavailable):
        await setup.initialise(desk, setup.propose(desk, "vault", None, str(short)))
    assert config.load(home, {}).secrets_backend == ""


async def test_a_vault_whose_key_file_is_gone_gets_no_new_one(desk: Desk, home: Home) -> None:
    await setup.initialise(desk, setup.propose(desk, "vault", None, None))
    os.unlink(os.path.join(home.config, "vault.key"))
    async with open_desk(home) as again:
        with pytest.raises(SecretsUnavailable, match="its key file"):
            await setup.initialise(again, setup.propose(again, None, None, None))
    assert not os.path.exists(os.path.join(home.config, "vault.key"))


async def test_secrets_do_not_move_by_themselves(desk: Desk, home: Home) -> None:
    await setup.initialise(desk, setup.propose(desk, "vault", None, None))
    async with open_desk(home) as again:
        with pytest.raises(Refused, match="kept in the vault already"):
            await setup.initialise(again, Choice("keyring"))


@pytest.mark.parametrize(
    ("place", "key_file", "passphrase_file"), [("keyring", "k", None), ("keyring", None, "p"), ("vault", "k", "p")]
)
async def test_flags_that_exclude_each_other_are_refused(
    desk: Desk, place: str, key_file: str | None, passphrase_file: str | None
) -> None:
    with pytest.raises(Invalid):
        setup.propose(desk, place, key_file, passphrase_file)
