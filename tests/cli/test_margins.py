"""Money that is not there, as the terminal tells it: before an order leaves, for all accounts or for some."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run

ORDER = ("buy", "NSE:INFY", "--qty", "10", "--limit", "1500")


@pytest.fixture
def poor(cli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Erin and Frank begin with five thousand rupees each; Alice has a crore."""
    monkeypatch.setenv("ORDO_BROKERS__PAPER__FUNDS", "5000")
    for name in ("erin", "frank"):
        assert cli("account", "add", name, "--broker", "paper").code == 0
    return cli


def test_when_every_account_is_short_nothing_is_sent_and_the_code_is_three(poor: Run) -> None:
    said = poor(*ORDER, "--to", "erin", "--to", "frank", "--confirm", "--json")
    assert said.code == 3
    assert said.wrong["code"] == "MARGIN_SHORT"
    assert said.wrong["message"] == "needs ₹15000.00 and ₹5000.00 is available"
    assert said.wrong["hint"] == "add funds, send less, or: ordo config set limits.margin_check off"
    assert poor("orders erin frank --json").told["rows"] == []


def test_accounts_that_are_short_of_different_amounts_end_with_three_too(poor: Run) -> None:
    assert poor("buy NSE:INFY --qty 1 --limit 1490 --to erin").code == 0
    said = poor(*ORDER, "--to", "erin", "--to", "frank", "--json")
    assert said.code == 3
    assert [leg["problem"]["code"] for leg in said.told["legs"]] == ["MARGIN_SHORT", "MARGIN_SHORT"]


def test_when_one_account_is_short_the_others_are_sent_and_the_code_is_six(poor: Run) -> None:
    said = poor(*ORDER, "--to", "alice", "--to", "erin", "--json")
    assert said.code == 6
    assert {leg["account"]: leg["state"] for leg in said.told["legs"]} == {"alice": "filled", "erin": "not_sent"}
    assert poor("orders erin --json").told["rows"] == []


def test_a_dry_run_says_who_is_short(poor: Run) -> None:
    said = poor(*ORDER, "--to", "erin", "--dry-run", "--json")
    assert said.code == 3
    assert said.told["legs"][0]["problem"]["code"] == "MARGIN_SHORT"


def test_with_the_check_off_the_exchange_says_no_itself(poor: Run) -> None:
    assert poor("config set limits.margin_check off").code == 0
    said = poor(*ORDER, "--to", "erin", "--json")
    assert said.code == 5
    assert said.told["legs"][0]["problem"]["code"] == "MARGIN"
