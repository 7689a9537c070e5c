"""HDFC's list of instruments: only what can be told without a guess, with all that an order must repeat."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.hdfc.master import COLUMNS, _tick, listings
from ordo_cli.brokers.masters import Listing
from ordo_cli.domain.instruments import Kind, contract_of, parse_instrument
from tests.brokers.hdfc.fakes import RECORDED, account, master

HEADER = ",".join(COLUMNS)
NIFTY = "NSE,NIFTYEQEQNR,EQUITY,,0,XX,1,5,22500,26000,NIFTY,,22490"
CALL = "NSE,49599,OPTIDX,2026-11-26,22500.00,CE,75,5,80.10,49599,NIFTY,NIFTYEQEQNR,81"


def read(*lines: str) -> list[Listing]:
    """What these lines give beside the index that most of them are about."""
    found = listings([HEADER + "\n", *(f"{line}\n" for line in lines)])
    return [each for each in found if each.code != "NIFTYEQEQNR"]


def test_the_recorded_list_gives_these_and_no_others() -> None:
    lines = (RECORDED / "security-master.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    source = spec("hdfc").master
    assert source is not None
    listed = [each for each in source.parse("securities", lines) if isinstance(each, Listing)]
    assert {str(each.instrument.id) for each in listed} == {
        "NSE:WIPRO",
        "BSE:WIPRO",
        "NSE:INFY",
        "NSE:TRADTO",
        "NSE:NIFTY",
        "BSE:SENSEX",
        "NFO:NIFTY26NOV2622500CE",
        "NFO:NIFTY26NOV2622500PE",
        "NFO:NIFTY26NOV26FUT",
        "NFO:WIPRO26NOV26FUT",
        "NFO:WIPRO26NOV26457.5CE",
        "BFO:SENSEX26NOV2675000PE",
    }


def test_a_share() -> None:
    found = master().listing(parse_instrument("NSE:WIPRO"))
    assert found is not None
    assert (found.code, found.token, found.segment, found.more) == ("WIPLTDEQNR", "3787", "NSE:EQUITY", {})
    facts = found.instrument
    assert (facts.kind, facts.tick, facts.lot) == (Kind.EQUITY, Decimal("0.05"), 1)


def test_an_option_has_what_its_orders_must_repeat() -> None:
    found = master().listing(parse_instrument("NFO:NIFTY26NOV2622500CE"))
    assert found is not None
    assert (found.code, found.segment, found.instrument.lot) == ("49599", "NSE:OPTIDX", 75)
    assert found.instrument.kind is Kind.OPTION
    assert found.more == {
        "underlying_symbol": "NIFTYEQEQNR",
        "expiry_date": "20261126",
        "strike_price": "22500.00",
        "option_type": "CE",
    }


def test_a_future_has_no_strike_whatever_filler_stands_there() -> None:
    found = master().listing(parse_instrument("NFO:WIPRO26NOV26FUT"))
    assert found is not None
    assert found.more == {"underlying_symbol": "WIPLTDEQNR", "expiry_date": "20261126"}
    assert contract_of(found.instrument.id).strike is None


@pytest.mark.parametrize(
    ("text", "tick"),
    [
        ("5", "0.05"),
        ("1", "0.01"),
        ("10", "0.10"),
        ("100", "1"),
        ("0.05", "0.05"),
        ("0.0500", "0.05"),
        ("1.00", "1"),
        ("7", None),
        ("0", None),
        ("0.0025", None),
        ("", None),
        ("-5", None),
        ("5e-2", None),
        ("\u0665", None),
    ],
)
def test_whole_ticks_are_paise_and_ticks_with_a_point_rupees(text: str, tick: str | None) -> None:
    assert _tick(text) == (None if tick is None else Decimal(tick))


def test_the_underlying_may_come_before_or_after_its_contracts() -> None:
    assert [str(each.instrument.id) for each in read(CALL, NIFTY)] == ["NFO:NIFTY26NOV2622500CE"]
    assert [str(each.instrument.id) for each in read(NIFTY, CALL)] == ["NFO:NIFTY26NOV2622500CE"]
    assert read(CALL) == []


def test_an_index_is_known_and_is_in_no_segment_that_orders_go_to() -> None:
    found = master().listing(parse_instrument("NSE:NIFTY"))
    assert found is not None
    assert (found.code, found.segment) == ("NIFTYEQEQNR", "NSE:INDEX")
    share = NIFTY.replace("NIFTYEQEQNR", "NIFTYLEQNR").replace("26000", "77")
    both = list(listings([f"{line}\n" for line in (HEADER, NIFTY, share)]))
    assert [each.code for each in both] == ["NIFTYLEQNR"]


def test_a_contract_that_two_rows_claim_belongs_to_neither() -> None:
    assert read(NIFTY, CALL, CALL.replace("49599", "49999")) == []


def test_a_share_in_normal_trading_comes_before_its_twin() -> None:
    normal = "NSE,ABCDEFEQNR,EQUITY,,0,XX,1,5,10,5001,ABC,,10"
    other = normal.replace("EQNR", "EQTT").replace("5001", "5002")
    assert [each.code for each in read(other, normal)] == ["ABCDEFEQNR"]
    assert [each.code for each in read(other)] == ["ABCDEFEQTT"]
    assert read(other, other.replace("ABCDEF", "ABCXYZ")) == []


@pytest.mark.parametrize(
    "line",
    [
        CALL.replace("2026-11-26", "26-11-2026"),
        CALL.replace("2026-11-26", "2026-02-30"),
        CALL.replace("22500.00", "0"),
        CALL.replace("22500.00", "-0.01"),
        CALL.replace("22500.00", "NaN"),
        CALL.replace("22500.00", "22_500"),
        CALL.replace(",CE,", ",XX,"),
        CALL.replace(",75,", ",0,"),
        CALL.replace(",75,", ",1.5,"),
        CALL.replace("NSE,", "MCX,"),
        CALL.replace("OPTIDX", "OPTFUT"),
        CALL.replace("49599,OPT", "49 599,OPT"),
        CALL + ",more",
        "",
    ],
)
def test_a_line_that_cannot_be_read_is_left_out(line: str) -> None:
    assert read(NIFTY, line) == []


def test_columns_may_stand_in_another_order_but_not_be_missing() -> None:
    header, rows = list(reversed(COLUMNS)), [list(reversed(line.split(","))) for line in (NIFTY, CALL)]
    assert len(list(listings([",".join(cells) + "\n" for cells in (["\ufeff" + header[0], *header[1:]], *rows)]))) == 2
    for missing in COLUMNS:
        with pytest.raises(ValueError, match="columns"):
            list(listings([",".join(name for name in COLUMNS if name != missing) + "\n", CALL + "\n"]))
    for nonsense in ([], ["<html>\n"], ['{"message": "no"}\n']):
        with pytest.raises(ValueError, match="columns"):
            list(listings(nonsense))
    with pytest.raises(ValueError, match="CSV"):
        list(listings([HEADER + "\n", 'NSE,"open\n']))


def test_the_file_is_public_and_at_the_accounts_own_address() -> None:
    source = spec("hdfc").master
    assert source is not None
    (usual,), (own,) = source.files(account()), source.files(account("http://127.0.0.1:9/"))
    assert (usual.url, usual.secret) == ("https://developer.hdfcsec.com/oapi/v1/security-master", False)
    assert own.url == "http://127.0.0.1:9/oapi/v1/security-master"
    assert source.headers({}, {})["user-agent"]
