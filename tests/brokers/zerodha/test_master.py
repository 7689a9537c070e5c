"""The list of instruments: ordo's one name of each, and nothing that had to be guessed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.zerodha.master import COLUMNS, parse
from ordo_cli.domain.instruments import Exchange, Kind, contract_of, parse_instrument
from tests.brokers.zerodha.fakes import ALICE, CREDENTIALS, RECORDED, SESSION, ListInMemory

HEAD = (RECORDED / "instruments.csv").read_text(encoding="utf-8").splitlines()[0]
LISTED = ListInMemory()

NAMES = {
    ("NSE", "INFY"): "NSE:INFY",
    ("BSE", "INFY"): "BSE:INFY",
    ("NSE", "SBIN"): "NSE:SBIN",
    ("NSE", "M&M"): "NSE:M&M",
    ("NSE", "BAJAJ-AUTO"): "NSE:BAJAJ-AUTO",
    ("NSE", "ABC-BE"): "NSE:ABC-BE",
    ("NFO", "NIFTY26NOVFUT"): "NFO:NIFTY24NOV26FUT",
    ("NFO", "NIFTY26NOV24500CE"): "NFO:NIFTY24NOV2624500CE",
    ("NFO", "NIFTY26D0124500PE"): "NFO:NIFTY01DEC2624500PE",
    ("NFO", "NIFTY2710524500CE"): "NFO:NIFTY05JAN2724500CE",
    ("NFO", "M&M26NOV2912.5PE"): "NFO:M&M24NOV262912.5PE",
    ("NFO", "BAJAJ-AUTO26NOVFUT"): "NFO:BAJAJ-AUTO24NOV26FUT",
    ("BFO", "SENSEX5026NOVFUT"): "BFO:SENSEX5026NOV26FUT",
    ("MCX", "CRUDEOIL26NOVFUT"): "MCX:CRUDEOIL19NOV26FUT",
    ("MCX", "GOLD26DEC120000CE"): "MCX:GOLD27NOV26120000CE",
    ("CDS", "USDINR26NOVFUT"): "CDS:USDINR26NOV26FUT",
}


@pytest.mark.parametrize("key", NAMES, ids=":".join)
def test_each_instrument_has_ordos_name_both_ways(key: tuple[str, str]) -> None:
    exchange, code = key
    listing = LISTED.coded(code, exchange)
    assert listing is not None
    assert str(listing.instrument.id) == NAMES[key]
    assert LISTED.listing(parse_instrument(NAMES[key])) == listing
    assert (listing.code, listing.segment) == (code, exchange)


def test_nothing_else_is_listed_and_indices_are_not() -> None:
    assert {(each.segment, each.code) for each in LISTED.listings} == NAMES.keys()
    assert LISTED.coded("NIFTY 50", "NSE") is None


def test_an_instrument_is_whole() -> None:
    infy, option = LISTED.coded("INFY", "NSE"), LISTED.coded("M&M26NOV2912.5PE", "NFO")
    assert infy is not None
    assert option is not None
    assert infy.token == "408065"
    assert (infy.instrument.kind, infy.instrument.name) == (Kind.EQUITY, "INFOSYS")
    assert (infy.instrument.tick, infy.instrument.lot) == (Decimal("0.05"), 1)
    assert infy.instrument.freeze_quantity is None, "the file has none"
    assert (option.instrument.kind, option.instrument.lot) == (Kind.OPTION, 200)
    contract = contract_of(option.instrument.id)
    assert (contract.base, contract.expiry, contract.strike) == ("M&M", date(2026, 11, 24), Decimal("2912.5"))


def test_ticks_differ_and_a_comma_in_a_name_is_no_column() -> None:
    listing = LISTED.coded("ABC-BE", "NSE")
    assert listing is not None
    assert (listing.instrument.tick, listing.instrument.name) == (Decimal("0.01"), "ABC, WITH A COMMA")


def row(**changes: str) -> str:
    values = {
        "instrument_token": "1",
        "exchange_token": "2",
        "tradingsymbol": "NIFTY26NOV24500CE",
        "name": "NIFTY",
        "last_price": "0",
        "expiry": "2026-11-24",
        "strike": "24500",
        "tick_size": "0.05",
        "lot_size": "75",
        "instrument_type": "CE",
        "segment": "NFO-OPT",
        "exchange": "NFO",
        **changes,
    }
    return ",".join(values.values())


def test_a_whole_row_is_a_listing() -> None:
    assert len(list(parse("nfo", [HEAD, row()]))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"exchange": "NSEIX"},
        {"exchange": ""},
        {"tradingsymbol": ""},
        {"expiry": ""},
        {"expiry": "24-11-2026"},
        {"expiry": "2026-13-01"},
        {"strike": "0"},
        {"strike": "high"},
        {"strike": ""},
        {"tick_size": "0"},
        {"tick_size": "NaN"},
        {"tick_size": "-0.05"},
        {"lot_size": "0"},
        {"lot_size": "7.5"},
        {"lot_size": "\u0667\u0665"},
        {"instrument_type": "XX"},
        {"tradingsymbol": "ABC26NOV24600CE", "name": "ABC"},  # another strike than its column
        {"tradingsymbol": "NIFTY24500CE", "name": ""},  # no underlying to be told
        {"tradingsymbol": "nifty26NOV24500CE", "name": "nifty"},
    ],
    ids=str,
)
def test_a_row_that_cannot_be_read_for_certain_is_left_out(changes: dict[str, str]) -> None:
    assert list(parse("nfo", [HEAD, row(**changes)])) == []
    assert len(list(parse("nfo", [HEAD, row(**changes), row()]))) == 1, "and takes no other with it"


def test_a_row_that_is_cut_is_left_out() -> None:
    assert list(parse("nfo", [HEAD, row()[:30], row()[:-5]])) == []


@pytest.mark.parametrize("column", sorted(COLUMNS))
def test_a_file_without_a_column_is_not_taken(column: str) -> None:
    with pytest.raises(ValueError, match=column):
        list(parse("nfo", [HEAD.replace(column, "other"), row()]))


@pytest.mark.parametrize("lines", [[], ["<html>log in</html>"], ['{"status":"error"}'], [HEAD, '"' + "x" * 200_000]])
def test_what_is_no_list_is_not_taken(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="list of instruments"):
        list(parse("nfo", lines))


def test_lines_are_read_as_they_come() -> None:
    def lines() -> object:
        yield HEAD
        yield row()
        raise AssertionError("the second line was asked for before the first listing was taken")

    assert next(iter(parse("nfo", lines()))).code == "NIFTY26NOV24500CE"  # type: ignore[arg-type]  # a generator


def test_the_files_are_asked_for_with_the_session() -> None:
    source = spec("zerodha").master
    assert source is not None
    files = source.files(ALICE)
    assert [file.url for file in files] == [f"https://api.kite.trade/instruments/{each}" for each in Exchange]
    assert all(file.secret and file.name.isalpha() for file in files)
    headers = source.headers(CREDENTIALS, SESSION.token)
    assert headers["Authorization"] == f"token {CREDENTIALS['api_key']}:{SESSION.token['access_token']}"
    assert headers["X-Kite-Version"] == "3"
    assert len(list(source.parse("nfo", [HEAD, row()]))) == 1
