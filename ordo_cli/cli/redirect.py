"""A broker's login page comes back to this machine: the browser is opened, and its way back is waited for here.

Only where there is a browser: over SSH, or without a screen, the user opens the address elsewhere and pastes where it
ended. Who may come back is the adapter's matter, which checks the state that it sent along.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import suppress

from ordo_cli.cli import door
from ordo_cli.domain.sessions import LONGEST_ANSWER, KeptChallenge

ADDRESS = re.compile(r"https?://[^\s<>\"\x00-\x20]+")
REQUEST = re.compile(rb"GET (/[!-~]*) HTTP/1\.[01]\r?\n")
HEAD = 16 * 1024  # bytes of what a browser asks
PATIENCE = 5.0  # seconds that one connection may take to ask
PAGE = (
    "<!doctype html><meta charset=utf-8><title>ordo</title>"
    "<body style='font:16px sans-serif;margin:4em auto;max-width:30em'><h1>{}</h1><p>{}</p>"
)
DONE = PAGE.format("Back at ordo", "You can close this page; the terminal goes on.")
NOTHING = PAGE.format("Nothing here", "This address waits for a broker's login page, and that was none.")


def address_in(prompt: str) -> str | None:
    """The login page that a challenge names, if it names one."""
    found = ADDRESS.search(prompt)
    return None if found is None else found[0].rstrip(".,;:!?)")


def has_browser() -> bool:
    """Whether a browser of this machine would open before the eyes of whoever types here."""
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


async def landed(challenge: KeptChallenge, port: int, seconds: float) -> str | None:
    """Open the login page, and give the address that the browser comes back with; None when it must be pasted."""
    page = address_in(challenge.prompt)
    if page is None or not has_browser():
        return None
    try:
        coming = await Landing.at(port)
    except OSError as error:
        door.warn(f"port {port} is not to be had ({error.strerror}): ordo config set login.redirect_port N")
        return None
    async with coming:
        import webbrowser  # 12 ms, only for this

        if not await asyncio.to_thread(webbrowser.open, page):
            return None
        door.say(f"{challenge.account}: log in in the browser that has opened, at {page}")
        door.say(
            f"  it comes back to {coming.url}; to paste the address instead: Ctrl-C, ordo login otp {challenge.account}"
        )
        try:
            return await asyncio.wait_for(coming.address, seconds)
        except TimeoutError:
            door.warn(f"{challenge.account}: the browser did not come back in time")
            return None


class Landing:
    """A listener on loopback for one request that carries something: what a browser is sent back with."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server | None = None

    @classmethod
    async def at(cls, port: int) -> Landing:
        """Listen there. Raises OSError when the port is somebody else's."""
        landing = cls(port)
        landing._server = await asyncio.start_server(landing._asked, "127.0.0.1", port, limit=HEAD)
        return landing

    async def __aenter__(self) -> Landing:
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.address.cancel()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            writer.close()
            return
        asked = REQUEST.match(head)
        target = asked[1].decode("ascii") if asked is not None else ""
        # A browser asks for an icon too, and other pages may ask for anything; a way back carries a query.
        carries = "?" in target and "=" in target and len(target) < LONGEST_ANSWER - len(self.url)
        status, page = ("200 OK", DONE) if carries else ("404 Not Found", NOTHING)
        body = page.encode()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n".encode() + body
        )
        with suppress(ConnectionError):  # it has what it came for, or does not want it
            await writer.drain()
        writer.close()
        if carries and not self.address.done():
            self.address.set_result(self.url + target)
