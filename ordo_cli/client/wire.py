"""One question over one connection, on plain sockets: what the terminal speaks to a server with.

`http.client` would take 35 ms to import and httpx 130, which a command that asks one thing does not have.
"""

import socket

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    from ordo_cli.client.address import Address

LONGEST_HEAD = 64 * 1024
LONGEST_BODY = 64 * 1024 * 1024
LONGEST_LINE = 4 * 1024 * 1024
CHUNK = 64 * 1024


class Broken(Exception):
    """No answer came. `sent` says that bytes may have left; the words hold nothing that was sent."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.why = why
        self.sent = sent


class Answer:
    """An answer as it comes in. Header names are lower case."""

    def __init__(self, stream: socket.socket, elapsed: "Callable[[], float]") -> None:
        self._stream, self._elapsed = stream, elapsed
        self._buffer, self._over = b"", False
        self.status, self.headers = 0, {}  # type: int, dict[str, str]

    def head(self, end: float) -> None:
        """Read the status and the headers; interim answers are passed over."""
        while self.status < 200:
            while b"\r\n\r\n" not in self._buffer:
                self._more(end, len(self._buffer) > LONGEST_HEAD)
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            version, _, rest = first.partition(" ")
            if not version.startswith("HTTP/1.") or not (rest[:3].isascii() and rest[:3].isdigit()):
                raise Broken("what answered there does not speak HTTP", sent=True)
            self.status = int(rest[:3])
            self.headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }

    def body(self, end: float) -> bytes:
        """The whole body."""
        parts, size = [], 0
        for part in self._parts(lambda: end):
            parts.append(part)
            size += len(part)
            if size > LONGEST_BODY:
                raise Broken("the answer has no end", sent=True)
        return b"".join(parts)

    def lines(self, quiet: "Callable[[], float]") -> "Iterator[str]":
        """The body line by line as it comes, without the ends of lines. Raises Broken after so long a silence."""
        rest = b""
        for part in self._parts(lambda: self._elapsed() + quiet()):
            *whole, rest = (rest + part).split(b"\n")
            if len(rest) > LONGEST_LINE:
                raise Broken("a line has no end", sent=True)
            for line in whole:
                yield line.removesuffix(b"\r").decode("utf-8", "replace")

    def close(self) -> None:
        self._stream.close()

    def _parts(self, end: "Callable[[], float]") -> "Iterator[bytes]":
        if self.status in (204, 304):
            return
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            yield from self._chunks(end)
            return
        length = self.headers.get("content-length")
        if length is None:
            yield from self._rest(end)
            return
        if not (length.isascii() and length.isdigit()) or len(length) > 12:
            raise Broken("the answer has no length", sent=True)
        yield from self._exactly(int(length), end)

    def _chunks(self, end: "Callable[[], float]") -> "Iterator[bytes]":
        while True:
            size = self._line(end).partition(b";")[0].strip()
            if not size or len(size) > 8 or size.strip(b"0123456789abcdefABCDEF"):
                raise Broken("the answer is broken", sent=True)
            left = int(size, 16)
            if not left:
                while self._line(end):  # trailers, which say nothing to us
                    pass
                return
            yield from self._exactly(left, end)
            if self._line(end):
                raise Broken("the answer is broken", sent=True)

    def _exactly(self, left: int, end: "Callable[[], float]") -> "Iterator[bytes]":
        while left:
            if not self._buffer:
                self._more(end())
            part, self._buffer = self._buffer[:left], self._buffer[left:]
            left -= len(part)
            yield part

    def _rest(self, end: "Callable[[], float]") -> "Iterator[bytes]":
        while True:
            if self._buffer:
                part, self._buffer = self._buffer, b""
                yield part
            got = self._receive(end())
            if not got:
                return
            self._buffer = got

    def _line(self, end: "Callable[[], float]") -> bytes:
        while b"\r\n" not in self._buffer:
            self._more(end(), len(self._buffer) > LONGEST_HEAD)
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _more(self, end: float, too_long: bool = False) -> None:
        if too_long:
            raise Broken("the answer is broken", sent=True)
        got = self._receive(end)
        if not got:
            raise Broken("the connection ended in the middle of the answer", sent=True)
        self._buffer += got

    def _receive(self, end: float) -> bytes:
        left = end - self._elapsed()
        if left <= 0:
            raise Broken("no answer in time", sent=True)
        try:
            self._stream.settimeout(left)
            return self._stream.recv(CHUNK)
        except TimeoutError:
            raise Broken("no answer in time", sent=True) from None
        except OSError as error:
            raise Broken(_said(error, "the connection broke"), sent=True) from None


def question(
    address: "Address", method: str, route: str, headers: "Mapping[str, str]", content: bytes | None = None
) -> bytes:
    """One request as bytes; the connection serves this one alone."""
    lines = [f"{method} {address.target(route)} HTTP/1.1", f"Host: {address.authority}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if content is not None or method in ("POST", "PATCH", "PUT"):
        lines.append(f"Content-Length: {len(content or b'')}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + (content or b"")


def ask(
    address: "Address",
    asked: bytes,
    end: float,
    elapsed: "Callable[[], float]",
    tls: "Callable[[], ssl.SSLContext]",
    connect: float = 5.0,
) -> Answer:
    """Ask, and give the answer once its head is there. Raises Broken."""
    left = min(connect, end - elapsed())
    if left <= 0:
        raise Broken("no time was left", sent=False)
    stream = _open(address, left, tls)
    answer = Answer(stream, elapsed)
    try:
        stream.settimeout(max(0.01, end - elapsed()))
        try:
            stream.sendall(asked)
        except OSError as error:
            raise Broken(_said(error, "the connection broke"), sent=True) from None
        answer.head(end)
    except BaseException:
        answer.close()
        raise
    return answer


def _open(address: "Address", seconds: float, tls: "Callable[[], ssl.SSLContext]") -> socket.socket:
    try:
        if address.socket:
            stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                stream.settimeout(seconds)
                stream.connect(address.socket)
            except BaseException:
                stream.close()
                raise
            return stream
        # As bytes, because for a text Python loads the tables of international names, 4 ms.
        stream = socket.create_connection((address.host.encode(), address.port), seconds)  # type: ignore[arg-type]
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not address.secure:
            return stream
        try:
            return tls().wrap_socket(stream, server_hostname=address.host)
        except BaseException:
            stream.close()
            raise
    except OSError as error:  # names that do not resolve and certificates that do not fit are among them
        raise Broken(_said(error, "no connection"), sent=False) from None


def _said(error: OSError, otherwise: str) -> str:
    if isinstance(error, TimeoutError):
        return "no connection in time" if otherwise == "no connection" else "no answer in time"
    verdict = getattr(error, "verify_message", "")  # of a certificate
    return f"its certificate is not trusted: {verdict}" if verdict else error.strerror or otherwise
