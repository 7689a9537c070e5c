"""Every command with its flags, the shape of its JSON and its exit code, by one table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.words import tree

ORDER = "--qty --limit --trigger --to --product --validity --amo --disclosed --tag --split --dry-run --yes --key --wait"
PLACE = f"{ORDER} --timeout --on-partial --allow-duplicate --confirm --json"

FLAGS = {
    "init": "--secrets --key-file --passphrase-file --json",
    "demo": "",
    "doctor": "--json",
    "account add": "--broker --group --weight --base-url --egress --secrets-file --json",
    "account list": "--json --csv",
    "account show": "--json",
    "account edit": "--group --weight --base-url --egress --secrets-file --json",
    "account remove": "--yes --json",
    "account enable": "--json",
    "account disable": "--json",
    "broker list": "--json --csv",
    "broker show": "--json",
    "buy": PLACE,
    "sell": PLACE,
    "order place": PLACE,
    "login": "--json",
    "login otp": "--otp-stdin --otp-command --json",
    "login status": "--json",
    "login out": "--json",
    "order list": "--account --limit --json --csv",
    "order show": "--json",
    "order modify": "--qty --limit --trigger --yes --json",
    "order cancel": "--account --json",
    "order cancel-all": "--json",
    "fanout list": "--account --limit --json --csv",
    "fanout show": "--json",
    "fanout watch": "--until --json",
    "fanout reconcile": "--json",
    "fanout cancel": "--json",
    "leg resolve": "--absent --broker-id --reason --json",
    "kill": "--scope --cancel --flatten --reason --json",
    "kill status": "--json",
    "kill release": "--scope --json",
    "kill drill": "--json",
    "positions": "--json --csv",
    "holdings": "--json --csv",
    "funds": "--json --csv",
    "orders": "--json --csv",
    "trades": "--json --csv",
    "position close": "--instrument --json",
    "quote": "--account --json --csv",
    "instrument sync": "--account --broker --json",
    "instrument search": "--limit --json --csv",
    "instrument show": "--json",
    "instrument price": "--free --json",
    "batch check": "--json",
    "batch run": "--yes --json",
    "status": "--json",
    "audit show": "--json",
    "audit verify": "--json",
    "audit export": "",
    "db upgrade": "--json",
    "db check": "--json",
    "db copy-to": "--json",
    "db backup": "--json",
    "db restore": "--json",
    "token create": "--scope --accounts --max-value --expires --yes --json",
    "token list": "--json --csv",
    "token revoke": "--json",
    "sandbox": "--brokers --port --fault --seed",
    "serve": "--host --port --socket --expose --tls-cert --tls-key --client-ca --workers --allow-host --origin",
    "remote login": "--json",
    "remote logout": "--json",
    "config show": "--json",
    "config path": "--json",
    "config set": "--json",
    "help": "",
}

FAN_OUT = "id key mode outcome created_at intent summary legs replayed"
LEG = "id account broker quantity state tag broker_order_id filled_quantity average_price latency_ms evidence problem"
BOOK = (
    "account broker broker_order_id tag leg instrument side quantity filled_quantity type limit_price trigger_price"
    " average_price product validity state placed_at message"
)
POSITION = "account broker instrument product quantity average_price last_price realised unrealised"
HOLDING = "account broker instrument isin quantity average_price last_price pnl"
FUNDS = "account broker available used collateral total"
TRADE = "account broker trade_id broker_order_id instrument side quantity price product traded_at"
QUOTE = "instrument last_price bid ask open high low previous_close volume at"
INSTRUMENT = "instrument name kind tick lot freeze_quantity lower_band upper_band isin"
TOKEN = "id name state scopes accounts max_value created_at expires_at last_used_at revoked_at"
LOGIN = "account broker session until market_close covers_close challenge problem"
CANCELLED = "account broker_order_id leg state filled_quantity problem"


@dataclass(frozen=True)
class Walk:
    """One command line: its exit code, what its document is called, and the fields of its data or of one row of it."""

    words: str
    code: int
    called: str
    fields: str = ""
    rows: bool = False


WALKS = [
    Walk("buy NSE:INFY --qty 1 --to alice", 0, "order place", FAN_OUT),
    Walk("sell NSE:INFY --qty 1 --to alice --confirm", 0, "order place", FAN_OUT),
    Walk("order place buy NSE:INFY --qty 1 --to alice --product mis --limit 1500", 0, "order place", FAN_OUT),
    Walk("buy NSE:INFY --qty 7 --split equal --to @family --dry-run", 0, "order place", "mode legs unallocated value"),
    Walk("buy NSE:INFY --qty 1 --to alice --to bob", 6, "order place", FAN_OUT),
    Walk("buy NSE:INFY --qty 1 --to bob", 5, "order place", FAN_OUT),
    Walk("buy NSE:INFY --qty 1 --to carol", 7, "order place", FAN_OUT),
    Walk("buy NSE:TCS --qty 1 --limit 2900 --to carol", 3, "order place", FAN_OUT),
    Walk("buy NSE:INFY --qty 1 --limit 1400 --to alice --wait filled --timeout 0.1", 8, "order place", FAN_OUT),
    Walk("buy NSE:INFY --qty 10 --to alice --key filled-1", 0, "order place", FAN_OUT),
    Walk("order list", 0, "order list", LEG + " fanout intent", rows=True),
    Walk("order list --account carol", 0, "order list", LEG, rows=True),
    Walk("order show {resting}", 0, "order show", LEG + " book"),
    Walk("order modify {resting} --limit 1410", 0, "order modify", LEG),
    Walk("order cancel {resting}", 0, "order cancel", CANCELLED, rows=True),
    Walk("order cancel 99 --account alice", 5, "order cancel", CANCELLED, rows=True),
    Walk("order cancel-all alice", 0, "order cancel-all", CANCELLED, rows=True),
    Walk("fanout list", 0, "fanout list", FAN_OUT, rows=True),
    Walk("fanout show {fanout}", 7, "fanout show", FAN_OUT),
    Walk("fanout watch {filled}", 0, "fanout watch", FAN_OUT),
    Walk("fanout reconcile", 6, "fanout reconcile", "moved unknown orphans failures"),
    Walk("fanout reconcile {fanout}", 0, "fanout reconcile", "moved unknown orphans failures"),
    Walk("fanout cancel {resting}", 0, "fanout cancel", CANCELLED, rows=True),
    Walk("positions", 6, "positions", POSITION, rows=True),
    Walk("positions alice", 0, "positions", POSITION, rows=True),
    Walk("holdings alice bob", 0, "holdings", HOLDING, rows=True),
    Walk("funds alice", 0, "funds", FUNDS, rows=True),
    Walk("funds dave", 4, "funds", FUNDS, rows=True),
    Walk("orders alice", 0, "orders", BOOK, rows=True),
    Walk("trades @family", 0, "trades", TRADE, rows=True),
    Walk("position close alice --instrument NSE:INFY", 0, "position close", "clean accounts"),
    Walk("quote NSE:INFY", 0, "quote", QUOTE, rows=True),
    Walk("quote NSE:NOPE", 1, "quote", QUOTE, rows=True),
    Walk("instrument search info", 0, "instrument search", f"{INSTRUMENT} brokers", rows=True),
    Walk("instrument show NSE:INFY", 0, "instrument show", INSTRUMENT),
    Walk("instrument price NSE:INFY 1510", 0, "instrument price", "instrument price"),
    Walk("instrument price NSE:INFY --free", 0, "instrument price", "instrument price"),
    Walk("init --secrets vault", 0, "init"),
    Walk("account list", 0, "account list", "account broker mode groups weight enabled", rows=True),
    Walk("account show alice", 0, "account show", "account broker groups limits"),
    Walk("account add erin --broker paper", 0, "account add", "account broker"),
    Walk("account edit alice --weight 3", 0, "account edit", "account weight"),
    Walk("account disable bob", 0, "account disable", "account enabled"),
    Walk("account enable bob", 0, "account enable", "account enabled"),
    Walk("broker list", 0, "broker list", "broker", rows=True),
    Walk("broker show paper", 0, "broker show", "broker"),
    Walk("token create bot --scope read", 0, "token create", TOKEN + " token"),
    Walk("token create boss --scope admin --expires never --yes", 0, "token create", TOKEN + " token"),
    Walk("token list", 0, "token list", TOKEN, rows=True),
    Walk("token revoke dash", 0, "token revoke", TOKEN),
    Walk("kill status", 0, "kill status"),
    Walk("kill --scope account:alice --reason test", 0, "kill"),
    Walk("login", 0, "login", LOGIN, rows=True),
    Walk("login alice", 0, "login", LOGIN, rows=True),
    Walk("login status", 0, "login status", LOGIN, rows=True),
    Walk("status", 0, "status", "accounts kill unknown_legs"),
    Walk("config show", 0, "config show"),
    Walk("config path", 0, "config path"),
    Walk("audit verify", 0, "audit verify"),
    Walk("audit show", 0, "audit show"),
    Walk("db check", 0, "db check"),
]

MISTAKES = [
    ("buy", 2, "order place", "usage"),
    ("buy NSE:INFY", 2, "order place", "usage"),
    ("buy NSE:INFY --qty 10", 2, "order place", "invalid"),
    ("buy NSE:INFY --qty ten --to alice", 2, "order place", "invalid"),
    ("buy NSE:INFY --qty 1.5 --to alice", 2, "order place", "invalid"),
    ("buy NSE:INFY --qty १० --to alice", 2, "order place", "invalid"),
    ("buy INFY --qty 10 --to alice", 2, "order place", "invalid"),
    ("buy NSE:INFY --qty 10 --limit NaN --to alice", 2, "order place", "invalid"),
    ("buy NSE:INFY --qty 10 --to nobody", 2, "order place", "not_found"),
    ("buy NSE:INFY --qty 10 --to @none", 2, "order place", "not_found"),
    ("buy NSE:INFY NSE:TCS --qty 10 --to alice", 2, "order place", "invalid"),
    ("buy NSE:INFY alice --qty 10", 2, "order place", "invalid"),
    ("buy NSE:INFY --qty 10 --to alice --product ccn", 2, "order place", "usage"),
    ("buy NSE:INFY --qty 10 --to alice --wait soon", 2, "order place", "invalid"),
    ("buy NSE:INFY --qty 10 --to alice --on-partial panic", 2, "order place", "invalid"),
    ("buy NSE:INFY --qty 10 --to alice --validity ioc --amo", 2, "order place", "invalid"),
    ("buy NSE:INFY --qty 11 --to alice --key filled-1", 2, "order place", "key_conflict"),
    ("buy NSE:NOPE --qty 1 --limit 10 --to alice", 3, "order place", ""),
    ("buy NSE:INFY --qty 1 --limit 1500.01 --to alice", 3, "order place", ""),
    ("buy NSE:INFY --qty 100000 --to alice", 3, "order place", ""),
    ("sell NSE:WIPRO --qtty 1 --to alice", 2, "order place", "usage"),
    ("order list --csv", 2, "order list", "invalid"),
    ("order show nothing", 2, "order show", "not_found"),
    ("order modify {resting}", 2, "order modify", "invalid"),
    ("order modify {filled}-1 --limit 1501", 3, "order modify", "ALREADY_DONE"),
    ("order cancel nothing", 2, "order cancel", "not_found"),
    ("fanout show nothing", 2, "fanout show", "not_found"),
    ("fanout watch {fanout} --until dawn", 2, "fanout watch", "invalid"),
    ("leg resolve {fanout}-2", 2, "leg resolve", "invalid"),
    ("leg resolve {fanout}-2 --absent --reason seen", 2, "leg resolve", "needs_terminal"),
    ("leg resolve {fanout}-2 --broker-id 1", 2, "leg resolve", "needs_input"),
    ("leg resolve {fanout}-2 --broker-id 1 --reason seen", 2, "leg resolve", "not_found"),
    ("leg resolve {filled}-1 --broker-id 1 --reason seen", 3, "leg resolve", "ALREADY_DONE"),
    ("positions nobody", 2, "positions", "not_found"),
    ("position close alice --instrument INFY", 2, "position close", "invalid"),
    ("quote INFY", 2, "quote", "invalid"),
    ("instrument sync", 2, "instrument sync", "not_found"),
    ("instrument sync --account alice", 2, "instrument sync", "invalid"),
    ("instrument show NSE:NOPE", 2, "instrument show", "not_found"),
    ("instrument price NSE:INFY", 2, "instrument price", "invalid"),
    ("instrument price NSE:INFY 1500.01", 2, "instrument price", "invalid"),
    ("account remove alice", 2, "account remove", ""),
    ("kill --scope planet:mars", 2, "kill", ""),
    ("kill release", 3, "kill release", "needs_terminal"),
    ("surf", 2, "surf", "usage"),
    ("login nobody", 2, "login", "not_found"),
    ("login @none", 2, "login", "not_found"),
    ("login otp", 2, "login otp", "usage"),
    ("login otp alice", 2, "login otp", "no_login"),
    ("login otp nobody", 2, "login otp", "not_found"),
    ("login status nobody", 2, "login status", "not_found"),
    ("token create", 2, "token create", "usage"),
    ("token create bot", 2, "token create", "usage"),
    ("token create bot --scope all", 2, "token create", "usage"),
    ("token create bot --scope read --accounts nobody", 2, "token create", "not_found"),
    ("token create bot --scope read --accounts alice=10", 2, "token create", "invalid"),
    ("token create bot --scope read --max-value NaN", 2, "token create", "invalid"),
    ("token create bot --scope read --max-value 0", 2, "token create", "invalid"),
    ("token create bot --scope read --expires soon", 2, "token create", "invalid"),
    ("token create Bot! --scope read", 2, "token create", "invalid"),
    ("token create dash --scope read", 2, "token create", "invalid"),
    ("token create bot --scope admin", 2, "token create", "needs_input"),
    ("token revoke nobody", 2, "token revoke", "not_found"),
    ("help nothing", 2, "help", ""),
]


def one_of(data: Any) -> Any:
    """A row of what lists rows, consolidated or not."""
    rows = data["rows"] if isinstance(data, dict) else data
    return rows[0] if rows else None


def test_every_command_of_the_contract_is_there_and_no_other() -> None:
    groups = {name.partition(" ")[0] for name in FLAGS if " " in name}
    assert {name for name in tree() if name not in groups or name in ("kill", "login")} == set(FLAGS)


@pytest.mark.parametrize("command", FLAGS)
def test_it_has_the_flags_it_promises_and_help(command: str, cli: Run) -> None:
    there = {flag for parameter in tree()[command].params for flag in parameter.opts}
    assert set(FLAGS[command].split()) <= there
    said = cli(*command.split(), "--help")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"Usage: ordo {command} ")
    example = said.out.split("\n\n")[1]
    assert f"ordo {command.split()[0]}" in example, f"help of {command} does not begin with an example"


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.words)
def test_its_json_and_its_exit_code(walk: Walk, cli: Run, names: dict[str, str]) -> None:
    said = cli(*walk.words.format(**names).split(), "--json")
    assert said.code == walk.code, said.out + said.err
    document = said.document
    assert set(document) == {"schema_version", "command", "exit_code", "data"}
    assert document["command"] == walk.called
    data = one_of(document["data"]) if walk.rows else document["data"]
    if data is not None and walk.fields:
        assert set(walk.fields.split()) <= set(data)


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.words)
def test_the_same_without_json(walk: Walk, cli: Run, names: dict[str, str]) -> None:
    said = cli(*walk.words.format(**names).split())
    assert said.code == walk.code, said.out + said.err
    assert not said.out.startswith("{")
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize(("words", "code", "called", "reason"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_one_sentence_and_one_document(
    words: str, code: int, called: str, reason: str, cli: Run, names: dict[str, str]
) -> None:
    line = words.format(**names).split()
    said = cli(*line, "--json")
    assert said.code == code, said.out + said.err
    document = said.document
    assert (document["command"], set(document)) == (called, {"schema_version", "command", "exit_code", "error"})
    assert set(document["error"]) == {"code", "message", "hint"}
    assert reason in (document["error"]["code"], "")
    plain = cli(*line)
    if "--csv" not in line:
        assert plain.code == code
        assert plain.out == ""
        assert "error: " in plain.err


def test_nothing_was_sent_by_a_refused_order(cli: Run, names: dict[str, str]) -> None:
    before = cli("orders alice carol --json").told["rows"]
    for words, code, called, _ in MISTAKES:
        if called == "order place":
            assert cli(*words.format(**names).split()).code == code
    assert cli("orders alice carol --json").told["rows"] == before


def test_a_fan_out_reads_as_the_contract_shows_it(cli: Run) -> None:
    data = cli("buy NSE:INFY --qty 10 --limit 1500.05 --to alice --to bob --json").told
    assert data["summary"] == {"legs": 2, "accepted": 1, "filled": 1, "refused": 1, "not_sent": 0, "unknown": 0}
    asked = {name: data["intent"][name] for name in ("side", "instrument", "type", "quantity", "limit_price")}
    assert asked == {"side": "buy", "instrument": "NSE:INFY", "type": "limit", "quantity": 10, "limit_price": "1500.05"}
    assert (data["outcome"], data["mode"]) == ("partial", "paper")
    assert data["created_at"].endswith("Z")
    leg = data["legs"][0]
    assert isinstance(leg["latency_ms"], float)
    assert leg["average_price"] == "1500.00"
    assert data["legs"][1]["problem"]["code"] == "REFUSED"


def test_the_same_key_again_sends_nothing_and_says_so(cli: Run) -> None:
    again = cli("buy NSE:INFY --qty 10 --to alice --key filled-1 --json")
    assert again.told["replayed"] is True
    assert "nothing new is sent" in again.err
    assert len(cli("orders alice --json").told["rows"]) == 3


def test_the_banner_and_the_key_come_before_anything_is_sent(cli: Run) -> None:
    lines = cli("buy NSE:INFY --qty 1 --to alice --to bob --key mine-1234").err.splitlines()
    assert lines[0] == "PAPER 2 accounts (alice, bob)"
    assert "key mine-1234" in lines[1]
    assert {line.split()[0] for line in lines[2:4]} == {"alice", "bob"}


def test_targets_may_follow_the_flag_without_repeating_it(cli: Run) -> None:
    data = cli(*["buy", "NSE:INFY", "--qty", "1", "--dry-run", "--json", "--to", "alice", "@family", "carol=5"]).told
    assert [(leg["account"], leg["quantity"]) for leg in data["legs"]] == [("alice", 1), ("bob", 1), ("carol", 5)]


def test_a_dry_run_shows_what_fits_nobodys_lots(cli: Run) -> None:
    future = cli("instrument search NIFTY --json").told[0]
    words = ["buy", future["instrument"], "--qty", str(3 * future["lot"]), "--product", "nrml", "--split", "equal"]
    data = cli(*words, "--to", "alice", "--to", "bob", "--dry-run", "--json").told
    assert [leg["quantity"] for leg in data["legs"]] == [2 * future["lot"], future["lot"]]
    assert data["unallocated"] == 0
    assert "dry run: nothing was sent" in cli(*words, "--to", "alice", "--dry-run").err


def test_what_nobody_gets_is_said_when_it_is_sent(cli: Run) -> None:
    said = cli("buy NSE:SBIN --qty 1 --split equal --to alice bob --json")
    assert [leg["account"] for leg in said.told["legs"]] == ["alice"]
    assert "too little for: bob" in said.err
    future = cli("instrument search NIFTY --json").told[0]
    words = ["buy", future["instrument"], "--qty", str(future["lot"] + 1), "--product", "nrml", "--split", "weights"]
    assert "1 of 66 units are left over" in cli(*words, "--to", "alice").err
    assert "left over" not in cli("buy NSE:ITC --qty 3 --to alice=3").err


def test_a_noun_alone_shows_its_verbs(cli: Run) -> None:
    said = cli("order")
    assert (said.code, said.out) == (2, "")
    assert "cancel-all" in said.err
    assert "error:" not in said.err
    assert cli("order --json").wrong["code"] == "usage"


def test_a_row_that_could_not_be_read_is_named(cli: Run) -> None:
    said = cli("positions --json")
    assert [failure["account"] for failure in said.told["failures"]] == ["dave"]
    assert "dave could not be read" in cli("positions").err


def test_a_price_that_is_not_known_is_named(cli: Run) -> None:
    for form in ((), ("--json",), ("--csv",)):
        said = cli("quote", "NSE:INFY", "NSE:NOPE", *form)
        assert said.code == 6
        assert "ordo instrument search NOPE" in said.err


def test_who_waits_in_vain_is_told_how_to_go_on(cli: Run, names: dict[str, str]) -> None:
    said = cli("buy NSE:INFY --qty 1 --limit 1460 --to alice --wait filled --timeout 0.1")
    assert said.code == 8
    assert "ordo fanout watch" in said.err


def test_a_cancel_of_nothing_names_nobody(cli: Run, names: dict[str, str]) -> None:
    said = cli("fanout cancel {filled}".format(**names))
    assert (said.code, said.err) == (0, "nothing to cancel\n")


def test_a_list_that_was_cut_says_so(cli: Run) -> None:
    assert "--limit" in cli("instrument search nifty --limit 2").err
    assert cli("instrument search reliance").err == ""


def test_a_refused_order_in_the_book_is_still_ours(cli: Run) -> None:
    placed = cli("buy NSE:SBIN --qty 1 --to bob --json").told["legs"][0]
    (row,) = cli("orders bob --json").told["rows"]
    assert (row["leg"], row["tag"]) == (placed["id"], placed["tag"])


@pytest.mark.parametrize("command", ["fanout list", "order list"])
def test_a_list_of_nothing_says_so_and_one_of_nobody_is_a_mistake(command: str, cli: Run) -> None:
    said = cli(f"{command} --account dave")
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith("no ")
    assert cli(f"{command} --account dave --json").told == []
    assert cli(f"{command} --account nobody --json").wrong["code"] == "not_found"


def test_lists_come_as_csv_too(cli: Run) -> None:
    for command in ("positions", "orders", "funds", "trades", "holdings", "order list", "fanout list", "account list"):
        out = cli(*command.split(), "--csv").out
        head = out.splitlines()[0]
        assert "," in head
        assert "  " not in head


def test_after_a_kill_nothing_is_sent_and_cancelling_goes_on(cli: Run, names: dict[str, str]) -> None:
    assert cli("kill --reason test").code == 0
    assert cli("buy NSE:INFY --qty 1 --to alice --json").wrong["code"] == "kill_engaged"
    assert cli("buy NSE:INFY --qty 1 --to alice").code == 9
    assert cli("order cancel {resting}".format(**names)).code == 0
    assert cli("position close alice").code == 0


def refuse(number: str) -> None:
    raise AssertionError(number)


def test_money_in_json_is_text_wherever_it_stands(cli: Run) -> None:
    for command in ("positions", "funds", "orders", "trades"):
        json.loads(cli(command, "--json").out, parse_float=refuse)
