"""The trust of a client: the authorities of this machine, and a certificate of its own where a server asks for one."""

import os
import ssl
import sys

from ordo_cli.domain.errors import Invalid

CERTIFICATE = "ORDO_CLIENT_CERT"
"""A PEM file with a certificate and its key, for a server that asks for one."""


def context() -> ssl.SSLContext:
    """A fresh context that checks names and certificates. SSL_CERT_FILE adds an authority of one's own."""
    if sys.platform in ("darwin", "win32"):
        import truststore  # the system keeps its authorities where OpenSSL does not look

        made: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    own = os.environ.get(CERTIFICATE)
    if own:
        try:
            made.load_cert_chain(own)
        except (OSError, ssl.SSLError):
            raise Invalid(f"{own} is not a certificate with its key", hint=f"see: {CERTIFICATE}") from None
    return made
