"""Where a server is, read from a URL strictly: what could be read in two ways is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlencode

from ordo_cli.brokers.later import httpx
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.urls import shown
from ordo_cli.domain.values import dataclass, field

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<login>[^@/?#\\\s]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#\\\s]*)?"
)
_USUAL = {"http": 80, "https": 443}
_KEPT = "/!$&'()*+,;=:@%~"
"""What may stand in a path as it is; % too, for a path comes with its parts quoted where that is needed."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address. `host` is in lower case and without the brackets of IPv6."""

    scheme: str
    host: str
    port: int
    path: str = ""  # in front of every path that is asked for; no slash at its end
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> Address:
        """Raises Invalid for what is no such address: a name that is not ASCII, a query, a port that there is not."""
        found = _URL.fullmatch(url)
        port = int(found["port"] or _USUAL.get(found["scheme"].lower(), 0)) if found is not None else 0
        if found is None or not 0 < port < 65536:
            raise Invalid(f"{shown(url)} is not the address of a server")
        username, _, password = (found["login"] or "").partition(":")
        return cls(
            scheme=found["scheme"].lower(),
            host=found["host"].strip("[]").lower(),
            port=port,
            path=(found["path"] or "").rstrip("/"),
            username=unquote(username),
            password=unquote(password),
        )

    @property
    def authority(self) -> str:
        """Host and port as a request names them: no port where it is the usual one of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if _USUAL.get(self.scheme) == self.port else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    def target(self, path: str, params: Mapping[str, str] | None = None) -> str:
        """What a request line names: this path at the server, and what is asked of it.

        Raises httpx.LocalProtocolError for what is no path.
        """
        if not path.startswith("/") or not path.isprintable():
            raise httpx.LocalProtocolError(f"{path!r} is not a path of {self.host}")
        place, mark, query = path.partition("?")
        if any(step.lower().replace("%2e", ".") in (".", "..") for step in place.split("/")):
            raise httpx.LocalProtocolError(f"{path!r} may mean another path at {self.host}")
        asked = [query] if mark else []
        asked += [urlencode(params)] if params else []
        return quote(self.path + place, safe=_KEPT) + ("?" + "&".join(asked) if asked else "")
