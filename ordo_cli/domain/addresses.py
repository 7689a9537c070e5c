"""Where a service is, and how to speak of its address without its password."""

from __future__ import annotations

from ordo_cli.domain import urls
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.values import dataclass, field

REDIS_HINT = "write it like redis://127.0.0.1:6379/0, rediss://cache.example.com or unix:///run/redis.sock"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A Redis server. `path` is its socket, empty for one that is reached over the network."""

    host: str
    port: int
    path: str
    tls: bool
    database: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' if self.tls else ''}://{host}:{self.port}/{self.database}"


def redis_address(text: object) -> RedisAddress:
    """Read `redis.url`. Raises Invalid, which repeats nothing of it: there may be a password in it."""
    try:
        if isinstance(text, str) and text.isprintable() and not any(map(str.isspace, text)):
            return _redis_address(text)
    except ValueError:
        pass
    raise Invalid("that is not the address of a Redis server", hint=REDIS_HINT)


def _redis_address(text: str) -> RedisAddress:
    from urllib.parse import parse_qsl, unquote, urlsplit  # 3 ms, where there is a Redis

    url = urlsplit(text)
    asked = dict(parse_qsl(url.query, strict_parsing=True)) if url.query else {}
    socket = url.path if url.scheme == "unix" else ""
    database = asked.pop("db", "0") if socket else url.path.removeprefix("/") or "0"
    known = url.scheme in ("redis", "rediss") and url.hostname
    alone = socket.startswith("/") and not url.hostname
    if asked or url.fragment or not (known or alone) or not (database.isascii() and database.isdigit()):
        raise ValueError
    if int(database) > 65535 or url.port == 0 or (url.username and not url.password):
        raise ValueError
    return RedisAddress(
        host=url.hostname or "",
        port=url.port or 6379,
        path=unquote(socket),
        tls=url.scheme == "rediss",
        database=int(database),
        username=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
    )


def without_password(url: str) -> str:
    """The address as it may be shown. What it hides may be too much, never too little."""
    return urls.shown(url)
