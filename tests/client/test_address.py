"""Addresses: https anywhere, http on this machine, a socket; nothing that would send a token in the open."""

from __future__ import annotations

import pytest

from ordo_cli.client.address import Address
from ordo_cli.client.tokens import bearer
from ordo_cli.domain.errors import Invalid


@pytest.mark.parametrize(
    ("url", "base", "target"),
    [
        ("https://desk.example", "https://desk.example/api/v1", "/api/v1/kill"),
        ("https://desk.example:8443/ordo/", "https://desk.example:8443/ordo/api/v1", "/ordo/api/v1/kill"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v1", "/api/v1/kill"),
        ("http://127.8.9.1", "http://127.8.9.1/api/v1", "/api/v1/kill"),
        ("http://localhost:80", "http://localhost/api/v1", "/api/v1/kill"),
        ("http://[::1]:8080", "http://[::1]:8080/api/v1", "/api/v1/kill"),
        ("unix:/run/ordo/ordo.sock", "http://localhost/api/v1", "/api/v1/kill"),
        ("unix:///run/ordo/ordo.sock", "http://localhost/api/v1", "/api/v1/kill"),
    ],
)
def test_an_address_says_where_the_routes_are(url: str, base: str, target: str) -> None:
    address = Address(url)
    assert (address.base, address.target("/kill")) == (base, target)
    assert address.secure is url.startswith("https")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "desk.example",
        "ftp://desk.example",
        "http://desk.example",
        "http://10.0.0.1:8080",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.256",
        "http://localhost.evil.example",
        "http://0.0.0.0:8080",
        "https://",
        "https://:443",
        "https://desk.example:",
        "https://desk.example:0",
        "https://desk.example:99999",
        "https://desk.example:http",
        "https://[::1",
        "https://[::1]8080",
        "https://name:password@desk.example",
        "https://desk.example/?token=1",
        "https://desk.example/#x",
        "https://desk example",
        "https://d\u00e9sk.example",
        "https://desk.example/\r\nHost: evil",
        "unix://relative.sock",
        "unix:///",
    ],
)
def test_anything_else_is_no_address(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        Address(url)
    assert "password@" not in caught.value.message


@pytest.mark.parametrize("token", ["", " ", "two words", "line\nbreak", "t\u00f6ken", "x" * 600, "a\x00b"])
def test_what_cannot_be_a_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(Invalid) as caught:
        bearer(token)
    assert not token.strip() or token not in caught.value.message


def test_the_line_end_of_the_file_is_not_part_of_a_token() -> None:
    assert bearer("ordo_ab_cd\n")["Authorization"] == "Bearer ordo_ab_cd"
    assert "Authorization" not in bearer(None)
