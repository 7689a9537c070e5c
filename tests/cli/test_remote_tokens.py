"""`ordo remote login`: a token is tried at its server, kept in the keyring and nowhere else, and found again there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.brokers.wire.server import serving
from tests.cli.test_remote import SERVE
from tests.cli.test_remote_placing import ACCOUNT, Desk, ordo
from tests.client.stub import refused, said
from tests.secrets.conftest import Run, secret_service

__all__ = ["secret_service"]

REFUSED = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["remote", "login"], 2, "nobody was there to answer"),
        (["remote", "login", "ftp://desk.example"], 2, "is not an address"),
        (["--token-file", "no/such/file", "remote", "login"], 2, "cannot be read"),
        (["remote", "logout"], 1, "is not known to protect secrets"),
        (["remote"], 2, "Commands"),
    ],
)
async def test_what_is_missing_is_said(words: list[str], code: int, sentence: str) -> None:
    done = await ordo(Desk(), *words, more=REFUSED)
    assert done.code == code
    assert sentence in done.err


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        (refused(401, "unauthenticated"), 4, "because of unauthenticated"),
        (refused(403, "not_allowed"), 1, "is not known to protect secrets"),
        (said(200, {}), 1, "is not known to protect secrets"),
    ],
)
async def test_a_token_is_tried_before_it_is_kept(tmp_path: Path, answer: bytes, code: int, sentence: str) -> None:
    (tmp_path / "token").write_text("ordo_ab_sesame\n")
    desk = Desk(fanout=[answer])
    done = await ordo(desk, "--token-file", str(tmp_path / "token"), "remote", "login", more=REFUSED)
    assert done.code == code
    assert sentence in done.err
    assert desk.asked[0].headers["authorization"] == "Bearer ordo_ab_sesame"
    assert not (tmp_path / "home").exists()


@pytest.mark.secret_service
async def test_a_token_that_was_kept_is_found_and_forgotten(tmp_path: Path, secret_service: Run) -> None:
    (tmp_path / "token").write_text("ordo_ab_sesame\n")
    desk = Desk(fanout=[said(200, {})], accounts=[said(200, [ACCOUNT])])
    script = f"""
import subprocess, sys
def ordo(*words):
    done = subprocess.run([sys.executable, "-c", {SERVE!r}, *words], capture_output=True, text=True)
    print(done.returncode, done.stdout + done.stderr)
url = sys.argv[1]
ordo("--token-file", {str(tmp_path / "token")!r}, "remote", "login", url)
ordo("--remote", url, "account", "list")
ordo("remote", "logout", url)
ordo("--remote", url, "account", "list")
"""
    async with serving(desk) as server:
        done = await asyncio.to_thread(secret_service, sys.executable, "-c", script, server.url)
    assert done.returncode == 0, done.stderr
    kept, listed, forgot, missing = (line for line in done.stdout.splitlines() if line[:2] in ("0 ", "4 "))
    assert (kept[:6], listed[0], forgot[:8], missing[0]) == ("0 kept", "0", "0 forgot", "4")
    assert "sesame" not in done.stdout
    assert desk.asked[1].headers["authorization"] == "Bearer ordo_ab_sesame"
