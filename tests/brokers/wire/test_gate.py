"""What may write passes the gate once, in the first write; what is refused there leaves no byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ordo_cli import arming
from ordo_cli.brokers.wire import Address, Route, Ungated, WireTransport
from ordo_cli.domain.errors import KillEngaged, NoAnswer, Refused, Unreachable
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.gate import Gate
from ordo_cli.machine import SystemClock
from tests.brokers.wire.conftest import Carriage
from tests.brokers.wire.fakes import Leave, http_over, http_to
from tests.brokers.wire.faults import answer, saying
from tests.brokers.wire.server import Peer, serving
from tests.brokers.wire.test_lines import every_question


async def test_a_refused_permit_writes_nothing_and_its_error_comes_through(carriage: Carriage) -> None:
    refusal = KillEngaged("the kill switch is on")
    leave = Leave(refusal)
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        with pytest.raises(KillEngaged) as caught:
            await http.post("/orders", permit=leave, json={})
        assert caught.value is refusal
        await asyncio.sleep(0.02)
        assert leave.bytes_sent == server.received == 0
        await http.post("/orders", permit=Leave(), json={})
        assert len(server.peers) == 1, "nothing was written on it, so the line is as good as new"


class Claiming(Leave):
    """A permit whose claim does something first."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._work = work

    async def claim(self) -> None:
        await super().claim()
        await self._work()


async def test_an_order_is_claimed_when_its_connection_is_open_and_before_the_gate(carriage: Carriage) -> None:
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:

        async def look() -> None:
            await asyncio.sleep(0.02)  # until the server, too, sees the end of the handshake
            assert len(server.peers) == 1, "the handshake is behind it: a claim is good for a quarter of a second"
            assert leave.passed == leave.bytes_sent == server.received == 0

        leave = Claiming(look)
        await http.post("/orders", permit=leave, json={})
        assert (leave.claimed, leave.passed) == (1, 1)


async def test_an_order_that_cannot_be_connected_is_never_claimed() -> None:
    async with serving(every_question) as server:
        url = server.url
    leave = Leave()
    async with http_over(WireTransport(Route(Address.of(url))), url) as http:
        with pytest.raises(Unreachable):
            await http.post("/orders", permit=leave, json={})
    assert leave.claimed == 0


async def test_a_line_that_was_closed_while_its_order_waited_for_its_turn_is_replaced(carriage: Carriage) -> None:
    async def play(peer: Peer) -> None:
        await peer.question()
        peer.say(answer())
        if len(server.peers) == 1:
            await closing.wait()
            peer.end()

    closing = asyncio.Event()

    async def wait_long() -> None:
        closing.set()
        await asyncio.sleep(0.05)

    async with serving(play, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.post("/orders", permit=Leave(), json={})
        leave = Claiming(wait_long)
        assert await http.post("/orders", permit=leave, json={}) == {"id": "1"}
        assert (leave.claimed, leave.passed, len(server.peers)) == (1, 1, 2)
        assert leave.bytes_sent == server.peers[1].received


async def test_a_refused_claim_leaves_no_byte_and_the_line_as_it_was(carriage: Carriage) -> None:
    async def refuse() -> None:
        raise KillEngaged("the switch is on")

    leave = Claiming(refuse)
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        with pytest.raises(KillEngaged):
            await http.post("/orders", permit=leave, json={})
        await http.post("/orders", permit=Leave(), json={})
        assert (leave.passed, leave.bytes_sent, len(server.peers)) == (0, 0, 1)


async def test_the_gate_is_passed_once_and_closed_again_before_the_answer(carriage: Carriage) -> None:
    passing: list[str] = []

    class Watched(Leave):
        @contextmanager
        def passing(self) -> Iterator[None]:
            passing.append("in")
            asyncio.get_running_loop().call_soon(passing.append, "another turn of the loop")
            yield
            passing.append("out")

    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.post("/orders", permit=Watched(), json={"note": "x" * 300_000})
        assert passing == ["in", "out", "another turn of the loop"], "nothing else runs between the check and the write"
        assert len(server.peers) == 1


async def test_bytes_are_counted_before_they_are_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    leave = Leave()
    async with serving(every_question) as server, WireTransport(Route(Address.of(server.url))) as transport:
        await transport.warm()
        (line,) = transport._idle

        def broken(data: bytes) -> None:
            counted.append(leave.bytes_sent)
            raise OSError("the socket broke")

        monkeypatch.setattr(line, "write", broken)
        request = httpx.Request("POST", server.url, content=b"x", extensions={"ordo.permit": leave})
        with pytest.raises(OSError, match="broke"):
            await transport.handle_async_request(request)
        assert counted == [leave.bytes_sent]
        assert leave.bytes_sent > 0


async def test_a_write_without_a_permit_leaves_no_byte() -> None:
    async with serving(every_question) as server:
        async with WireTransport(Route(Address.of(server.url))) as transport:
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                with pytest.raises(httpx.LocalProtocolError, match="permit"):
                    await transport.handle_async_request(httpx.Request(method, server.url))
        assert server.received == 0


async def test_a_permit_is_for_one_attempt(carriage: Carriage) -> None:
    leave = Leave()
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.post("/orders", permit=leave, json={})
        before = server.received
        with pytest.raises(NoAnswer, match="used"):  # not "unreachable": its first use may have placed an order
            await http.post("/orders", permit=leave, json={})
        assert server.received == before
        assert leave.passed == 1


async def test_a_question_that_cannot_be_written_leaves_no_byte() -> None:
    leave = Leave()
    async with serving(every_question) as server, http_to(server) as http:
        with pytest.raises(Unreachable):
            await http.post("/orders", permit=leave, json={}, headers={"x-evil": "a\r\nb: c"})
        with pytest.raises(Unreachable):
            await http.post("//other.example/orders\r\n", permit=leave, json={})
        assert leave.bytes_sent == leave.passed == server.received == 0


async def test_cancelled_before_the_first_byte_nothing_was_counted(carriage: Carriage) -> None:
    leave = Leave()
    async with serving(saying(), carriage.server) as server, http_to(server, carriage.client, lines=1) as http:
        holding = asyncio.ensure_future(http.post("/orders", permit=Leave(), json={}))
        await asyncio.sleep(0.05)
        waiting = asyncio.ensure_future(http.post("/orders", permit=leave, json={}))
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert leave.bytes_sent == leave.passed == 0
        with pytest.raises(NoAnswer):
            await holding


async def test_cancelled_after_the_first_byte_the_count_says_so_and_the_line_is_gone(carriage: Carriage) -> None:
    leave = Leave()

    async def play(peer: Peer) -> None:
        await peer.question()
        if len(server.peers) > 1:
            peer.say(answer())

    async with serving(play, carriage.server) as server, http_to(server, carriage.client, lines=1) as http:
        await http.warm()
        leg = asyncio.ensure_future(http.post("/orders", permit=leave, json={}))
        await asyncio.sleep(0.05)
        leg.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leg
        assert leave.bytes_sent == server.received > 0
        assert await http.post("/orders", permit=Leave(), json={}) == {"id": "1"}
        assert len(server.peers) == 2


async def test_cancelled_at_every_turn_of_the_loop_the_count_is_what_arrived(carriage: Carriage) -> None:
    for turns in range(40):
        leave = Leave()
        async with serving(saying(), carriage.server) as server, http_to(server, carriage.client) as http:
            leg = asyncio.ensure_future(http.post("/orders", permit=leave, json={}))
            for _ in range(turns):
                await asyncio.sleep(0)
            leg.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leg
            await asyncio.sleep(0.005)
            assert leave.bytes_sent == server.received or (leave.bytes_sent > 0 and server.received == 0)


async def test_ungated_writes_count_too(carriage: Carriage) -> None:
    leave = Ungated()
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.write("DELETE", "/orders/1", permit=leave)
        assert leave.bytes_sent == server.received > 0


# the real gate in the real transport


@pytest.fixture
def run(tmp_path: Path) -> str:
    folder = tmp_path / "run"
    (folder / "armed.d").mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    arming.arm(str(folder), GLOBAL.kind, GLOBAL.name, 1, "n0nce")
    return str(folder)


async def test_a_kill_between_planning_and_the_write_leaves_no_byte(carriage: Carriage, run: str) -> None:
    clock = SystemClock()
    gate = Gate(run, clock)
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.warm(lines=2)
        stamps = gate.stamps([GLOBAL])
        now = clock.elapsed()
        passes = gate.permit(stamps, committed_at=now, deadline=now + 5)
        assert await http.post("/orders", permit=passes, json={}) == {"id": "1"}
        before = server.received
        assert passes.bytes_sent == before > 0
        stopped = gate.permit(stamps, committed_at=clock.elapsed(), deadline=now + 5)
        arming.disarm(run, GLOBAL.kind, GLOBAL.name)
        with pytest.raises(KillEngaged):
            await http.post("/orders", permit=stopped, json={})
        close = gate.permit(None, committed_at=clock.elapsed(), deadline=now + 5)
        assert stopped.bytes_sent == 0
        assert server.received == before
        assert await http.post("/orders", permit=close, json={}) == {"id": "1"}, "a close is never blocked"


async def test_a_permit_that_grew_old_while_the_connection_was_made_leaves_no_byte(run: str) -> None:
    clock = SystemClock()
    gate = Gate(run, clock)
    now = clock.elapsed()
    permit = gate.permit(gate.stamps([GLOBAL]), committed_at=now - 0.3, deadline=now + 5)
    async with serving(every_question) as server, http_to(server) as http:
        with pytest.raises(Refused):
            await http.post("/orders", permit=permit, json={})
        await asyncio.sleep(0.02)
        assert permit.bytes_sent == server.received == 0


# a transport that counts nothing


async def test_a_mock_keeps_the_rules_of_the_gate() -> None:
    asked: list[httpx.Request] = []

    def broker(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"id": "1"})

    http = http_over(httpx.MockTransport(broker), "https://broker.example")
    leave = Leave()
    assert await http.post("/orders", permit=leave, json={}) == {"id": "1"}
    assert leave.bytes_sent > 0
    with pytest.raises(KillEngaged):
        await http.post("/orders", permit=Leave(KillEngaged("no")), json={})
    assert len(asked) == leave.passed == 1


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx.ConnectError("refused"), Unreachable),
        (httpx.ConnectTimeout("late"), Unreachable),
        (httpx.PoolTimeout("full"), Unreachable),
        (httpx.ReadTimeout("silent"), NoAnswer),
        (httpx.WriteTimeout("slow"), NoAnswer),
        (httpx.ReadError("reset"), NoAnswer),
        (httpx.WriteError("reset"), NoAnswer),
        (httpx.RemoteProtocolError("garbage"), NoAnswer),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.code,
)
async def test_a_mocks_errors_have_the_verdict_of_the_real_ones(failure: Exception, expected: type[Exception]) -> None:
    def broker(request: httpx.Request) -> httpx.Response:
        raise failure

    leave = Leave()
    with pytest.raises(expected):
        await http_over(httpx.MockTransport(broker), "https://broker.example").post("/orders", permit=leave, json={})
    assert (leave.bytes_sent == 0) == (expected is Unreachable)


async def test_a_mock_can_be_a_respx_router() -> None:
    import respx

    router = respx.Router()
    router.post("https://broker.example/orders").respond(json={"id": "1"})
    async with http_over(httpx.MockTransport(router.async_handler), "https://broker.example") as http:
        assert await http.post("/orders", permit=Leave(), json={}) == {"id": "1"}
