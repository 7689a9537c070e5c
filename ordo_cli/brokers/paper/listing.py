"""What the paper exchange trades: sixty-odd equities of NSE, futures and options on two indices that never go stale."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from ordo_cli.brokers.paper.amounts import SCALE, date_of
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import (
    Contract,
    Exchange,
    InstrumentId,
    Kind,
    Right,
    contract_of,
    parse_instrument,
    symbol_of,
)
from ordo_cli.domain.values import dataclass

# symbol, name, ISIN where it is certain, price in rupees that the feed moves around
EQUITIES = (
    ("ADANIENT", "Adani Enterprises", "INE423A01024", 2350),
    ("ADANIPORTS", "Adani Ports and SEZ", "INE742F01042", 1490),
    ("APOLLOHOSP", "Apollo Hospitals", "INE437A01024", 7600),
    ("ASIANPAINT", "Asian Paints", "INE021A01026", 2780),
    ("AXISBANK", "Axis Bank", "INE238A01034", 1260),
    ("BAJAJ-AUTO", "Bajaj Auto", "INE917I01010", 9150),
    ("BAJAJFINSV", "Bajaj Finserv", "INE918I01026", 2060),
    ("BAJFINANCE", "Bajaj Finance", None, 1020),
    ("BANKBARODA", "Bank of Baroda", "INE028A01039", 286),
    ("BEL", "Bharat Electronics", "INE263A01024", 420),
    ("BHARTIARTL", "Bharti Airtel", "INE397D01024", 2090),
    ("BPCL", "Bharat Petroleum", "INE029A01011", 362),
    ("BRITANNIA", "Britannia Industries", "INE216A01030", 5850),
    ("CANBK", "Canara Bank", "INE476A01022", 148),
    ("CIPLA", "Cipla", "INE059A01026", 1530),
    ("COALINDIA", "Coal India", "INE522F01014", 382),
    ("DIVISLAB", "Divi's Laboratories", "INE361B01024", 6450),
    ("DLF", "DLF", "INE271C01023", 745),
    ("DRREDDY", "Dr Reddy's Laboratories", None, 1250),
    ("EICHERMOT", "Eicher Motors", "INE066A01021", 7050),
    ("ETERNAL", "Eternal", "INE758T01015", 305),
    ("GAIL", "GAIL India", "INE129A01019", 184),
    ("GRASIM", "Grasim Industries", "INE047A01021", 2760),
    ("HAL", "Hindustan Aeronautics", "INE066F01020", 4680),
    ("HCLTECH", "HCL Technologies", "INE860A01027", 1610),
    ("HDFCBANK", "HDFC Bank", "INE040A01034", 1005),
    ("HDFCLIFE", "HDFC Life Insurance", "INE795G01014", 765),
    ("HEROMOTOCO", "Hero MotoCorp", "INE158A01026", 5750),
    ("HINDALCO", "Hindalco Industries", "INE038A01020", 810),
    ("HINDUNILVR", "Hindustan Unilever", "INE030A01027", 2430),
    ("ICICIBANK", "ICICI Bank", "INE090A01021", 1380),
    ("IDEA", "Vodafone Idea", "INE669E01016", 11),
    ("INDUSINDBK", "IndusInd Bank", "INE095A01012", 845),
    ("INFY", "Infosys", "INE009A01021", 1500),
    ("IOC", "Indian Oil", "INE242A01010", 164),
    ("IRCTC", "IRCTC", "INE335Y01020", 705),
    ("ITC", "ITC", "INE154A01025", 406),
    ("JIOFIN", "Jio Financial Services", "INE758E01017", 306),
    ("JSWSTEEL", "JSW Steel", "INE019A01038", 1165),
    ("KOTAKBANK", "Kotak Mahindra Bank", None, 425),
    ("LT", "Larsen & Toubro", "INE018A01030", 4020),
    ("LTIM", "LTIMindtree", "INE214T01019", 5900),
    ("M&M", "Mahindra & Mahindra", "INE101A01026", 3690),
    ("MARUTI", "Maruti Suzuki", "INE585B01010", 15900),
    ("NESTLEIND", "Nestle India", None, 1265),
    ("NTPC", "NTPC", "INE733E01010", 327),
    ("ONGC", "Oil and Natural Gas", "INE213A01029", 248),
    ("PIDILITIND", "Pidilite Industries", None, 1475),
    ("PNB", "Punjab National Bank", "INE160A01022", 122),
    ("POWERGRID", "Power Grid", "INE752E01010", 275),
    ("RELIANCE", "Reliance Industries", "INE002A01018", 1515),
    ("SBILIFE", "SBI Life Insurance", "INE123W01016", 2010),
    ("SBIN", "State Bank of India", "INE062A01020", 975),
    ("SHRIRAMFIN", "Shriram Finance", None, 815),
    ("SUNPHARMA", "Sun Pharmaceutical", "INE044A01036", 1760),
    ("TATACONSUM", "Tata Consumer Products", "INE192A01025", 1170),
    ("TATAPOWER", "Tata Power", "INE245A01021", 388),
    ("TATASTEEL", "Tata Steel", "INE081A01020", 171),
    ("TCS", "Tata Consultancy Services", "INE467B01029", 3110),
    ("TECHM", "Tech Mahindra", "INE669C01036", 1450),
    ("TITAN", "Titan", "INE280A01028", 3880),
    ("TRENT", "Trent", "INE849A01020", 4370),
    ("ULTRACEMCO", "UltraTech Cement", "INE481G01011", 11750),
    ("VEDL", "Vedanta", "INE205A01025", 510),
    ("WIPRO", "Wipro", "INE075A01022", 244),
    ("YESBANK", "Yes Bank", "INE528G01035", 23),
)


@dataclass(frozen=True, slots=True)
class Index:
    """What futures and options are written on; `weekly` says whether options expire every Tuesday."""

    name: str
    level: int
    lot: int
    freeze: int
    step: int
    weekly: bool


INDICES = {
    "NIFTY": Index("Nifty 50", 26_000, 65, 1_800, 100, True),
    "BANKNIFTY": Index("Nifty Bank", 58_500, 30, 600, 500, False),
}
STRIKES_EACH_WAY = 6
EXPIRIES = 2
TUESDAY = 1


@dataclass(frozen=True, slots=True)
class Listing:
    """One traded instrument, in the exchange's whole numbers; `underlying` is what its price follows."""

    id: InstrumentId
    name: str
    kind: Kind
    underlying: str
    base: int
    tick: int
    lot: int = 1
    freeze: int = 100_000
    isin: str | None = None
    expiry: date | None = None
    strike: int | None = None
    right: Right | None = None


def _equity(symbol: str, name: str, isin: str | None, price: int) -> Listing:
    tick = SCALE // 100 if price < 250 else SCALE // 20  # a paisa below 250 rupees, five above
    return Listing(InstrumentId(Exchange.NSE, symbol), name, Kind.EQUITY, symbol, price * SCALE, tick, isin=isin)


_BY_SYMBOL = {row[0]: row for row in EQUITIES}
_found: dict[str, Listing] = {}  # listings are pure functions of their names; building one costs more than finding it


def listing(instrument: str, day: int | None) -> Listing | None:
    """What this name stands for on that day, or on any day for None; None when it is not traded."""
    known = _found.get(instrument) or _build(instrument)
    if known is None:
        return None
    _found[instrument] = known
    if known.expiry is None or day is None:
        return known
    return known if known.expiry in expiries(known.underlying, known.kind, day) else None


def _build(instrument: str) -> Listing | None:
    exchange, _, symbol = instrument.partition(":")
    if exchange == Exchange.NSE:
        row = _BY_SYMBOL.get(symbol)
        return None if row is None else _equity(*row)
    if exchange != Exchange.NFO:
        return None
    try:
        contract = contract_of(parse_instrument(instrument))
    except Invalid:
        return None
    return _derivative(contract)


def _derivative(contract: Contract) -> Listing | None:
    index = INDICES.get(contract.base)
    if index is None or (contract.strike is not None and contract.strike not in strikes(index)):
        return None
    name = InstrumentId(Exchange.NFO, symbol_of(contract))
    option = contract.right is not None
    return Listing(
        id=name,
        name=f"{index.name} {contract.expiry:%d %b %y} {f'{contract.strike} {contract.right}' if option else 'future'}",
        kind=Kind.OPTION if option else Kind.FUTURE,
        underlying=contract.base,
        base=index.level * SCALE,
        tick=SCALE // 20 if option else SCALE // 10,
        lot=index.lot,
        freeze=index.freeze,
        expiry=contract.expiry,
        strike=None if contract.strike is None else int(contract.strike) * SCALE,
        right=contract.right,
    )


def strikes(index: Index) -> range:
    reach = STRIKES_EACH_WAY * index.step
    return range(index.level - reach, index.level + reach + 1, index.step)


def expiries(base: str, kind: Kind, day: int) -> tuple[date, ...]:
    """The next two expiries on or after that day: Tuesdays for weekly options, last Tuesdays of a month otherwise."""
    today = date_of(day)
    tuesday = today + timedelta(days=(TUESDAY - today.weekday()) % 7)
    weekly = kind is Kind.OPTION and INDICES[base].weekly
    found: list[date] = []
    while len(found) < EXPIRIES:
        if weekly or (tuesday + timedelta(days=7)).month != tuesday.month:
            found.append(tuesday)
        tuesday += timedelta(days=7)
    return tuple(found)


def listings(day: int) -> Iterator[Listing]:
    """Everything that is traded on that day, equities first."""
    for row in EQUITIES:
        yield _equity(*row)
    for base, index in INDICES.items():
        for expiry in expiries(base, Kind.FUTURE, day):
            yield from filter(None, [_derivative(Contract(base, expiry))])
        for expiry in expiries(base, Kind.OPTION, day):
            for strike in strikes(index):
                for right in Right:
                    yield from filter(None, [_derivative(Contract(base, expiry, Decimal(strike), right))])
