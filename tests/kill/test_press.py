"""`ordo kill`: it stops first and whatever happens, it says only what it knows, and it never guesses a scope."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ordo_cli import arming, press
from ordo_cli.desk import open_desk
from ordo_cli.domain.kill import GLOBAL, Level
from ordo_cli.home import Home
from ordo_cli.services import startup
from tests.kill.conftest import Ordo, is_armed
from tests.kill.senders import ENTRY, Sender, environment

Pressed = Callable[..., "subprocess.CompletedProcess[str]"]

HEAVY = ("typer", "rich", "asyncio", "dataclasses", "typing", "re", "enum", "pathlib", "argparse", "json", "tomllib")


def no_clean_up(words: list[str], outcome: press.Outcome) -> int:
    pytest.fail("a press that only blocks goes no further")


def row_of(home: Home, kind: str = "global", name: str = "") -> tuple[int, int | None, str | None] | None:
    with sqlite3.connect(home.database) as connection:
        found = connection.execute(
            "SELECT engaged, level, reason FROM switches WHERE kind = ? AND name = ?", (kind, name)
        ).fetchone()
    connection.close()
    return found  # type: ignore[no-any-return]


def audited(home: Home) -> int:
    with sqlite3.connect(home.database) as connection:
        (count,) = connection.execute("SELECT count(*) FROM audit WHERE type = 'kill'").fetchone()
    connection.close()
    return int(count)


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Another process holds the database, as a writer that hangs would."""
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE')"
    process = subprocess.Popen(
        [sys.executable, "-c", code + "; print(1, flush=True); sys.stdin.read()", home.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


@pytest.fixture
def here(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("ORDO_HOME", home.data)
    return home


@pytest.fixture(params=["a process of its own", "this process"])
def press_of(request: pytest.FixtureRequest, here: Home, ordo: Ordo, capfd: pytest.CaptureFixture[str]) -> Pressed:
    """Press as a user does, and in the process of the tests, whose branches are counted."""
    if request.param == "a process of its own":
        return ordo

    def pressed(*words: str) -> subprocess.CompletedProcess[str]:
        code = press.main(list(words), no_clean_up)
        assert code is not None
        return subprocess.CompletedProcess(words, code, *capfd.readouterr())

    return pressed


# What must not stop a press.


def test_a_stopped_sender_is_not_waited_for_and_not_passed_over_in_silence(
    home: Home, press_of: Pressed, sender: Sender
) -> None:
    sender.stop()
    begun = time.monotonic()
    done = press_of("kill")
    assert time.monotonic() - begun < 3
    assert done.returncode == 10
    assert "ENGAGED, 1 senders not confirmed" in done.stdout
    assert f"process {sender.process.pid}" in done.stderr
    assert not is_armed(home)
    assert row_of(home) == (1, 1, None)


def test_a_locked_database_delays_the_record_and_nothing_else(home: Home, ordo: Ordo) -> None:
    with locked(home):
        begun = time.monotonic()
        done = ordo("kill", "--reason", "wrong size")
        assert time.monotonic() - begun < 5
    assert done.returncode == 0
    assert done.stdout.startswith("ENGAGED (files), quiet confirmed in")
    assert "the next ordo writes it" in done.stderr
    assert not is_armed(home)
    assert row_of(home) == (0, None, "armed for the first time")


async def test_the_next_start_writes_down_what_the_database_missed(home: Home, ordo: Ordo) -> None:
    with locked(home):
        ordo("kill", "--reason", "wrong size")
        ordo("kill", "--scope", "account:alice", "--reason", "also alice")
    async with open_desk(home, actor="test") as desk:
        await startup.wake(desk)
        await startup.wake(desk)
    found = row_of(home)
    assert found is not None
    assert found[:2] == (1, 1)
    assert str(found[2]).startswith("wrong size (pressed at 20")
    assert (row_of(home, "account", "alice") or (0,))[0] == 1
    assert audited(home) == 2
    assert os.listdir(os.path.join(home.run, "presses")) == []


def _full_disk() -> None:
    # No file may grow beyond one byte: like a full disk, it leaves room to overwrite and to unlink.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


def test_a_full_disk_does_not_stop_a_press(home: Home, ordo: Ordo) -> None:
    done = ordo("kill", "--reason", "no room", preexec_fn=_full_disk)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ENGAGED (files), quiet confirmed in")
    assert not is_armed(home)
    notes = os.listdir(os.path.join(home.run, "presses"))
    assert [note.split("~", 1)[1] for note in notes] == ["1~global~"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_file_system_without_one_free_block_does_not_stop_a_press(home: Home, ordo: Ordo, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "none", str(small)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        subprocess.run(["cp", "-a", f"{home.data}/.", str(small)], check=True)
        fill = subprocess.run(["dd", "if=/dev/zero", f"of={small}/rest", "bs=4k"], capture_output=True)
        assert fill.returncode != 0
        done = ordo("--home", str(small), "kill")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("ENGAGED (files), quiet confirmed in")
        assert not (small / "run" / "armed").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_run_folder_that_is_gone_is_engaged_and_not_confirmed(home: Home, ordo: Ordo) -> None:
    shutil.rmtree(home.run)
    done = ordo("kill")
    assert done.returncode == 10
    assert "an unknown number of senders not confirmed" in done.stdout
    assert row_of(home) == (1, 1, None)


@pytest.mark.parametrize("closed", ["run", "run/armed.d"])
def test_folders_without_any_right_are_opened_to_unlink(home: Home, ordo: Ordo, closed: str) -> None:
    os.chmod(os.path.join(home.data, closed), 0o000)
    done = ordo("kill", "--scope", "account:alice")
    assert done.returncode == 0, done.stderr
    assert not is_armed(home, "account", "alice")


@pytest.fixture
def immovable(home: Home) -> Iterator[str]:
    path = arming.path_of(home.run, "global", "")
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", path], capture_output=True).returncode != 0:
        pytest.skip("no file can be made immutable here")
    yield path
    subprocess.run(["chattr", "-i", path], check=True)


def test_a_file_that_cannot_be_removed_is_said_aloud_and_the_row_stops_instead(
    home: Home, press_of: Pressed, immovable: str
) -> None:
    done = press_of("kill")
    assert "ENGAGED by its database row alone; the arming file could not be removed" in done.stdout
    assert row_of(home) == (1, 1, None)


def test_with_neither_file_nor_row_it_does_not_claim_to_have_stopped(
    home: Home, press_of: Pressed, immovable: str
) -> None:
    with locked(home):
        done = press_of("kill")
    assert done.returncode == 10
    assert done.stdout.startswith("NOT STOPPED")


def test_nobody_listening_does_not_stop_a_press(home: Home) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([sys.executable, "-c", ENTRY, "kill"], env=environment(home), stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert not is_armed(home)


def test_ctrl_c_while_it_waits_for_the_database_leaves_it_engaged(home: Home) -> None:
    with locked(home):
        for _ in range(5):  # it waits for a second only, which a machine may need to deliver the signal
            code, errors = interrupted_press(home)
            assert "Traceback" not in errors
            assert not is_armed(home)
            if code == 130:
                break
    assert code == 130
    assert os.listdir(os.path.join(home.run, "presses"))


def interrupted_press(home: Home) -> tuple[int, str]:
    """Press, and Ctrl-C as soon as the press is noted: then it waits for the database."""
    notes = os.path.join(home.run, "presses")
    before = len(os.listdir(notes)) if os.path.isdir(notes) else 0
    process = subprocess.Popen(
        [sys.executable, "-c", ENTRY, "kill"],
        env=environment(home),
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background makes them, and so this, deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < until:
        if os.path.isdir(notes) and len(os.listdir(notes)) > before:
            process.send_signal(signal.SIGINT)
            break
        time.sleep(0.005)
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors


def test_a_missing_database_does_not_stop_a_press(home: Home, press_of: Pressed) -> None:
    os.unlink(home.database)
    done = press_of("kill")
    assert done.returncode == 0
    assert done.stdout.startswith("ENGAGED (files)")
    assert not os.path.exists(home.database)


def test_a_damaged_settings_file_does_not_stop_a_press(home: Home, ordo: Ordo) -> None:
    Path(home.config_file).write_text("[database]\nurl = [[[", encoding="utf-8")
    done = ordo("kill")
    assert done.returncode == 0
    assert not is_armed(home)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("words", [("kill",), ("kill", "--scope", "account:alice")], ids=" ".join)
def test_pipes_instead_of_files_do_not_hold_a_press_up(home: Home, press_of: Pressed, words: tuple[str, ...]) -> None:
    for path in (
        home.config_file,
        arming.path_of(home.run, "global", ""),
        arming.path_of(home.run, "account", "alice"),
    ):
        os.unlink(path)
        os.mkfifo(path, 0o600)
    done = press_of(*words)
    assert (done.returncode, done.stdout[:7]) == (0, "ENGAGED")
    assert row_of(home, *(("account", "alice") if "--scope" in words else ())) == (1, 1, None)


def test_ctrl_c_right_after_the_file_is_gone_says_what_was_reached(
    here: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*words: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "utime", interrupted)
    assert press.main(["kill"], no_clean_up) == 130
    assert "interrupted; ENGAGED (files)" in capfd.readouterr().err
    assert not is_armed(here)


def test_a_note_without_its_reason_is_still_a_note(here: Home) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        code = press.main(["kill", "--reason", "longer than the disk has room"], no_clean_up)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 0
    assert [asked.scope for _, asked, _ in press.pending(here.run)] == ["global"]


def test_folders_whose_rights_cannot_be_mended_are_said(here: Home, immovable: str) -> None:
    with contextlib.ExitStack() as stack:
        for folder in (here.run, os.path.join(here.run, "armed.d")):
            subprocess.run(["chattr", "+i", folder], check=True)
            stack.callback(subprocess.run, ["chattr", "-i", folder], check=True)
        problem = arming.disarm(here.run, "global", "")
    assert isinstance(problem, PermissionError)


# What it must not do.


@pytest.mark.parametrize(
    "words",
    [
        ["--scope", "acount:alice"],
        ["--scope", "account"],
        ["--scope", "account:"],
        ["--scope", "account:../x"],
        ["--scope", "account:Alice"],
        ["--scope", "account:all"],
        ["--scope", "account:" + "a" * 33],
        ["--scope", "global:x"],
        ["--scope", "group:-x"],
        ["--scope", "account:nobody"],
        ["--scope", "group:nobody"],
        ["--scope", "broker:nobody"],
        ["--scope"],
        ["--scope="],
        ["--flaten"],
        ["everything"],
        ["--cancel", "--flatten"],
        ["--reason"],
        ["--home", ""],
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_cannot_be_understood_stops_nothing_and_says_so(
    here: Home, words: list[str], as_json: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    before = Path(here.database).read_bytes()
    code = press.main(["kill", *(["--json"] if as_json else []), *words], no_clean_up)
    out, errors = capfd.readouterr()
    assert code == 2
    assert "NOTHING WAS STOPPED" in errors
    assert "Traceback" not in errors
    assert is_armed(here)
    assert is_armed(here, "account", "alice")
    assert Path(here.database).read_bytes() == before
    if as_json:
        document = json.loads(out)
        assert document["exit_code"] == 2
        assert document["error"]["code"] == "invalid"
    else:
        assert out == ""


def test_a_home_that_is_none_is_not_taken_for_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "mistyped"))
    assert press.main(["kill"], no_clean_up) == 2
    said = capfd.readouterr().err
    assert "there is no ordo at" in said
    assert "ordo --home FOLDER kill" in said
    assert not (tmp_path / "mistyped").exists()


def test_a_name_that_cannot_be_looked_up_is_not_reported_as_done(home: Home, press_of: Pressed) -> None:
    with locked(home):
        done = press_of("kill", "--scope", "account:alcie")
    assert done.returncode == 10
    assert "CHECK THE NAME" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["kill", "status"],
        ["kill", "release", "--scope", "global"],
        ["kill", "drill"],
        ["kill", "--help"],
        ["kill", "-h"],
        ["buy", "kill"],
        ["--cancel"],
        ["account", "add", "kill"],
    ],
)
def test_other_commands_go_to_the_whole_program(here: Home, words: list[str]) -> None:
    assert press.main(words, no_clean_up) is None
    assert is_armed(here)


# What it does.


@pytest.mark.parametrize("scope", ["global", "broker:paper", "account:alice", "group:family"])
def test_each_scope_is_stopped_recorded_and_audited(here: Home, scope: str, capfd: pytest.CaptureFixture[str]) -> None:
    kind, _, name = scope.partition(":")
    assert press.main(["kill", f"--scope={scope}", "--reason=wrong\x1b[2J size"], no_clean_up) == 0
    assert capfd.readouterr().out.startswith("ENGAGED, quiet confirmed in ")
    assert not os.path.exists(arming.path_of(here.run, kind, name))
    assert row_of(here, kind, name) == (1, 1, "wrong[2J size")
    assert audited(here) == 1
    assert is_armed(here, "account", "bob")
    assert os.listdir(os.path.join(here.run, "presses")) == []


def test_the_json_is_one_document(here: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert press.main(["kill", "--json", "--reason", "why", "--no-input", "--yes"], no_clean_up) == 0
    out, errors = capfd.readouterr()
    document = json.loads(out)
    assert errors == ""
    assert (document["schema_version"], document["command"], document["exit_code"]) == (1, "kill", 0)
    data = document["data"]
    assert (data["scope"], data["level"], data["reason"]) == ("global", "block", "why")
    assert data["engaged"] is data["quiet"] is data["recorded"] is True
    assert data["accounts"] == data["senders"] == []


def test_a_second_press_escalates_and_a_lower_one_does_not_lower(here: Home) -> None:
    went_on: list[int] = []

    def clean_up(words: list[str], outcome: press.Outcome) -> int:
        went_on.append(outcome.exit_code)
        return 0

    levels = []
    for words in (["kill"], ["kill", "--flatten"], ["kill", "--cancel", "--all", "--include-protective"], ["kill"]):
        assert press.main(words, clean_up) == 0
        found = row_of(here)
        levels.append(found[1] if found else None)
    assert levels == [Level.BLOCK, Level.FLATTEN, Level.FLATTEN, Level.FLATTEN]
    assert went_on == [0, 0]


def test_the_home_may_be_given_before_or_after_the_word(home: Home) -> None:
    assert press.main(["--home", home.data, "kill", "--scope", "account:alice"], no_clean_up) == 0
    assert press.main(["kill", f"--home={home.data}"], no_clean_up) == 0
    assert not is_armed(home)


@pytest.mark.parametrize("given", ["environment", "settings"])
def test_a_database_of_ones_own_gets_the_row(
    here: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    os.rename(here.database, elsewhere)
    if given == "environment":
        monkeypatch.setenv("ORDO_DATABASE__URL", f"sqlite:///{elsewhere}")
    else:
        Path(here.config_file).write_text(f'[database]\nurl = "sqlite:///{elsewhere}"\n', encoding="utf-8")
    assert press.main(["kill"], no_clean_up) == 0
    with sqlite3.connect(elsewhere) as connection:
        assert connection.execute("SELECT engaged FROM switches WHERE kind = 'global'").fetchone() == (1,)
    connection.close()


def test_a_database_on_another_machine_is_left_to_the_next_start(
    here: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDO_DATABASE__URL", "postgresql+asyncpg://db/ordo")
    assert press.main(["kill"], no_clean_up) == 0
    assert capfd.readouterr().out.startswith("ENGAGED (files)")
    assert [asked.scope for _, asked, _ in press.pending(here.run)] == ["global"]


def test_settings_without_a_database_mean_the_usual_one(here: Home) -> None:
    Path(here.config_file).write_text('"database" = "x"\n#[database]\n', encoding="utf-8")
    assert press.main(["kill"], no_clean_up) == 0
    Path(here.config_file).write_text("[database]\n# url = 1\n[x]\nurl = 2\n", encoding="utf-8")
    assert press.main(["kill"], no_clean_up) == 0
    assert row_of(here) == (1, 1, None)


def test_when_nothing_can_be_noted_it_says_so(here: Home, capfd: pytest.CaptureFixture[str]) -> None:
    Path(here.run, "presses").write_text("a file where the folder should be", encoding="utf-8")
    with locked(here):
        assert press.main(["kill"], no_clean_up) == 0
    assert "press again when it can" in capfd.readouterr().err


@pytest.mark.timeout(20)
def test_a_note_that_cannot_be_read_is_a_press_without_its_reason(here: Home) -> None:
    folder = Path(here.run) / "presses"
    folder.mkdir(exist_ok=True)
    os.mkfifo(folder / "1700000000000000~1~global~")
    assert [(each.kind, each.reason) for _, each, _ in press.pending(here.run)] == [("global", "")]


def test_notes_of_others_are_left_alone(here: Home) -> None:
    folder = Path(here.run, "presses")
    folder.mkdir(exist_ok=True)
    for name in ("README", "x~1~global~", "1~9~global~", "1~1~planet~", "0001~2~account~alice"):
        (folder / name).write_text("why", encoding="utf-8")
    assert [(asked.scope, asked.level, asked.reason, at) for _, asked, at in press.pending(here.run)] == [
        ("account:alice", 2, "why", 1e-6)
    ]
    (folder / "0002~1~global~").touch()
    noted = press.pending(here.run)
    next(noted)
    (folder / "0002~1~global~").unlink()
    assert list(noted) == []
    press.forget(str(folder / "gone"))
    press.forget(None)


def test_without_notes_nothing_is_pending(tmp_path: Path) -> None:
    assert list(press.pending(str(tmp_path))) == []


def test_the_quick_way_loads_nothing_heavy(home: Home) -> None:
    code = "import sys; from ordo_cli.__main__ import run; sys.argv, names = sys.argv[:2], sys.argv[2:]; run()"
    done = subprocess.run(
        [sys.executable, "-c", code + "; print([n for n in names if n in sys.modules])", "kill", *HEAVY],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_before_the_file_is_gone_not_even_sqlite_is_loaded(home: Home) -> None:
    code = (
        "import sys; from ordo_cli import home, press; press._record = lambda *words: None;"
        "press.engage(home.find_home(), press.Press()); print([n for n in sys.argv[1:] if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "sqlite3", "datetime", "collections", *HEAVY],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert not is_armed(home)
    assert done.stdout == "[]\n"


def test_the_scope_words_are_those_of_the_domain() -> None:
    assert press.Press().scope == str(GLOBAL)
    assert {int(level): level.name.lower() for level in Level} == press.LEVELS
