"""Fetching: a file comes whole or not at all, is taken up where it broke off, and comes from nowhere else."""

from __future__ import annotations

import gzip
import json
import os
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli.brokers.fetching import Bounds, Fetched, fetch, lines_of
from ordo_cli.brokers.masters import MasterFile
from ordo_cli.brokers.opening import way_to
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.errors import Invalid, NoAnswer, OrdoError, Unreachable
from ordo_cli.machine import SystemChance
from tests.brokers.masters.server import Server, cut, drip, says, serving, silent
from tests.fakes import FakeClock

BODY = b"".join(b"%d,INFY,0.05\n" % number for number in range(20_000))
ALICE = Account(AccountId("alice"), BrokerName("acme"))


async def fetched(server: Server, folder: Path, headers: dict[str, str] | None = None, **bounds: Any) -> Fetched:
    file = MasterFile("NSE_CM", f"{server.url}/NSE_CM.csv")
    return await fetch(
        file,
        str(folder),
        way_to(ALICE, file.url),
        headers=headers or {},
        clock=FakeClock(),
        chance=SystemChance(),
        bounds=Bounds(**bounds),
    )


async def refusal(server: Server, folder: Path, **bounds: Any) -> OrdoError:
    with pytest.raises(OrdoError) as caught:
        await fetched(server, folder, **bounds)
    return caught.value


def there(folder: Path) -> bytes | None:
    path = folder / "NSE_CM"
    return path.read_bytes() if path.exists() else None


async def test_a_file_comes_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    async with serving(body=BODY) as server:
        done = await fetched(server, tmp_path, {"authorization": "token a:b"})
    assert (done.received, there(tmp_path)) == (len(BODY), BODY)
    assert {stat.S_IMODE(os.stat(each).st_mode) for each in tmp_path.iterdir()} == {0o600}
    assert sorted(os.listdir(tmp_path)) == ["NSE_CM", "NSE_CM.json"]
    assert server.asked[0]["authorization"] == "token a:b"
    assert server.asked[0]["accept-encoding"] == "gzip"
    assert "token" not in (tmp_path / "NSE_CM.json").read_text()


@pytest.mark.parametrize("by", ["etag", "modified"])
async def test_a_file_that_did_not_change_is_not_fetched_again(tmp_path: Path, by: str) -> None:
    said = {"etag": "", "modified": "Mon, 23 Nov 2026 02:00:00 GMT"} if by == "modified" else {}
    async with serving(body=BODY, **said) as server:
        await fetched(server, tmp_path)
        again = await fetched(server, tmp_path)
    assert (again.unchanged, again.received, there(tmp_path)) == (True, 0, BODY)


async def test_a_file_that_broke_off_is_taken_up_where_it_was(tmp_path: Path) -> None:
    async with serving(body=BODY, script=[cut(100_000)]) as server:
        done = await fetched(server, tmp_path)
    assert there(tmp_path) == BODY
    assert (server.asked[1]["range"], server.asked[1]["if-range"]) == ("bytes=100000-", '"one"')
    assert done.received == len(BODY) - 100_000


async def test_what_came_stays_for_the_next_time(tmp_path: Path) -> None:
    async with serving(body=BODY, script=[cut(50_000), says("500 No"), says("503 No")]) as server:
        error = await refusal(server, tmp_path)
        assert isinstance(error, NoAnswer)
        assert there(tmp_path) is None
        await fetched(server, tmp_path)
    assert there(tmp_path) == BODY
    assert server.asked[-1]["range"] == "bytes=50000-"


async def test_a_file_that_changed_meanwhile_begins_anew(tmp_path: Path) -> None:
    async with serving(body=BODY, script=[cut(50_000), says("500 No"), says("500 No")]) as server:
        await refusal(server, tmp_path)
        server.body, server.etag = BODY[::-1], '"two"'
        await fetched(server, tmp_path)
    assert there(tmp_path) == BODY[::-1]
    assert json.loads((tmp_path / "NSE_CM.json").read_text())["etag"] == '"two"'


@pytest.mark.parametrize(
    "said",
    [
        {"Content_Range": "bytes 0-9/10"},
        {"Content_Range": "bytes 49999-270000/270001"},
        {"Content_Range": "nonsense"},
        {},
    ],
    ids=["another start", "one byte off", "nonsense", "none"],
)
async def test_a_piece_that_does_not_fit_is_thrown_away(tmp_path: Path, said: dict[str, object]) -> None:
    odd = says("206 Partial Content", b"0123456789", Content_Length=10, **said)
    async with serving(body=BODY, script=[cut(50_000), odd]) as server:
        await fetched(server, tmp_path)
    assert there(tmp_path) == BODY
    assert "range" not in server.asked[2]


async def test_a_range_that_is_refused_begins_anew(tmp_path: Path) -> None:
    async with serving(body=BODY, script=[cut(50_000), says("416 No", Content_Length=0)]) as server:
        await fetched(server, tmp_path)
    assert there(tmp_path) == BODY


async def test_a_server_without_ranges_or_tags_is_asked_for_the_whole(tmp_path: Path) -> None:
    async with serving(body=BODY, etag="", ranges=False, script=[cut(50_000)]) as server:
        await fetched(server, tmp_path)
        assert "range" not in server.asked[1]
        server.etag, server.body = 'W/"weak"', BODY * 2
        server.script = [cut(50_000)]
        await fetched(server, tmp_path)
    assert "range" not in server.asked[-1]  # a weak tag does not prove that bytes are the same
    assert there(tmp_path) == BODY * 2


async def test_a_file_shorter_or_longer_than_was_told_is_not_taken(tmp_path: Path) -> None:
    short = says("200 OK", b"abc", Content_Length=10)
    async with serving(body=BODY, script=[short, short, short]) as server:
        assert isinstance(await refusal(server, tmp_path), NoAnswer)
        assert there(tmp_path) is None

    async def longer(request: httpx.Request) -> httpx.Response:
        class Stream(httpx.AsyncByteStream):
            async def __aiter__(self):  # type: ignore[no-untyped-def]
                yield b"0123456789"

        return httpx.Response(200, headers={"content-length": "3"}, stream=Stream())

    file = MasterFile("NSE_CM", "http://127.0.0.1:9/x")
    with pytest.raises(NoAnswer):
        await fetch(
            file,
            str(tmp_path / "other"),
            way_to(ALICE, file.url),
            headers={},
            clock=FakeClock(),
            chance=SystemChance(),
            transport=httpx.MockTransport(longer),
        )
    assert there(tmp_path / "other") is None


@pytest.mark.parametrize("status", ["404 Not Found", "401 No", "403 No", "410 Gone", "204 Nothing", "100 Go on"])
async def test_another_answer_is_no_file_and_is_not_asked_for_again(tmp_path: Path, status: str) -> None:
    async with serving(script=[says(status, Content_Length=0)] * 3) as server:
        assert isinstance(await refusal(server, tmp_path), NoAnswer)
    assert there(tmp_path) is None
    if not status.startswith("100"):
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Elsewhere", "308 Moved"])
async def test_a_redirect_is_not_followed(tmp_path: Path, status: str) -> None:
    async with serving(body=BODY) as other, serving(script=[says(status, Location=f"{other.url}/x")]) as server:
        error = await refusal(server, tmp_path)
    assert "sends us elsewhere" in error.message
    assert (len(server.asked), other.asked, there(tmp_path)) == (1, [], None)


async def test_a_failure_keeps_the_file_of_before(tmp_path: Path) -> None:
    async with serving(body=BODY) as server:
        await fetched(server, tmp_path)
        server.etag, server.body = '"two"', b"x" * 1_000
        server.script = [cut(10), cut(10), says("404 No", Content_Length=0)]
        await refusal(server, tmp_path)
    assert there(tmp_path) == BODY


async def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    async with serving(script=[silent] * 3) as server:
        assert isinstance(await refusal(server, tmp_path, silence=0.1), NoAnswer)


async def test_a_server_that_drips_has_only_so_long_for_the_whole_file(tmp_path: Path) -> None:
    async with serving(script=[drip(0.02)] * 3) as server:
        error = await refusal(server, tmp_path, seconds=0.4)
    assert "took more than" in error.message


@pytest.mark.parametrize("told", [True, False])
async def test_a_file_above_the_limit_is_refused_and_not_kept(tmp_path: Path, told: bool) -> None:
    said = {"Content_Length": len(BODY)} if told else {}
    async with serving(script=[says("200 OK", BODY, **said)]) as server:
        error = await refusal(server, tmp_path, wire=1_000)
    assert "1000" in error.message
    assert not (tmp_path / "NSE_CM.part").exists()


async def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    async with serving() as server:
        pass
    assert isinstance(await refusal(server, tmp_path), Unreachable)


async def test_plain_http_beyond_this_machine_is_refused() -> None:
    with pytest.raises(Invalid):
        way_to(ALICE, "http://example.com/NSE_CM.csv")


async def test_the_way_out_of_the_account_is_taken(tmp_path: Path) -> None:
    async with serving(body=BODY) as server:
        account = Account(ALICE.id, ALICE.broker, egress="127.0.0.2")
        file = MasterFile("NSE_CM", f"{server.url}/x")
        route = way_to(account, file.url)
        assert route.local_address == "127.0.0.2"
        peers = []
        seen = server.serve

        async def noting(reader, writer):  # type: ignore[no-untyped-def]
            peers.append(writer.get_extra_info("peername")[0])
            await seen(reader, writer)

        server.serve = noting  # type: ignore[method-assign]
        async with serving(body=BODY) as real:
            real.serve = noting  # type: ignore[method-assign]
        await fetch(file, str(tmp_path), route, headers={}, clock=FakeClock(), chance=SystemChance())
    assert there(tmp_path) == BODY


async def test_a_proxy_sees_the_question_and_the_environments_proxy_never_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(body=BODY) as proxy, serving(body=b"wrong") as elsewhere:
        monkeypatch.setenv("HTTP_PROXY", elsewhere.url)
        monkeypatch.setenv("http_proxy", elsewhere.url)
        account = Account(ALICE.id, ALICE.broker, egress=proxy.url)
        file = MasterFile("NSE_CM", "http://127.0.0.1:9/NSE_CM.csv")
        await fetch(
            file, str(tmp_path), way_to(account, file.url), headers={}, clock=FakeClock(), chance=SystemChance()
        )
        assert (proxy.paths, elsewhere.paths) == (["http://127.0.0.1:9/NSE_CM.csv"], [])
        direct = MasterFile("DIRECT", f"{proxy.url}/x")
        await fetch(
            direct, str(tmp_path), way_to(ALICE, direct.url), headers={}, clock=FakeClock(), chance=SystemChance()
        )
        assert elsewhere.paths == []
    assert there(tmp_path) == BODY


# what was fetched, as lines


def lines(path: Path, **bounds: object) -> list[str]:
    with lines_of(str(path), Bounds(**bounds)) as found:  # type: ignore[arg-type]
        return list(found)


async def test_a_packed_answer_stays_packed_on_the_disk_and_is_resumed_packed(tmp_path: Path) -> None:
    packed = gzip.compress(BODY)
    async with serving(body=packed, coding="gzip") as server:
        server.script = [cut(len(packed) // 2)]
        await fetched(server, tmp_path)
    assert there(tmp_path) == packed
    assert lines(tmp_path / "NSE_CM") == BODY.decode().splitlines(keepends=True)


def test_a_packed_file_that_was_packed_again_on_its_way_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(gzip.compress(gzip.compress(b"\xef\xbb\xbfa\nb\n")))
    assert lines(path) == ["a\n", "b\n"]


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(gzip.compress(gzip.compress(bytes(50_000_000))))
    assert path.stat().st_size < 1_000
    with pytest.raises(ValueError, match="larger than"):
        lines(path, plain=1_000_000)


@pytest.mark.parametrize("damage", ["cut", "bit", "tail"])
def test_a_damaged_packed_file_is_not_read_to_its_end(tmp_path: Path, damage: str) -> None:
    packed, path = bytearray(gzip.compress(BODY)), tmp_path / "f"
    if damage == "cut":
        del packed[len(packed) // 2 :]
    elif damage == "bit":
        packed[len(packed) // 2] ^= 1
    else:
        packed += b"something else behind it"
    path.write_bytes(packed)
    with pytest.raises(ValueError, match="damaged"):
        lines(path)


def test_text_that_is_not_utf8_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"caf\xe9,1\n")
    assert lines(path) == ["caf\ufffd,1\n"]
