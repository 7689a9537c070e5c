"""Certificates are made once; most proofs run over plain TCP and over TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import pytest

from tests.brokers.wire.certificates import Authority, make_authority


@dataclass(frozen=True)
class Carriage:
    """How the bytes travel: contexts for both ends, or none."""

    server: ssl.SSLContext | None
    client: ssl.SSLContext | None


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["plain", "tls"])
def carriage(request: pytest.FixtureRequest, authority: Authority) -> Carriage:
    return Carriage(authority.good, authority.trusting) if request.param == "tls" else Carriage(None, None)
