"""Where an account's bytes go and by which way out: host, TLS, local address, proxy."""

from __future__ import annotations

import asyncio
import base64
import functools
import os
import re
import ssl

from ordo_cli.brokers.later import httpx
from ordo_cli.brokers.wire.address import Address
from ordo_cli.brokers.wire.exchange import Exchange, Limits
from ordo_cli.brokers.wire.line import Line, Waits
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.urls import is_loopback
from ordo_cli.domain.values import dataclass

_PROXY_LIMITS = Limits(head=16 * 1024, body=16 * 1024)


@dataclass(frozen=True, slots=True)
class Route:
    """One host, and the way to it. Nothing is taken from the environment; no other host is ever spoken to."""

    base_url: Address
    local_address: str | None = None
    proxy: Address | None = None
    tls: ssl.SSLContext | None = None  # None: what this system trusts

    def __post_init__(self) -> None:
        if self.base_url.scheme not in ("http", "https"):
            raise Invalid(f"{self.base_url} is not the address of a server")
        if self.base_url.scheme == "http" and not is_loopback(self.base_url.host):
            raise Invalid(f"{self.base_url} would send orders in the clear", hint="use an https address")
        if self.proxy is not None and self.proxy.scheme != "http":
            raise Invalid("a proxy is given as http://host:port")

    @property
    def host(self) -> str:
        return self.base_url.host

    @property
    def port(self) -> int:
        return self.base_url.port

    def leads_to(self, url: httpx.URL) -> bool:
        """Whether that address is at this host, port and scheme."""
        mine, theirs = self.base_url, Address.of(f"{url.scheme}://{url.netloc.decode('ascii')}")
        return (theirs.scheme, theirs.host, theirs.port) == (mine.scheme, mine.host, mine.port)

    async def open(self) -> Line:
        """A new connection, TLS and all. Raises httpx.ConnectError or ProxyError: no byte of ours has left."""
        context = (self.tls or system_trust()) if self.base_url.scheme == "https" else None
        try:
            host, port = (self.host, self.port) if self.proxy is None else (self.proxy.host, self.proxy.port)
            line = await self._dial(host, port)
            try:
                if self.proxy is not None:
                    await _ask_for_tunnel(line, f"{self.host}:{self.port}".encode(), self.proxy)
                if context is not None:
                    await line.secure(context, self.host)
            except BaseException:
                line.abort()
                raise
        except (OSError, UnicodeError) as error:  # an ssl.SSLError is an OSError, a bad host name a UnicodeError
            raise httpx.ConnectError(f"no connection to {self.host}: {error}") from error
        return line

    async def _dial(self, host: str, port: int) -> Line:
        address = (self.local_address, 0) if self.local_address else None
        return (await asyncio.get_running_loop().create_connection(Line, host, port, local_addr=address))[1]


async def _ask_for_tunnel(line: Line, target: bytes, proxy: Address) -> None:
    headers = [(b"Host", target)]
    if proxy.username:
        login = base64.b64encode(f"{proxy.username}:{proxy.password}".encode())
        headers.append((b"Proxy-Authorization", b"Basic " + login))
    exchange = Exchange(b"CONNECT", target, headers, b"", _PROXY_LIMITS)
    answered = line.listen(exchange, Waits())
    line.write(exchange.question)
    try:
        await answered
    except httpx.TransportError as error:
        raise httpx.ProxyError(f"the proxy gave no answer: {error}") from error
    finally:
        line.rest()
    if not 200 <= exchange.status < 300:
        raise httpx.ProxyError(f"the proxy refused the connection: {exchange.status}")
    if exchange.left_over:
        raise httpx.ProxyError("the proxy said more than its answer")


@functools.cache
def system_trust() -> ssl.SSLContext:
    """The one TLS context of the process, trusting what this system trusts."""
    context = _hashed_folder() or _truststore()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _hashed_folder() -> ssl.SSLContext | None:
    # truststore, on OpenSSL systems, loads all of the system's certificates again for every connection: 23 ms each,
    # over 2 s for a fan-out to 100 accounts. A folder of hashed names is looked up by need: nothing to load.
    # The compiled-in path, not get_default_verify_paths().capath, which the environment may divert.
    folder = ssl.get_default_verify_paths().openssl_capath
    for path in (folder, "/etc/ssl/certs"):
        if os.path.isdir(path) and any(re.fullmatch(r"[0-9a-f]{8}\.[0-9]", name) for name in os.listdir(path)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(capath=path)
            return context
    return None


def _truststore() -> ssl.SSLContext:
    import truststore  # only where it is needed: macOS, Windows, systems without a hashed folder

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
