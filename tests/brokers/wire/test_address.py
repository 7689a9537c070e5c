"""A server's address is read as httpx reads it, where it can be read in one way alone."""

from __future__ import annotations

import string
import subprocess
import sys

import httpx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ordo_cli.brokers.wire import Address
from ordo_cli.domain.errors import Invalid

READ = [
    "https://api.broker.example",
    "https://API.Broker.example/",
    "https://api.broker.example:443/base/path/",
    "http://127.0.0.1:8021",
    "http://[::1]:8021/x",
    "http://localhost",
    "http://trader:p%40ss%3Aword@proxy.example:3128",
    "https://user@api.broker.example",
]
NOT_READ = [
    "",
    "https://",
    "api.broker.example",
    "https:/api.broker.example",
    "https://api.broker.example:0",
    "https://api.broker.example:65536",
    "https://api.broker.example:https",
    "https://api.broker.example/x?y=1",
    "https://api.broker.example/x#y",
    "https://api.broker.example\\@elsewhere.example",
    "https://api.broker.example\r\nHost: elsewhere.example",
    "https://api broker.example",
    "https://br\u00f6ker.example",
    "https://a@b@c.example",
    "https://user:pa/ss@api.broker.example",
    "ftp://broker.example",
]


@pytest.mark.parametrize("url", READ)
def test_an_address_is_read_as_httpx_reads_it(url: str) -> None:
    ours, theirs = Address.of(url), httpx.URL(url)
    assert (ours.scheme, ours.host) == (theirs.scheme, theirs.host)
    assert ours.port == (theirs.port or {"http": 80, "https": 443}[theirs.scheme])
    assert ours.authority == theirs.netloc.decode()
    assert (ours.username, ours.password) == (theirs.username, theirs.password)
    assert ours.target("/orders").encode() == httpx.URL(url.rstrip("/") + "/orders").raw_path
    assert Address.of(str(ours)).target("/") == ours.target("/")


@pytest.mark.parametrize("url", NOT_READ)
def test_what_is_no_address_or_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        Address.of(url)


def test_a_password_in_an_address_is_not_shown() -> None:
    address = Address.of("http://trader:hunter22@proxy.example:3128")
    assert "hunter22" not in repr(address) + str(address)
    with pytest.raises(Invalid) as refused:
        Address.of("http://trader:hunter22@proxy.example:99999")
    assert "hunter22" not in str(refused.value)


@given(
    path=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="?#%"), max_size=30),
    params=st.dictionaries(st.text("abcDEF_%+ &=", min_size=1), st.text(max_size=20), max_size=3),
)
def test_what_is_asked_is_written_as_httpx_writes_it(path: str, params: dict[str, str]) -> None:
    assume(not {".", ".."} & set(path.split("/")))
    address = Address.of("https://api.broker.example/base")
    written = address.target("/" + path, params)
    assert set(written) <= set(string.printable) - set(string.whitespace)
    theirs = httpx.Request("GET", "https://api.broker.example/base" + httpx.URL(path="/x").path, params=params).url
    assert written.partition("?")[2] == theirs.query.decode()
    assert httpx.URL("https://api.broker.example" + written).path == "/base/" + path


@pytest.mark.parametrize("path", ["/.", "/..", "/orders/../admin", "/orders/.", "/orders/%2e%2E/x", "/a/.%2e"])
def test_a_step_that_servers_take_for_another_place_is_refused(path: str) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        Address.of("https://api.broker.example").target(path)


def test_a_query_and_its_parameters_are_put_together() -> None:
    address = Address.of("https://api.broker.example")
    assert address.target("/quote?i=NSE%3AINFY") == "/quote?i=NSE%3AINFY"
    assert address.target("/orders?x=1", {"y": "a b"}) == "/orders?x=1&y=a+b"
    assert address.target("/orders/M%26M") == "/orders/M%26M"
    for path in ("orders", "https://elsewhere.example/orders", "", "/orders\nX: y"):
        with pytest.raises(httpx.LocalProtocolError):
            address.target(path)


@pytest.mark.parametrize("broker", ["zerodha", "fyers", "hdfc", "mstock"])
def test_an_order_need_not_wait_until_httpx_has_been_imported(broker: str) -> None:
    """It takes as long as all else that an order to a real broker imports."""
    words = f"import sys, ordo_cli.desk, ordo_cli.services.orders, ordo_cli.brokers.{broker}.broker"
    told = subprocess.run(
        [sys.executable, "-c", f"{words}; print('httpx' in sys.modules)"], check=True, capture_output=True, text=True
    )
    assert told.stdout == "False\n"
