"""A collector of spans over HTTP, as somebody else would run it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A collector over HTTP, and what it was given."""
    given: list[tuple[str, bytes]] = []

    class Collect(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Collect)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", given
    server.shutdown()
    server.server_close()
    thread.join()
