"""Whether the ordo that runs beside this program answers: for a container's health check, which has no curl.

python -m ordo_cli.deploy.health [URL [CERTIFICATE]]
"""

from __future__ import annotations

import http.client
import ssl
import sys
from urllib.parse import urlsplit

SECONDS = 5.0
HERE = "http://127.0.0.1:8020/healthz"


def well(url: str = HERE, certificate: str | None = None) -> bool:
    """Whether it answers 200. A certificate given is the only one that is believed."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 8020
    line = (
        http.client.HTTPSConnection(host, port, timeout=SECONDS, context=ssl.create_default_context(cafile=certificate))
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=SECONDS)
    )
    try:
        line.request("GET", parts.path)
        return line.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


if __name__ == "__main__":
    raise SystemExit(0 if well(*sys.argv[1:3]) else 1)
