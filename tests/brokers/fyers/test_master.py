"""Fyers' files of instruments, line by line: what is read, what is left out, what breaks the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.fyers.master import FILES, parse
from ordo_cli.brokers.fyers.names import named, spelled_out
from ordo_cli.brokers.masters import Listing
from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.instruments import Kind, contract_of, kind_of, parse_instrument
from tests.brokers.fyers.fake import lines_of
from tests.brokers.fyers.setting import IDEA, MemoryMaster, account

LISTED = {listing.code: listing for name in FILES for listing in parse(name, lines_of(name))}
FUTURE = lines_of("NSE_FO")[0]
SHARE = lines_of("NSE_CM")[0]
NOTHING = MemoryMaster([], None)


@pytest.mark.parametrize(
    ("code", "id", "kind", "lot", "tick"),
    [
        ("NSE:IDEA-EQ", "NSE:IDEA", Kind.EQUITY, 1, "0.05"),
        ("NSE:M&M-EQ", "NSE:M&M", Kind.EQUITY, 1, "0.1"),
        ("NSE:BAJAJ-AUTO-EQ", "NSE:BAJAJ-AUTO", Kind.EQUITY, 1, "0.5"),
        ("NSE:MADEUP-BE", "NSE:MADEUP-BE", Kind.EQUITY, 1, "0.01"),
        ("BSE:SBIN-A", "BSE:SBIN", Kind.EQUITY, 1, "0.05"),
        ("BSE:SMALLCO-MT", "BSE:SMALLCO", Kind.EQUITY, 600, "0.05"),
        ("NSE:NIFTY26DECFUT", "NFO:NIFTY29DEC26FUT", Kind.FUTURE, 75, "0.1"),
        ("NSE:M&M26DECFUT", "NFO:M&M29DEC26FUT", Kind.FUTURE, 200, "0.1"),
        ("NSE:NIFTY26DEC26200CE", "NFO:NIFTY29DEC2626200CE", Kind.OPTION, 75, "0.05"),
        ("NSE:NIFTY26D0126250PE", "NFO:NIFTY01DEC2626250PE", Kind.OPTION, 75, "0.05"),
        ("NSE:NIFTY2710526300CE", "NFO:NIFTY05JAN2726300CE", Kind.OPTION, 75, "0.05"),
        ("NSE:IDEA26DEC7.5CE", "NFO:IDEA29DEC267.5CE", Kind.OPTION, 71475, "0.05"),
        ("BSE:SENSEX26DECFUT", "BFO:SENSEX31DEC26FUT", Kind.FUTURE, 20, "0.05"),
        ("BSE:SENSEX26D0385000PE", "BFO:SENSEX03DEC2685000PE", Kind.OPTION, 20, "0.05"),
        ("NSE:USDINR26DECFUT", "CDS:USDINR29DEC26FUT", Kind.FUTURE, 1, "0.0025"),
        ("NSE:USDINR26DEC88.25CE", "CDS:USDINR29DEC2688.25CE", Kind.OPTION, 1, "0.0025"),
        ("MCX:GOLD26DECFUT", "MCX:GOLD04DEC26FUT", Kind.FUTURE, 100, "1.0"),
        ("MCX:CRUDEOIL26DEC5500PE", "MCX:CRUDEOIL16DEC265500PE", Kind.OPTION, 100, "0.1"),
    ],
)
def test_a_line_becomes_the_instrument_that_it_lists(code: str, id: str, kind: Kind, lot: int, tick: str) -> None:
    instrument = LISTED[code].instrument
    assert str(instrument.id) == id
    assert (instrument.kind, instrument.lot, instrument.tick) == (kind, lot, Decimal(tick))
    assert kind_of(instrument.id) is kind
    untold = instrument.freeze_quantity, instrument.lower_band, instrument.upper_band
    assert untold == (None, None, None), "the CSV does not tell"


def test_that_is_all_that_is_listed_and_names_and_numbers_are_its_own() -> None:
    assert len(LISTED) == 18, "the index cannot be ordered and is left out"
    assert len({listing.instrument.id for listing in LISTED.values()}) == len(LISTED)
    assert len({listing.token for listing in LISTED.values()}) == len(LISTED)
    assert LISTED["NSE:M&M-EQ"].instrument.name == "MAHINDRA & MAHINDRA, LTD", "a comma within quotes is no column"
    assert LISTED["NSE:IDEA-EQ"].instrument.isin == "INE669E01016"
    assert LISTED["NSE:NIFTY26DECFUT"].instrument.isin is None


@pytest.mark.parametrize("listing", LISTED.values(), ids=LISTED)
def test_a_row_whose_instrument_is_not_listed_here_gets_the_name_that_the_list_would_give(listing: Listing) -> None:
    assert spelled_out(listing.code, listing.token) == listing.instrument.id
    assert named(listing.code, listing.token, NOTHING) == listing.instrument.id
    assert named(listing.code, None, MemoryMaster()) == listing.instrument.id


@pytest.mark.parametrize(
    ("ticker", "token", "name"),
    [
        ("NSE:NIFTY26DECFUT", None, "NSE:UNREAD_NSE_NIFTY26DECFUT"),  # when in December is not told
        ("NSE:NIFTY26DECFUT", "101126130036688", "NSE:UNREAD_NSE_NIFTY26DECFUT"),  # no such month
        ("NSE:NIFTY26DECFUT", "101126112436688", "NSE:UNREAD_NSE_NIFTY26DECFUT"),  # another month than it spells
        ("NSE:NIFTY26DECFUT", "121126122936688", "NSE:UNREAD_NSE_NIFTY26DECFUT"),  # another exchange
        ("NSE:NIFTY26DECFUT", 101126122936688, "NFO:NIFTY29DEC26FUT"),  # a number in one sample of the documentation
        ("NSE:NIFTY50-INDEX", "101000000026000", "NSE:UNREAD_NSE_NIFTY50-INDEX"),
        ("NSE:GOLD26DECFUT", "102026120436688", "NSE:UNREAD_NSE_GOLD26DECFUT"),  # NSE's commodities have no name here
        ("MCX:GOLD26DECFUT", "", "NSE:UNREAD_MCX_GOLD26DECFUT"),
        ("BSE:SBIN", "1210000000500112", "BSE:UNREAD_BSE_SBIN"),
        ("what is this?", "1", "NSE:UNREAD_WHAT_IS_THIS_"),
        ("NSE:" + "X" * 90, "1", "NSE:UNREAD_NSE_" + "X" * 29),
        ("NSE:\x1b[2Jé-EQ", "101000000014366", "NSE:UNREAD_NSE___2J_-EQ"),
    ],
)
def test_what_cannot_be_named_is_shown_under_a_name_that_nothing_is_ordered_under(
    ticker: str, token: object, name: str
) -> None:
    found = named(ticker, token, NOTHING)
    assert str(found) == name
    if "UNREAD" in name:
        assert MemoryMaster().listing(found) is None


@pytest.mark.parametrize("ticker", [None, "", 14366, ["NSE:IDEA-EQ"]])
def test_a_row_without_a_ticker_is_no_row(ticker: object) -> None:
    with pytest.raises(NoAnswer):
        named(ticker, "101000000014366", NOTHING)


def with_column(line: str, at: int, value: str) -> str:
    columns = line.split(",")
    columns[at] = value
    return ",".join(columns)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("NSE_FO", with_column(FUTURE, 3, "0")),
        ("NSE_FO", with_column(FUTURE, 3, "1.5")),
        ("NSE_FO", with_column(FUTURE, 3, "-75")),
        ("NSE_FO", with_column(FUTURE, 3, "nan")),
        ("NSE_FO", with_column(FUTURE, 4, "0")),
        ("NSE_FO", with_column(FUTURE, 4, "1e-2")),
        ("NSE_FO", with_column(FUTURE, 8, "")),
        ("NSE_FO", with_column(FUTURE, 8, "1798624800")),  # a day later than the token says
        ("NSE_FO", with_column(FUTURE, 8, "1798538400000")),  # thousandths
        ("NSE_FO", with_column(FUTURE, 9, "NSE:BANKNIFTY26DECFUT")),  # another underlying than the column's
        ("NSE_FO", with_column(FUTURE, 9, "BSE:NIFTY26DECFUT")),
        ("NSE_FO", with_column(FUTURE, 10, "11")),
        ("NSE_FO", with_column(FUTURE, 11, "12")),
        ("NSE_FO", with_column(FUTURE, 13, "")),
        ("NSE_FO", with_column(FUTURE, 16, "")),
        ("NSE_FO", with_column(FUTURE, 16, "CE")),  # an option without a strike
        ("NSE_FO", with_column(FUTURE, 0, "1010")),
        ("NSE_FO", with_column(with_column(FUTURE, 13, "nifty"), 9, "NSE:nifty26DECFUT")),
        ("NSE_CM", with_column(SHARE, 9, "NSE:IDEA")),
        ("NSE_CM", with_column(SHARE, 9, "NSE:idea-EQ")),
        ("NSE_CM", with_column(SHARE, 9, "IDEA-EQ")),
    ],
)
def test_a_line_that_cannot_be_read_is_left_out_and_the_rest_is_taken(name: str, line: str) -> None:
    found = list(parse(name, [line, *lines_of(name)[1:]]))
    assert len(found) == len(list(parse(name, lines_of(name)))) - 1
    assert LISTED["NSE:NIFTY26DECFUT" if name == "NSE_FO" else "NSE:IDEA-EQ"] not in found


@pytest.mark.parametrize("line", [FUTURE.strip() + ",1", FUTURE.rpartition(",")[0], "<html>", '"open'])
def test_a_file_with_other_columns_is_not_taken(line: str) -> None:
    with pytest.raises(ValueError, match=r"columns"):
        list(parse("NSE_FO", [FUTURE, line]))


def test_a_file_of_which_nothing_can_be_read_is_not_taken_and_an_empty_one_is_empty() -> None:
    with pytest.raises(ValueError, match=r"not one"):
        list(parse("BSE_FO", lines_of("NSE_FO")))
    with pytest.raises(ValueError, match=r"no CSV"):
        list(parse("NSE_FO", [FUTURE, "x" * 200_000]))
    assert list(parse("NSE_FO", ["\n", ""])) == []


def test_an_expiry_is_a_day_in_india_whatever_its_hour() -> None:
    for epoch in ("1798482600", "1798568999"):  # 00:00:00 and 23:59:59 there
        [found] = parse("NSE_FO", [with_column(FUTURE, 8, epoch)])
        assert str(found.instrument.id) == "NFO:NIFTY29DEC26FUT"


def test_lines_are_read_as_they_come() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield FUTURE

    assert next(parse("NSE_FO", endless())).code == "NSE:NIFTY26DECFUT"


def test_the_files_are_public_and_at_the_accounts_own_address_if_it_has_one() -> None:
    source = spec("fyers").master
    assert source is not None
    public = source.files(account())
    assert public[0].url == "https://public.fyers.in/sym_details/NSE_CM.csv"
    assert [each.name for each in public] == list(FILES)
    assert not any(each.secret for each in public)
    own = source.files(account("http://127.0.0.1:8000/"))
    assert own[0].url == "http://127.0.0.1:8000/sym_details/NSE_CM.csv"
    first = next(source.parse("NSE_CM", lines_of("NSE_CM")))
    assert isinstance(first, Listing)
    assert first.instrument.id == IDEA


def test_a_name_from_the_list_is_cleaned() -> None:
    [found] = parse("NSE_CM", [with_column(SHARE, 1, "VODA\x1b[2J IDEA\u202e")])
    assert found.instrument.name == "VODA IDEA"


def test_what_the_master_says_comes_before_what_a_ticker_spells() -> None:
    other = replace(LISTED["NSE:IDEA-EQ"].instrument, id=parse_instrument("NSE:RENAMED"))
    master = MemoryMaster([replace(LISTED["NSE:IDEA-EQ"], instrument=other)])
    assert named("NSE:IDEA-EQ", "101000000014366", master) == other.id
    assert contract_of(LISTED["MCX:GOLD26DECFUT"].instrument.id).base == "GOLD"
