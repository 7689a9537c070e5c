"""Settings: where each value came from, what is refused, and a file whose other lines stay as they are."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli import config
from ordo_cli.config import text as configtext
from ordo_cli.domain.errors import Invalid, NotFound, Refused
from ordo_cli.home import Home, home_at, make
from ordo_cli.machine import SystemDisk

DISK = SystemDisk()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = home_at(str(tmp_path / "home"))
    make(found)
    return found


def write(home: Home, text: str) -> None:
    DISK.write(home.config_file, text.encode())


def test_without_a_file_every_default_holds(home: Home) -> None:
    loaded = config.load(home, {})
    assert loaded.database_url == f"sqlite:///{home.database}"
    assert loaded.limits.everyone.value_order_max == 200_000
    assert (loaded.deadline_marketable, loaded.deadline_resting) == (5.0, 30.0)
    assert (loaded.read_timeout, loaded.wait_timeout) == (15.0, 30.0)
    assert {origin.source for origin in loaded.origins} == {"default"}


def test_the_template_sets_nothing_and_names_everything(home: Home) -> None:
    write(home, config.template())
    loaded = config.load(home, {})
    assert {origin.source for origin in loaded.origins} == {"default"}
    for origin in loaded.origins:
        assert f"# {origin.path.rpartition('.')[2]} = " in config.template()


def test_the_template_with_every_remark_taken_away_gives_the_defaults(home: Home) -> None:
    before = config.load(home, {})
    opened = [line.removeprefix("# ") if " = " in line else line for line in config.template().splitlines()]
    write(home, "\n".join(opened).partition("# Of the limits")[0])
    after = config.load(home, {})
    assert [(o.path, o.value) for o in after.origins] == [(o.path, o.value) for o in before.origins]
    assert {origin.source for origin in after.origins} == {"config.toml"}


def test_flag_before_environment_before_file_before_default(home: Home) -> None:
    write(home, "[limits]\nday_orders_max = 100\nopen_orders_max = 10\nvalue_order_max = 5\n")
    environ = {"ORDO_LIMITS__DAY_ORDERS_MAX": "90", "ORDO_LIMITS__OPEN_ORDERS_MAX": "9"}
    loaded = config.load(home, environ, {"limits.day_orders_max": "80"})
    found = {origin.path: (origin.value, origin.source) for origin in loaded.origins}
    assert found["limits.day_orders_max"] == (80, "flag")
    assert found["limits.open_orders_max"] == (9, "ORDO_LIMITS__OPEN_ORDERS_MAX")
    assert found["limits.value_order_max"] == (Decimal(5), "config.toml")
    assert found["limits.day_value_max"] == (Decimal(2_500_000), "default")


def test_variables_that_are_no_settings_are_left_alone(home: Home) -> None:
    config.load(home, {"ORDO_HOME": "/x", "ORDO_NO_INPUT": "1", "PATH": "/bin", "OTHER__X": "1"})


def test_a_variable_that_names_no_setting_is_refused_by_its_name(home: Home) -> None:
    with pytest.raises(Invalid, match="ORDO_LIMITS__VALUE_ORDR_MAX"):
        config.load(home, {"ORDO_LIMITS__VALUE_ORDR_MAX": "5"})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[limits]\n\nvalue_ordr_max = 1\n", 3),
        ("[limits]\nvalue_order_max = -1\n", 2),
        ("[limits.accounts.alice]\n# a remark\nday_orders_max = 1.5\n", 3),
        ("[limits.groups.'Family']\nday_orders_max = 1\n", 2),
        ("[sending]\nread_timeout = 0\n", 2),
        ("[sending]\nread_timeout = true\n", 2),
        ("[secrets]\nbackend = 'plaintext'\n", 2),
        ("[database]\nurl = 5\n", 2),
        ("limits = 5\n", 1),
        ("[limit]\nvalue_order_max = 1\n", 2),
        ("[limits]\ninstruments_allowed = [\n 'NSE:INFY',\n 'nse:x',\n]\n", 2),
        ("[limits]\nvalue_order_max = nan\n", 2),
    ],
)
def test_nonsense_in_the_file_is_refused_with_its_line(home: Home, text: str, line: int) -> None:
    write(home, text)
    with pytest.raises(Invalid, match=rf"config\.toml line {line}, "):
        config.load(home, {})


@pytest.mark.parametrize("text", ["[limits\n", "= 1\n", "[limits]\nvalue_order_max = 1\nvalue_order_max = 2\n"])
def test_what_is_not_toml_is_refused(home: Home, text: str) -> None:
    write(home, text)
    with pytest.raises(Invalid, match="is not TOML"):
        config.load(home, {})


def test_a_file_that_is_not_text_is_refused(home: Home) -> None:
    DISK.write(home.config_file, b"\xff\xfe")
    with pytest.raises(Invalid, match="cannot be read"):
        config.load(home, {})


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_and_not_waited_for(home: Home) -> None:
    os.mkfifo(home.config_file)
    with pytest.raises(Invalid, match="cannot be read: it is a pipe"):
        config.load(home, {})


def test_an_amount_in_the_file_is_exact(home: Home) -> None:
    write(home, "[limits]\nvalue_order_max = 0.1\nday_value_max = '200000.05'\n")
    everyone = config.load(home, {}).limits.everyone
    assert (everyone.value_order_max, everyone.day_value_max) == (Decimal("0.1"), Decimal("200000.05"))


def test_limits_of_groups_and_accounts_reach_the_book(home: Home) -> None:
    write(home, "[limits.groups.family]\nday_orders_max = 5\n[limits.accounts.al-ice]\nself_cross = 'refuse'\n")
    book = config.load(home, {}).limits
    assert book.groups == {"family": {"day_orders_max": 5}}
    assert list(book.accounts) == ["al-ice"]


def test_a_brokers_table_is_text(home: Home) -> None:
    write(home, "[brokers.paper]\nseed = 7\nspeed = 1.5\nfast = true\nname = 'x'\n")
    assert config.load(home, {}).brokers == {"paper": {"seed": "7", "speed": "1.5", "fast": "true", "name": "x"}}


def test_setting_a_value_keeps_every_other_line(home: Home) -> None:
    mine = "# mine\n[limits]  # all of them\nvalue_order_max = 5  # low\n\n[sending]\nread_timeout = 9\n"
    write(home, mine)
    config.change(home, DISK, "limits.value_order_max", "300000")
    assert Path(home.config_file).read_text() == mine.replace("= 5", "= 300000")
    config.change(home, DISK, "limits.accounts.alice.day_orders_max", "20")
    after = Path(home.config_file).read_text()
    assert after.startswith(mine.replace("= 5", "= 300000"))
    assert config.load(home, {}).limits.accounts == {"alice": {"day_orders_max": 20}}


def test_setting_a_value_replaces_one_that_runs_over_lines(home: Home) -> None:
    write(home, "[limits]\ninstruments_allowed = [\n  'NSE:INFY',  # one\n]\nday_orders_max = 3\n")
    config.change(home, DISK, "limits.instruments_allowed", "NSE:TCS,NFO:*")
    text = Path(home.config_file).read_text()
    assert text == '[limits]\ninstruments_allowed = ["NFO:*", "NSE:TCS"]\nday_orders_max = 3\n'


def test_setting_a_value_writes_it_under_its_commented_default(home: Home) -> None:
    config.change(home, DISK, "limits.day_orders_max", "20")
    lines = Path(home.config_file).read_text().splitlines()
    at = lines.index("day_orders_max = 20")
    assert lines[at - 1].startswith("# day_orders_max = 200 ")


def test_resetting_a_value_brings_its_default_back(home: Home) -> None:
    config.change(home, DISK, "limits.day_orders_max", "20")
    config.reset(home, DISK, "limits.day_orders_max")
    assert Path(home.config_file).read_text() == config.template()
    with pytest.raises(Invalid):
        config.reset(home, DISK, "limits.nothing")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("limits.value_order_max", "-5"),
        ("limits.value_order_max", "lots"),
        ("limits.nothing", "5"),
        ("limits.accounts.Alice.day_orders_max", "5"),
        ("limits.accounts.all.day_orders_max", "5"),
        ("nothing", "5"),
        ("secrets.backend", "plaintext"),
        ("database.url", "sqlite:///x\n[limits]"),
        ("brokers.paper.a b", "5"),
        ("", ""),
    ],
)
def test_setting_nonsense_writes_nothing(home: Home, path: str, value: str) -> None:
    write(home, "# mine\n")
    with pytest.raises(Invalid):
        config.change(home, DISK, path, value)
    assert Path(home.config_file).read_text() == "# mine\n"


def test_a_text_with_quotes_and_signs_comes_back_as_it_was(home: Home) -> None:
    value = """x"y'z # \\ = [a] é"""
    config.change(home, DISK, "database.url", value)
    assert config.load(home, {}).database_url == value
    config.change(home, DISK, "database.url", "plain")
    assert config.load(home, {}).database_url == "plain"


def test_forgetting_an_account_takes_its_table_and_nothing_else(home: Home) -> None:
    config.change(home, DISK, "limits.accounts.alice.day_orders_max", "20")
    config.change(home, DISK, "limits.accounts.bob.day_orders_max", "30")
    assert config.forget(home, DISK, "limits.accounts.alice")
    assert not config.forget(home, DISK, "limits.accounts.alice")
    assert config.load(home, {}).limits.accounts == {"bob": {"day_orders_max": 30}}
    assert Path(home.config_file).read_text().startswith(config.template().rstrip("\n"))


def test_a_file_that_others_may_write_is_not_traded_on(home: Home) -> None:
    write(home, "")
    config.load(home, {}).require_trusted()
    os.chmod(home.config_file, 0o622)
    with pytest.raises(Refused, match="others may write the file"):
        config.load(home, {}).require_trusted()
    os.chmod(home.config_file, 0o600)
    os.chmod(home.config, 0o770)
    with pytest.raises(Refused, match="others may write the folder"):
        config.load(home, {}).require_trusted()


def test_a_file_of_another_user_is_not_traded_on(home: Home) -> None:
    write(home, "")
    me = os.getuid()
    if me == 0:  # what root owns is trusted by everybody, so the file has to be given away first
        os.chown(home.config_file, 12345, -1)
    assert "belongs to another user" in str(config.distrusted(home.config_file, uid=me if me == 0 else me + 1))


def test_the_file_is_for_its_owner_alone(home: Home) -> None:
    config.change(home, DISK, "limits.day_orders_max", "20")
    assert os.stat(home.config_file).st_mode & 0o777 == 0o600


def test_an_origin_that_nobody_knows_is_not_found(home: Home) -> None:
    assert config.origin_of(config.load(home, {}), "sending.read_timeout").value == 15.0
    with pytest.raises(NotFound):
        config.origin_of(config.load(home, {}), "sending.nothing")


def test_plain_values_can_be_set_again(home: Home) -> None:
    for origin in config.load(home, {}).origins:
        assert config.read(origin.path, config.plain(origin.value)) == origin.value


def test_dotted_keys_are_found_too() -> None:
    text = 'limits.value_order_max = 1\n["limits"."accounts".alice]\n"day_orders_max" = 2\n'
    assert configtext.line_of(text, "limits.value_order_max") == 1
    assert configtext.line_of(text, "limits.accounts.alice.day_orders_max") == 3
    assert configtext.line_of(text, "limits.other") is None


def test_the_password_of_an_address_is_not_shown(home: Home) -> None:
    loaded = config.load(home, {"ORDO_REDIS__URL": "redis://:hunter2-hunter2@127.0.0.1/1"})
    assert loaded.redis_url == "redis://:hunter2-hunter2@127.0.0.1/1"
    assert config.plain(config.origin_of(loaded, "redis.url").value) == "redis://:***@127.0.0.1/1"
    assert "hunter2" not in repr(loaded)


def test_an_address_that_is_none_is_refused_and_not_repeated(home: Home) -> None:
    with pytest.raises(Invalid, match="ORDO_REDIS__URL") as refused:
        config.load(home, {"ORDO_REDIS__URL": "http://:hunter2-hunter2@127.0.0.1"})
    assert "hunter2" not in str(refused.value) + str(refused.value.hint)
