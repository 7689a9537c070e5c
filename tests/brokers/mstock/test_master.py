"""The script master: what is certain becomes a listing; a line that is not is left out, a file refused."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.masters import Listing
from ordo_cli.brokers.mstock.master import COLUMNS, parse
from ordo_cli.domain.instruments import CASH, Kind, contract_of
from ordo_cli.domain.values import replace
from tests.brokers.mstock.fakes import ALICE, CREDENTIALS, TOKEN
from tests.brokers.mstock.recorded import script_master

HEAD = "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
HEAD += "instrument_type,segment,exchange\n"
INFY = "1594,1594,INFY,INFOSYS LIMITED,0,,0,0.05,1,EQ,NSE,NSE\n"


def listings(*lines: str) -> dict[str, Listing]:
    return {str(each.instrument.id): each for each in parse("scriptmaster", [HEAD, *lines])}


def recorded() -> dict[str, Listing]:
    return {str(each.instrument.id): each for each in parse("scriptmaster", script_master())}


def test_shares_and_contracts_get_ordos_names() -> None:
    assert set(recorded()) == {
        "NSE:INFY",
        "NSE:SBIN",
        "NSE:SBICARD",
        "NSE:M&M",
        "NSE:ODDLOT",
        "BSE:INFY",
        "NFO:NIFTY24NOV26FUT",
        "NFO:NIFTY24NOV2626000CE",
        "NFO:NIFTY24NOV2626000PE",
    }


def test_a_listing_says_how_orders_and_books_spell_it() -> None:
    found = recorded()
    share, put = found["NSE:SBICARD"], found["NFO:NIFTY24NOV2626000PE"]
    assert (share.code, share.token, share.segment) == ("SBICARD-EQ", "17971", "NSE")
    assert (put.code, put.token, put.segment) == ("NIFTY26N2426000PE", "45112", "NFO")
    assert (put.instrument.kind, put.instrument.lot, put.instrument.tick) == (Kind.OPTION, 65, Decimal("0.05"))
    assert contract_of(put.instrument.id).strike == 26000
    assert found["NSE:INFY"].instrument.name == "INFOSYS LIMITED"
    assert found["NFO:NIFTY24NOV26FUT"].instrument.kind is Kind.FUTURE


def test_codes_and_numbers_are_unique_where_they_are_looked_up() -> None:
    found = list(recorded().values())
    assert len({(each.segment, each.code) for each in found}) == len(found)
    assert len({(each.segment, each.token) for each in found}) == len(found)


def test_of_several_series_the_one_that_is_traded_is_taken_wherever_it_stands() -> None:
    rows = [
        "3,3,ACME-BE,ACME,0,,0,0.05,1,EQ,NSE,NSE\n",
        "2,2,ACME-BZ,ACME,0,,0,0.05,1,EQ,NSE,NSE\n",
        "1,1,ACME-EQ,ACME,0,,0,0.05,1,EQ,NSE,NSE\n",
    ]
    assert listings(*rows)["NSE:ACME"].token == "1"
    assert listings(*rows[:2])["NSE:ACME"].token == "2"
    assert listings(*rows[:1])["NSE:ACME"].token == "3"


def test_two_shares_that_nobody_can_tell_apart_are_both_left_out() -> None:
    assert set(listings(INFY, "1,1,ACME,A,0,,0,0.05,1,EQ,NSE,NSE\n", "2,2,ACME,B,0,,0,0.05,1,EQ,NSE,NSE\n")) == {
        "NSE:INFY"
    }


def test_another_series_keeps_its_own_name() -> None:
    assert "NSE:ACME-SM" in listings(INFY, "1,1,ACME-SM,A,0,,0,0.05,100,EQ,NSE,NSE\n")


@pytest.mark.parametrize("written", ["2026-11-24", "24-11-2026", "24-Nov-2026", "24NOV2026", "2026-11-24T14:30:00"])
def test_an_expiry_is_read_in_every_way_that_has_one_meaning(written: str) -> None:
    row = f"9,9,NIFTY26N2426000CE,NIFTY,0,{written},26000,0.05,65,CE,NFO-OPT,NFO\n"
    assert "NFO:NIFTY24NOV2626000CE" in listings(INFY, row)


def test_a_strike_with_a_fraction_is_kept() -> None:
    row = "9,9,ACME26NOV172.5CE,ACME,0,2026-11-24,172.50,0.05,65,CE,NFO-OPT,NFO\n"
    assert "NFO:ACME24NOV26172.5CE" in listings(INFY, row)


@pytest.mark.parametrize(
    "line",
    [
        "9,9,NIFTY26N2426000CE,NIFTY,0,11/24/2026,26000,0.05,65,CE,NFO-OPT,NFO\n",  # a day that may be a month
        "9,9,NIFTY26N2426000CE,NIFTY,0,,26000,0.05,65,CE,NFO-OPT,NFO\n",
        "9,9,NIFTY26N2426000CE,NIFTY,0,2026-11-24,2600000,0.05,65,CE,NFO-OPT,NFO\n",  # a strike in paise
        "9,9,NIFTY26N2426000CE,NIFTY,0,2026-11-24,0,0.05,65,CE,NFO-OPT,NFO\n",
        "9,9,NIFTY26N2426000CE,NIFTY,0,2026-11-24,26000,0.05,65,PE,NFO-OPT,NFO\n",  # a put that is called a call
        "9,9,NIFTY26N2426000XX,NIFTY,0,2026-11-24,26000,0.05,65,OPTIDX,NFO-OPT,NFO\n",
        "9,9,NIFTY26N2426000CE,NIFTY26N2426000CE,0,2026-11-24,26000,0.05,65,CE,NFO-OPT,NFO\n",  # no underlying
        "9,9,NIFTY26N2426000CE,INFOSYS,0,2026-11-24,26000,0.05,65,CE,NFO-OPT,NFO\n",
        "9,9,NIFTY26N2426000CE,NIFTY,0,2026-11-24,26000,0.05,65,WARRANT,NFO-OPT,NFO\n",
        "9,9,ACME,A,0,,0,,1,EQ,NSE,NSE\n",
        "9,9,ACME,A,0,,0,0,1,EQ,NSE,NSE\n",
        "9,9,ACME,A,0,,0,NaN,1,EQ,NSE,NSE\n",
        "9,9,ACME,A,0,,0,0.05,0,EQ,NSE,NSE\n",
        "9,9,ACME,A,0,,0,0.05,1.5,EQ,NSE,NSE\n",
        "9,9,ACME LTD,A,0,,0,0.05,1,EQ,NSE,NSE\n",
        "9,9,,A,0,,0,0.05,1,EQ,NSE,NSE\n",
        ",9,ACME,A,0,,0,0.05,1,EQ,NSE,NSE\n",
        "9,9,ACME,A,0,,0,0.05,1,EQ,NSE,LSE\n",
        "9,9,GOLD,A,0,,0,0.05,1,FUTCOM,MCX,MCX\n",
        "9,9,NIFTY,NIFTY 50,0,,0,0.05,1,INDEX,INDICES,NSE\n",
        "9,9,ACME,A,0,,0,0.05,1,EQ,NSE\n",
        "9,9,ACME,A,0,,0,0.05,1,EQ,NSE,NSE,more\n",
        "\n",
    ],
)
def test_a_line_that_is_not_certain_is_left_out_and_the_others_stay(line: str) -> None:
    assert set(listings(line, INFY)) == {"NSE:INFY"}


def test_a_file_whose_ticks_may_be_paise_is_not_taken() -> None:
    paise = INFY.replace("0.05", "5")
    with pytest.raises(ValueError, match="paise"):
        listings(paise, "9,9,NIFTY26N2426000CE,NIFTY,0,2026-11-24,26000,5,65,CE,NFO-OPT,NFO\n")
    with pytest.raises(ValueError, match="paise"):
        listings("9,9,NIFTY26N2426000CE,NIFTY,0,2026-11-24,26000,0.05,65,CE,NFO-OPT,NFO\n")


@pytest.mark.parametrize("column", sorted(COLUMNS))
def test_a_file_without_one_of_its_columns_is_not_taken(column: str) -> None:
    head = ",".join("something" if each == column else each for each in HEAD.strip().split(","))
    with pytest.raises(ValueError, match=column):
        list(parse("scriptmaster", [head, INFY]))


def test_an_empty_file_and_a_page_are_not_taken() -> None:
    for lines in ([], ["<html>\n", "log in\n"], [HEAD]):
        with pytest.raises(ValueError, match="scriptmaster"):
            list(parse("scriptmaster", lines))


def test_a_mark_at_the_start_and_columns_in_another_order_are_fine() -> None:
    names = HEAD.strip().split(",")
    turned = ",".join(reversed(names)), ",".join(reversed(INFY.strip().split(",")))
    assert [str(each.instrument.id) for each in parse("scriptmaster", ["\ufeff" + turned[0], turned[1]])] == [
        "NSE:INFY"
    ]


def test_contracts_come_while_the_file_is_read() -> None:
    def lines() -> Iterator[str]:
        yield HEAD
        yield INFY
        yield "9,9,NIFTY26N2426000CE,NIFTY,0,2026-11-24,26000,0.05,65,CE,NFO-OPT,NFO\n"
        raise AssertionError("it was read on before the contract was given")

    first = next(parse("scriptmaster", lines()))
    assert first.instrument.id.exchange not in CASH


def test_the_source_says_where_the_file_is_and_what_opens_it() -> None:
    source = spec("mstock").master
    assert source is not None
    (file,) = source.files(ALICE)
    assert (file.url, file.secret) == ("https://api.mstock.trade/openapi/typea/instruments/scriptmaster", True)
    (own,) = source.files(replace(ALICE, base_url="http://127.0.0.1:9/"))
    assert own.url == "http://127.0.0.1:9/openapi/typea/instruments/scriptmaster"
    headers = source.headers(CREDENTIALS, {"access_token": TOKEN})
    assert headers == {"x-mirae-version": "1", "authorization": f"token {CREDENTIALS['api_key']}:{TOKEN}"}
    (listed,) = source.parse(file.name, [HEAD, INFY])
    assert isinstance(listed, Listing)
    assert str(listed.instrument.id) == "NSE:INFY"
