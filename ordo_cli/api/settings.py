"""How one server listens and whom it lets in, as `ordo serve` was told."""

from __future__ import annotations

from ordo_cli.domain.values import dataclass

PREFIX = "/api/v1"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, with what certificate, and which hosts, origins and proxies are believed."""

    host: str = "127.0.0.1"
    port: int = 8020
    socket: str | None = None
    expose: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    client_ca: str | None = None
    workers: int = 1
    allow_hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    rate: int = 500  # requests a second of one token; 0 is no limit
    patience: float = 10.0  # seconds in which the head of a request has to arrive, and then its body

    @property
    def loopback(self) -> bool:
        """Only this machine can reach it."""
        return self.socket is not None or self.host in LOOPBACK

    @property
    def rate_of_address(self) -> int:
        """Requests a second of one address: more than of a token, since several may be used behind it."""
        return 2 * self.rate

    @property
    def tls(self) -> bool:
        return self.tls_cert is not None

    @property
    def url(self) -> str:
        """Where a program on this machine finds it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """Every name that a request may call this server by, with its port and without."""
        names = {*LOOPBACK, "[::1]", self.host, *self.allow_hosts} - {"0.0.0.0", "::", ""}  # noqa: S104  taken out
        return frozenset({*names, *(f"{name}:{self.port}" for name in names)})
