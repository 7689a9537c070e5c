"""A container's first start: secrets are made once, and each is readable only where it is needed."""

from __future__ import annotations

import ssl
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ordo_cli.deploy import start
from ordo_cli.deploy.certificate import LIFE, SPARE, lasts, self_signed
from tests.fakes import MONDAY_NOON


def modes(folder: Path) -> dict[str, str]:
    """Every file below, and who may read it."""
    return {
        path.relative_to(folder).as_posix(): oct(stat.S_IMODE(path.stat().st_mode))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_first_start_makes_every_secret_and_says_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start.secrets(tmp_path)
    assert modes(tmp_path) == {
        "handover/grafana/password": "0o444",
        "handover/postgres/password": "0o444",
        "handover/prometheus/certificate.pem": "0o444",
        "pgpass": "0o600",
        "tls/certificate.pem": "0o444",
        "tls/key.pem": "0o600",
    }
    password = (tmp_path / "handover/postgres/password").read_text()
    assert (tmp_path / "pgpass").read_text() == f"*:*:*:ordo:{password}\n"
    assert len({password, (tmp_path / "handover/grafana/password").read_text()}) == 2
    assert capfd.readouterr() == ("", "")


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    start.secrets(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in modes(tmp_path)}
    start.secrets(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in modes(tmp_path)} == before


@pytest.mark.parametrize(
    "lost", ["tls/key.pem", "tls/certificate.pem", "pgpass", "handover/prometheus/certificate.pem"]
)
def test_what_was_lost_halfway_is_made_at_the_next_start(lost: str, tmp_path: Path) -> None:
    start.secrets(tmp_path)
    (tmp_path / lost).unlink()
    start.secrets(tmp_path)
    assert lost in modes(tmp_path)
    here, there = tmp_path / "tls/certificate.pem", tmp_path / "handover/prometheus/certificate.pem"
    assert here.read_bytes() == there.read_bytes()
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(here, tmp_path / "tls/key.pem")


def test_the_certificate_is_for_its_names_and_can_vouch_for_nobody() -> None:
    made, key = self_signed(start.NAMES, MONDAY_NOON)
    found = x509.load_pem_x509_certificate(made).extensions
    names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    said = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    assert sorted(said) == sorted(start.NAMES)
    assert not found.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not found.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert b"PRIVATE KEY" in key
    assert b"PRIVATE" not in made


def test_a_certificate_is_made_anew_a_month_before_it_ends() -> None:
    made, _ = self_signed(["localhost"], MONDAY_NOON)
    assert lasts(made, MONDAY_NOON + LIFE - SPARE - timedelta(hours=1))
    assert not lasts(made, MONDAY_NOON + LIFE - SPARE)


def test_anything_else_is_told_what_there_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ordo_cli.deploy.start", "nonsense"],
        env={"ORDO_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "start serve" in done.stderr
    assert list(tmp_path.iterdir()) == []
