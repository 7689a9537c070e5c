"""URLs: which kind of database one names, one without its password, and whether one leaves this machine."""

from __future__ import annotations

from functools import lru_cache

SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql+asyncpg://", "postgresql://", "postgres://")
HIDDEN = "***"


def is_postgresql(url: str) -> bool:
    return url.startswith(POSTGRESQL)


def without_password(url: str) -> tuple[str, str | None]:
    """The URL without its password, and the password as it was written, still percent-encoded.

    The last @ ends the login, so that a password with an unescaped / or ? cannot leak as a part of the path.
    """
    scheme, colon, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    user, separator, password = login.partition(":")
    place, asked = _without_parameter(place)
    if at:
        place = f"{user}@{place}"
    return scheme + colon + place, (password if separator else None) or asked


def passwords(url: str) -> tuple[str, ...]:
    """Its password as it stands there and as it is meant, for whoever has to keep both out of sight."""
    password = without_password(url)[1]
    if password is None:
        return ()
    from urllib.parse import unquote  # 3 ms, where there is a password

    return password, unquote(password)


def shown(url: str) -> str:
    """The URL as it may be shown: three stars where its password was."""
    if "://" not in url:
        return url
    bare, password = without_password(url)
    if password is None:
        return bare
    scheme, _, rest = bare.partition("://")
    user, at, place = rest.partition("@")
    return f"{scheme}://{user}:{HIDDEN}{at}{place}" if at else f"{bare} (with a password)"


def _without_parameter(place: str) -> tuple[str, str | None]:
    """Without `password=` among the parameters, where it may stand too."""
    path, mark, query = place.partition("?")
    parts = query.split("&")
    kept = [part for part in parts if part.partition("=")[0].lower() != "password"]
    given = [part.partition("=")[2] for part in parts if part.partition("=")[0].lower() == "password"]
    return path + (mark + "&".join(kept) if kept != [""] and kept else ""), (given[0] or None) if given else None


@lru_cache(maxsize=1024)
def is_this_machine(url: str) -> bool:
    """Whether what answers there is on this machine: a loopback address or `localhost`.

    By the name alone, and so the same each time: an order asks it of every account, several times.
    """
    from urllib.parse import urlsplit  # 3 ms, as above

    return is_loopback(urlsplit(url).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether this name or address of a host is this machine's own, and nothing that a name server could say."""
    import ipaddress  # 4 ms, where there is an address

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
