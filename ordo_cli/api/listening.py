"""Where a server listens: its sockets and its certificate, or one sentence saying why it cannot."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import stat
from contextlib import suppress

from ordo_cli.api.settings import Settings
from ordo_cli.domain.errors import Busy, Invalid
from ordo_cli.domain.values import replace

BACKLOG = 2048


def require_safe(settings: Settings) -> None:
    """Raises Invalid for an address that others can reach unless that is meant and encrypted."""
    if settings.client_ca and not settings.tls:
        raise Invalid("--client-ca asks clients for certificates: that takes TLS", hint="give --tls-cert and --tls-key")
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise Invalid("a certificate and its key belong together", hint="give both --tls-cert and --tls-key")
    if settings.loopback:
        return
    if not settings.expose:
        raise Invalid(
            f"{settings.host} can be reached from other machines",
            hint="if that is meant: --expose --tls-cert FILE --tls-key FILE",
        )
    if not settings.tls:
        raise Invalid(
            "orders and tokens do not cross a network unencrypted", hint="give --tls-cert FILE --tls-key FILE"
        )


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS 1.2 or newer with the server's certificate; clients show one of their own where an authority is named."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")  # nosec  never ask at a terminal
    except (OSError, ssl.SSLError) as error:
        raise _unusable(f"the certificate {settings.tls_cert} or its key", error) from None
    if settings.client_ca is not None:
        try:
            context.load_verify_locations(settings.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise _unusable(f"the client authority {settings.client_ca}", error) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def listen(settings: Settings) -> tuple[socket.socket, Settings]:
    """The one listening socket, and the settings with the port that it really has. Raises Busy or Invalid."""
    if settings.socket is not None:
        return _unix(settings.socket), settings
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        found = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise _taken(f"{settings.host}:{settings.port}", error) from None
    return found, replace(settings, port=found.getsockname()[1])


def forget(settings: Settings) -> None:
    """Remove the Unix socket's file when its server has ended."""
    if settings.socket is not None:
        with suppress(OSError):
            os.unlink(settings.socket)


def _unix(path: str) -> socket.socket:
    _remove_stale(path)
    found = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)  # born 0600: there is no moment in which others could connect
    try:
        found.bind(path)
        found.listen(BACKLOG)
    except OSError as error:
        found.close()
        raise _taken(path, error) from None
    finally:
        os.umask(before)
    return found


def _remove_stale(path: str) -> None:
    """A socket that a dead server left behind goes; anything else stays."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise Invalid(f"{path} exists and is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError as error:
            raise _taken(path, error) from None
    raise Busy(f"another server listens on {path}", hint="stop it, or take another --socket")


def _taken(where: str, error: OSError) -> Busy | Invalid:
    if error.errno == errno.EADDRINUSE:
        return Busy(f"{where} is in use by another program", hint="stop it, or take another --port or --socket")
    return Invalid(f"cannot listen on {where}: {error.strerror or error}")


def _unusable(what: str, error: OSError) -> Invalid:
    why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return Invalid(f"{what} cannot be used: {why or 'it is not PEM'}")
