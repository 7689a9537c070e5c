"""Commands at a server: the same words say the same and end with the same code as on the machine itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.cli.main import main
from ordo_cli.cli.tree import FAR
from tests.cli.conftest import Answer
from tests.cli.words import tree
from tests.house.tree import ROOT

SERVE = "import sys; sys.argv[0] = 'ordo'; from ordo_cli.__main__ import main; main()"

SAME = [
    "account list",
    "fanout list",
    "fanout list --account carol",
    "fanout list --account nobody",
    "fanout show {fanout}",
    "fanout show {resting}",
    "fanout show nothing",
    "order list",
    "order list --account alice --limit 1",
    "order show {resting}-1",
    "order show {fanout}-2",
    "order show 0000",
    "positions",
    "positions alice",
    "positions nobody",
    "holdings alice bob",
    "funds alice",
    "funds dave",
    "funds",
    "orders alice",
    "trades @family",
    "quote NSE:INFY NSE:TCS",
    "quote NSE:INFY NSE:NOPE",
    "quote NSE:NOPE",
    "login",
    "login alice @family",
    "login nobody",
    "login otp alice --otp-command false",
    "login otp alice",
    "login status",
    "login status @none",
    "login out bob",
    "status",
    "kill status",
    "audit show --type plan --limit 3",
    "audit show --leg {fanout}-2",
    "buy NSE:INFY --qty 1 --to alice",
    "buy NSE:INFY --qty 2 --to alice --to bob",
    "buy NSE:INFY --qty 3 --to bob",
    "buy NSE:INFY --qty 1 --to carol",
    "buy NSE:TCS --qty 1 --limit 2900 --to carol",
    "buy NSE:INFY --qty 1 --to dave",
    "buy NSE:INFY --qty 4 --to alice --key fresh-key-1",
    "buy NSE:INFY --qty 4 --to alice --key fresh-key-1",
    "buy NSE:INFY --qty 5 --to alice --key fresh-key-1",
    "buy NSE:INFY --qty 6 --to alice --to bob --on-partial cancel-rest --limit 1400",
    "buy NSE:INFY --qty 2 --limit 1401 --to alice --wait filled --timeout 0.1",
    "buy NSE:INFY --qty 2 --to alice --wait filled --allow-duplicate",
    "buy NSE:INFY --qty 7 --split equal --to @family --dry-run",
    "buy NSE:INFY --qty 7 --split equal --to @family",
    "buy NSE:INFY --qty 100000 --to alice --dry-run",
    "buy NSE:INFY --qty 100000 --to alice",
    "buy NSE:INFY --qty 1 --limit 1500.01 --to alice",
    "buy NSE:NOPE --qty 1 --limit 10 --to alice",
    "buy NSE:INFY --qty 1 --to nobody",
    "sell NSE:INFY --qty 1 --to alice --confirm",
    "order modify {resting}-1 --limit 1410",
    "order modify {filled}-1 --limit 1410",
    "order modify 0000 --limit 1410",
    "order cancel {resting}-1",
    "order cancel {resting}-1",
    "fanout watch {filled}",
    "fanout watch {fanout} --until dawn",
    "fanout reconcile {fanout}",
    "fanout cancel {resting}",
    "fanout cancel nothing",
    "kill release --scope global --reason script",
    "kill --scope account:nobody",
    "kill --scope account:bob --reason enough",
    "buy NSE:INFY --qty 1 --to bob",
    "kill --scope account:alice --cancel",
    "kill --flatten",
    "buy NSE:INFY --qty 1 --to alice",
    "kill status",
    "status",
]
HERE = {"order cancel 1 --account alice", "fanout reconcile"}
"""Words that have a route in general, and none as they stand."""

CHANGING = re.compile(
    r"O[0-9A-Z]{15}"  # tags
    r"|\b[0-9a-hjkmnp-tv-z]{10}(?=\b|-)"  # fan-outs
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}"  # keys
    r"|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?"
    r"|[0-9.]+(?= ms\b)"
    r"|\btoken:\w+|\bcli\b(:\w+)?|\b\d{12,}\b"  # who did it, and numbers of the paper exchange
    r"|\b\d+ (min|h|s)\b( \d+ (min|s))?"
)
CLOCKED = {
    "high",
    "low",
    "volume",
    "latency_ms",
    "age_seconds",
    "quiet_ms",
    "seconds",
    "pid",
    "boot",
    "host",
    "at",
    "actor",
    "ids",
    "seq",
}


def still(text: str) -> str:
    """The text without what no two runs share."""
    return re.sub(r" +", " ", CHANGING.sub("~", text))


def stilled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "~" if name in CLOCKED else stilled(each) for name, each in value.items()}
    if isinstance(value, list):
        return [stilled(each) for each in value]
    return still(value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def homes(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two homes that begin alike: one is used directly, the other is served."""
    folder = tmp_path_factory.mktemp("twins")
    for name in ("here", "there"):
        shutil.copytree(prepared, folder / name)
    return folder / "here", folder / "there"


@pytest.fixture(scope="module")
def server(homes: tuple[Path, Path]) -> Iterator[tuple[str, str]]:
    """A real `ordo serve` of the second home, and a token that may do everything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDO_")}
    environ = {**kept, "ORDO_HOME": str(homes[1]), "PYTHONPATH": str(ROOT)}
    made = subprocess.run(
        [sys.executable, "-c", SERVE, *["token", "create", "twin", "--scope", "admin", "--yes", "--json"]],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    serving = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", "--port", "0"], env=environ, stderr=subprocess.PIPE, text=True
    )
    assert serving.stderr is not None
    said = serving.stderr.readline()
    url = re.search(r"http://[0-9.:]+", said)
    assert url, said
    yield url[0], json.loads(made.stdout)["data"]["token"]
    serving.send_signal(signal.SIGTERM)
    serving.wait(30)
    serving.stderr.close()


class Both:
    """One command line here and there."""

    def __init__(self, homes: tuple[Path, Path], server: tuple[str, str], names: dict[str, str], nowhere: Path) -> None:
        self._here, (self._url, self._token) = homes[0], server
        self._names, self.nowhere = names, nowhere

    def __call__(self, words: str, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[Answer, Answer]:
        said = [*words.format(**self._names).split(), *more]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORDO_HOME", str(self._here))
            here = self._run(said, capsys)
            patch.setenv("ORDO_HOME", str(self.nowhere))
            patch.setenv("ORDO_TOKEN", self._token)
            there = self._run(["--remote", self._url, *said], capsys)
        return here, there

    def _run(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> Answer:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return Answer(code, said.out, said.err)


@pytest.fixture(scope="module")
def both(
    homes: tuple[Path, Path],
    server: tuple[str, str],
    names: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Both:
    return Both(homes, server, names, tmp_path_factory.mktemp("nowhere") / "home")


@pytest.mark.parametrize("words", SAME)
def test_a_command_says_the_same_there_as_here(words: str, both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    here, there = both(words, capsys, "--json")
    mine, theirs = (stilled(json.loads(answer.out)) for answer in (here, there))
    assert (theirs, there.code) == (mine, here.code), there.err
    assert not both.nowhere.exists()


WRITES = ("buy", "sell", "order modify", "order cancel", "fanout cancel", "kill -", "kill release")
MOVING = ("audit", "trades", "quote NSE:INFY")  # rows are numbered as they come, prices move
READS = [words for words in dict.fromkeys(SAME) if not words.startswith((*WRITES, *MOVING))]


@pytest.mark.parametrize("words", READS)
def test_its_tables_and_its_talk_are_the_same_too(words: str, both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    here, there = both(words, capsys)
    mine, theirs = (
        (answer.code, sorted(still(answer.out).splitlines()), still(answer.err)) for answer in (here, there)
    )
    assert theirs == mine


@pytest.mark.parametrize("words", ["fanout list", "order list", "orders alice", "audit show --limit 5", "account list"])
def test_its_csv_is_the_same_too(words: str, both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    here, there = both(words, capsys, "--csv")
    assert still(there.out).count("\n") == still(here.out).count("\n") > 1
    assert (still(there.out.partition("\n")[0]), there.code) == (still(here.out.partition("\n")[0]), here.code)


@pytest.mark.parametrize(
    "name", sorted(set(tree()) - FAR - {"buy", "sell", "help", "remote", "remote login", "remote logout"})
)
def test_what_has_no_route_refuses_in_one_sentence_and_touches_nothing(
    name: str, both: Both, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORDO_HOME", str(both.nowhere))
        code = main(["--remote", "https://desk.example", *name.split(), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (code, document["error"]["code"]) == (2, "not_remote")
    assert name in document["error"]["message"]
    assert not both.nowhere.exists()


@pytest.mark.parametrize("words", sorted(HERE))
def test_what_a_server_does_not_do_in_this_form_is_said(
    words: str, both: Both, capsys: pytest.CaptureFixture[str]
) -> None:
    _, there = both(words, capsys, "--json")
    assert (there.code, there.wrong["code"]) == (2, "not_remote")


def test_a_leg_that_is_not_there_cannot_be_cancelled(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    here, there = both("order cancel 0000 1111", capsys, "--json")
    assert (there.code, there.wrong["message"]) == (here.code, here.wrong["message"]) == (2, "there is no leg '1111'")
