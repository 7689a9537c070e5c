"""HTTP/1.1 as it is let in: what uvicorn's parser takes, with refusals said as problems."""

from __future__ import annotations

import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ordo_cli.api import problems


class Protocol(HttpToolsProtocol):
    """One connection of a client."""

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP gets a problem too, and the connection ends."""
        self.refuse(400, "malformed", "this is not a request that can be read")

    def refuse(self, status: int, code: str, message: str) -> None:
        """Answer without the application, and close."""
        body = json.dumps(problems.document(status, code, message)).encode()
        head = (
            f"HTTP/1.1 {status} {problems.phrase(status)}\r\ncontent-type: {problems.MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
