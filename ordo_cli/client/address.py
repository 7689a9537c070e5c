"""Addresses of an `ordo serve`: https anywhere, plain http only on this machine, or a socket of this machine.

Imports nothing, because `ordo --remote URL kill` reads one before all else.
"""

from ordo_cli.domain.errors import Invalid

SCHEMES = {"https": 443, "http": 80}
HOW = "write https://host:port, http://127.0.0.1:port or unix:///path/of/the/socket"
PREFIX = "/api/v1"


class Address:
    """Where a server listens. `host` is empty for a socket of this machine, `socket` for all others."""

    __slots__ = ("host", "path", "port", "secure", "socket", "url")

    def __init__(self, url: str) -> None:
        if url.startswith("unix:/") and not url.startswith("unix://"):  # as `ordo serve` says it
            url = f"unix://{url[5:]}"
        scheme, there, rest = url.partition("://")
        if not there or not url.isascii() or not url.isprintable() or " " in url:
            raise _wrong(url, "is not an address")
        self.url = url.rstrip("/")
        self.secure, self.host, self.port, self.path, self.socket = scheme == "https", "", 0, "", ""
        if scheme == "unix":
            if not rest.startswith("/") or len(rest) < 2:
                raise _wrong(url, "names no socket")
            self.socket, self.host = rest, "localhost"
            return
        if scheme not in SCHEMES:
            raise _wrong(url, "is not an address")
        authority, _, path = rest.partition("/")
        if "@" in authority:  # it would be shown wherever an address is shown
            raise Invalid(
                "an address holds no name and no password", hint="give the token with ORDO_TOKEN or --token-file"
            )
        if "?" in rest or "#" in rest:
            raise _wrong(url, "has more than a path")
        self.host, self.port = _host_and_port(url, authority, SCHEMES[scheme])
        self.path = f"/{path}".rstrip("/")
        if not self.secure and not _loopback(self.host):
            raise Invalid(
                "plain http is for this machine alone: a token and orders would travel in the open",
                hint="use https, or a tunnel that ends on 127.0.0.1",
            )

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 0 if self.socket else SCHEMES["https" if self.secure else "http"]
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def base(self) -> str:
        """The address under which the routes are, as an HTTP library takes it."""
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.path}{PREFIX}"

    def target(self, route: str) -> str:
        """What the request line says for this route."""
        return self.path + PREFIX + route

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


def _host_and_port(url: str, authority: str, usual: int) -> "tuple[str, int]":
    if authority.startswith("["):
        host, closed, port = authority[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise _wrong(url, "is not an address")
        port = port[1:]
    else:
        host, colon, port = authority.partition(":")
        if colon and not port:
            raise _wrong(url, "names no port")
    if not host:
        raise _wrong(url, "names no host")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise _wrong(url, "names no port")
    return host, int(port or usual)


def _loopback(host: str) -> bool:
    if host in ("localhost", "::1"):
        return True
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() and int(part) < 256 for part in parts)


def _wrong(url: str, how: str) -> Invalid:
    scheme, there, rest = url.partition("://")
    shown = f"{scheme}://…@{rest.rpartition('@')[2]}" if there and "@" in rest else url
    return Invalid(f"{shown[:80]!r} {how}", hint=HOW)
