"""A TLS server's tickets, which come behind its handshake, are no word that nobody asked for."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ordo_cli.brokers.wire import Address, Route
from ordo_cli.brokers.wire.line import Line
from tests.brokers.wire.certificates import Authority


@dataclass
class Late:
    """A server that shakes hands and keeps its tickets back until it is told, then closes when it is told that."""

    port: int
    tickets: threading.Event = field(default_factory=threading.Event)
    end: threading.Event = field(default_factory=threading.Event)


@contextmanager
def late_tickets(context: ssl.SSLContext) -> Iterator[Late]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        late = Late(door.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(door, context, late))
        thread.start()
        try:
            yield late
        finally:
            late.tickets.set()
            late.end.set()
            thread.join(10)


def _serve(door: socket.socket, context: ssl.SSLContext, late: Late) -> None:
    line, _ = door.accept()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    with line:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                line.sendall(outgoing.read())
                incoming.write(line.recv(65536))
        tickets = outgoing.read()
        assert tickets
        late.tickets.wait(10)
        line.sendall(tickets)
        late.end.wait(10)


async def test_a_new_line_whose_tickets_come_late_is_good(authority: Authority) -> None:
    with late_tickets(authority.good) as late:
        line = await _opened(late, authority)
        late.tickets.set()
        _until_there(line)
        assert await line.quiet()
        line.abort()


async def test_a_line_that_ends_behind_its_tickets_is_not(authority: Authority) -> None:
    with late_tickets(authority.good) as late:
        line = await _opened(late, authority)
        late.tickets.set()
        late.end.set()
        _until_there(line, select.POLLRDHUP)
        assert not await line.quiet()


async def _opened(late: Late, authority: Authority) -> Line:
    return await Route(Address.of(f"https://127.0.0.1:{late.port}"), tls=authority.trusting).open()


def _until_there(line: Line, what: int = select.POLLIN) -> None:
    """Stand still, the loop with us, until the socket has something to read or its end."""
    poll = select.poll()
    assert line._transport is not None
    poll.register(line._transport.get_extra_info("socket").fileno(), what)
    assert poll.poll(10_000)
