"""Pre-trade checks: what speaks against one leg, said with the limit, the value and the way to change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from ordo_cli.domain.accounts import Account
from ordo_cli.domain.capabilities import Capabilities
from ordo_cli.domain.instruments import CASH, Instrument, Kind, kind_of
from ordo_cli.domain.journal import DayUse
from ordo_cli.domain.legs import Problem
from ordo_cli.domain.limits import LimitBook, Limits, MarginCheck, SelfCross
from ordo_cli.domain.money import text_of
from ordo_cli.domain.orders import OrderIntent, Product, Side
from ordo_cli.domain.portfolio import Margin, Quote
from ordo_cli.domain.slicing import MOST_SLICES, slices
from ordo_cli.domain.values import dataclass

MARKET_MARGIN = Decimal("1.05")  # a market order is valued at the last price and this much
LEAST_MARGIN = Decimal("0.20")  # of the value of shares that are not paid in full


@dataclass(frozen=True, slots=True)
class Case:
    """All that the checks of one leg look at. `value` is in rupees, None when no price is known."""

    account: Account
    intent: OrderIntent  # with this leg's quantity
    able: Capabilities
    instrument: Instrument | None
    quote: Quote | None
    limits: Limits
    book: LimitBook
    paper: bool
    use: DayUse
    opposite: tuple[str, ...]  # own accounts with an open order on the other side
    now: datetime
    unreadable: Problem | None = None  # why the instrument could not be looked up
    result: Decimal | None = None  # rupees won or lost today, read only when a limit judges it
    session: Problem | None = None  # what keeps the account from speaking to its broker at all
    margin: Margin | None = None  # None when nobody told and nothing could be estimated
    sliced: bool = True  # whether it may become several orders: one that is out stays one
    stale: Problem | None = None  # what is wrong with the list of instruments that the account's broker goes by

    @property
    def value(self) -> Decimal | None:
        return value_of(self.intent, self.quote)

    @property
    def orders(self) -> int:
        """How many orders it becomes, none above the freeze quantity."""
        return len(slices(self.intent.quantity, self.instrument)) if self.sliced else 1

    def limit(self, name: str) -> str:
        return self.book.where(name, self.account)


@dataclass(frozen=True, slots=True)
class Objection:
    """What speaks against a leg. A soft one gives way to `--confirm`."""

    problem: Problem
    soft: bool = False


def value_of(intent: OrderIntent, quote: Quote | None) -> Decimal | None:
    """Rupees that the order is worth at its own price, or at the last price with a margin when it has none."""
    price = intent.limit_price or intent.trigger_price
    if price is None and quote is not None:
        price = quote.last_price * MARKET_MARGIN
    return None if price is None else price * intent.quantity


def estimate_of(intent: OrderIntent, quote: Quote | None) -> Decimal | None:
    """Rupees that an order must be expected to block at a broker who does not tell; None where we cannot know.

    Shares for delivery and bought options are paid in full. Of shares on margin it is a fifth of the value: the least
    that the exchanges' rule on peak margins lets a broker ask, so that many will ask more. Shares that are sold for
    delivery or out of margin funding block nothing, and what futures and written options do is beyond a guess.
    """
    value, buying, kind = value_of(intent, quote), intent.side is Side.BUY, kind_of(intent.instrument)
    if value is None or kind is Kind.FUTURE or not (buying or (kind is Kind.EQUITY and intent.product is Product.MIS)):
        return None
    on_margin = kind is Kind.EQUITY and intent.product in {Product.MIS, Product.MTF}
    return value * LEAST_MARGIN if on_margin else value


def objections(case: Case) -> list[Objection]:
    """Everything that speaks against this leg, in the order in which a trader would want to hear it."""
    return [objection for check in CHECKS for objection in check(case)]


def fan_out_too_big(values: Sequence[Decimal | None], maximum: Decimal | None, where: str) -> Problem | None:
    """What speaks against the legs together; legs without a known value are for LTP_UNKNOWN to refuse."""
    total = sum((value for value in values if value is not None), Decimal(0))
    if maximum is None or total <= maximum:
        return None
    return Problem(
        "VALUE_FANOUT_MAX",
        f"all legs together are worth ₹{text_of(round(total, 2))}; the limit is ₹{text_of(maximum)}",
        f"send less, or: ordo config set {where} VALUE",
    )


def _hard(code: str, message: str, hint: str | None = None) -> Objection:
    return Objection(Problem(code, message, hint))


def _raise_by(case: Case, name: str) -> str:
    return f"to change it: {case.book.how_to_change(name, case.account, paper=case.paper)}"


def _ability(case: Case) -> Iterator[Objection]:
    intent, able, broker = case.intent, case.able, case.account.broker
    wanted: tuple[tuple[str, object, bool], ...] = (
        ("SEGMENT", intent.instrument.exchange, intent.instrument.exchange in able.exchanges),
        ("TYPE", intent.type, intent.type in able.types),
        ("PRODUCT", intent.product, intent.product in able.products),
        ("VALIDITY", intent.validity, intent.validity in able.validities),
        ("AMO", "after-market orders", able.after_market or not intent.after_market),
        ("DISCLOSED", "a disclosed quantity", able.disclosed or intent.disclosed is None),
    )
    for code, word, fine in wanted:
        if not fine:
            yield _hard(f"{code}_UNSUPPORTED", f"{broker} does not take {word}", f"see: ordo broker show {broker}")


def _product(case: Case) -> Iterator[Objection]:
    cash = case.intent.instrument.exchange in CASH
    if cash and case.intent.product is Product.NRML:
        yield _hard("PRODUCT_SEGMENT", "nrml is for derivatives", "use --product cnc or mis")
    if not cash and case.intent.product in {Product.CNC, Product.MTF}:
        yield _hard("PRODUCT_SEGMENT", f"{case.intent.product} is for shares", "use --product nrml or mis")


def _logged_in(case: Case) -> Iterator[Objection]:
    if case.session is not None:
        yield Objection(case.session)


def _known(case: Case) -> Iterator[Objection]:
    if case.stale is not None:
        yield Objection(case.stale)
    elif case.unreadable is not None:
        yield Objection(case.unreadable)
    elif case.instrument is None:
        name = case.intent.instrument
        yield _hard(
            "INSTRUMENT_UNKNOWN",
            f"{case.account.broker} does not know {name}",
            f"try: ordo instrument search {name.symbol}",
        )


def _allowed(case: Case) -> Iterator[Objection]:
    name = case.limits.restricts(case.intent.instrument)
    if name is not None:
        word = "is restricted" if name == "instruments_restricted" else "is not on the list of allowed instruments"
        yield _hard("INSTRUMENT_RESTRICTED", f"{case.intent.instrument} {word}", _raise_by(case, name))


def _quantity(case: Case) -> Iterator[Objection]:
    if case.instrument is None:
        return
    units, lot, freeze = case.intent.quantity, case.instrument.lot, case.instrument.freeze_quantity
    if units % lot:
        below = units - units % lot
        nearest = f"the nearest are {below} and {below + lot}" if below else f"the least is {lot}"
        yield _hard("QTY_LOT", f"{units} is not a multiple of the lot of {lot}", nearest)
    if freeze is None or units <= freeze or units % lot:
        return
    if not case.sliced:
        yield _hard("QTY_FREEZE", f"{units} is above the freeze quantity of {freeze}", "send the rest as another order")
    elif freeze < lot:
        yield _hard("QTY_FREEZE", f"{units} is above the freeze quantity of {freeze}, and so is one lot of {lot}")
    elif case.orders > MOST_SLICES:
        word = f"{units} would take {case.orders} orders of at most {freeze}, the freeze quantity"
        yield _hard("QTY_FREEZE", word, f"send less at once: {MOST_SLICES} orders are the most")


def _price(case: Case) -> Iterator[Objection]:
    if case.instrument is None:
        return
    tick, low, high = case.instrument.tick, case.instrument.lower_band, case.instrument.upper_band
    for word, price in (("limit", case.intent.limit_price), ("trigger", case.intent.trigger_price)):
        if price is None:
            continue
        if price % tick:
            below = price - price % tick
            yield _hard(
                "PRICE_TICK",
                f"{word} {text_of(price)} is not a multiple of the tick {text_of(tick)}",
                f"the nearest are {text_of(below)} and {text_of(below + tick)}",
            )
        if (low is not None and price < low) or (high is not None and price > high):
            band = f"{text_of(low or Decimal(0))} to {text_of(high) if high else 'any'}"
            yield _hard("PRICE_BAND", f"{word} {text_of(price)} is outside today's band {band}")


def _last_price(case: Case) -> Iterator[Objection]:
    judged = case.limits.value_order_max, case.limits.value_fanout_max, case.limits.day_value_max
    if case.value is None:
        if any(limit is not None for limit in judged):
            yield _hard("LTP_UNKNOWN", "no price is known, so no limit can judge a market order", "give --limit")
        return
    priced = case.intent.limit_price or case.intent.trigger_price
    if priced is None and case.quote is not None:
        age = case.now - case.quote.at
        if age > timedelta(seconds=float(case.limits.ltp_max_age)):
            yield _hard(
                "LTP_STALE",
                f"the last price is {age.total_seconds():.0f} s old; the limit is {case.limits.ltp_max_age} s",
                _raise_by(case, "ltp_max_age"),
            )


def _order_value(case: Case) -> Iterator[Objection]:
    maximum = case.limits.value_order_max
    if maximum is not None and case.value is not None and case.value > maximum:
        yield _hard(
            "VALUE_ORDER_MAX",
            f"worth ₹{text_of(round(case.value, 2))}; the limit for one order is ₹{text_of(maximum)}",
            _raise_by(case, "value_order_max"),
        )


def _day_value(case: Case) -> Iterator[Objection]:
    maximum = case.limits.day_value_max
    if maximum is not None and case.value is not None and case.use.value + case.value > maximum:
        total = text_of(case.use.value + case.value)
        yield _hard(
            "DAY_VALUE_MAX",
            f"the day would come to ₹{total}; the limit is ₹{text_of(maximum)}",
            _raise_by(case, "day_value_max"),
        )


def _counts(case: Case) -> Iterator[Objection]:
    more = "" if case.orders == 1 else f" and this would be {case.orders} more"
    if case.limits.day_orders_max is not None and case.use.orders + case.orders > case.limits.day_orders_max:
        yield _hard(
            "DAY_ORDERS_MAX",
            f"{case.use.orders} orders were sent today{more}; the limit is {case.limits.day_orders_max}",
            _raise_by(case, "day_orders_max"),
        )
    if case.limits.open_orders_max is not None and case.use.open_orders + case.orders > case.limits.open_orders_max:
        yield _hard(
            "OPEN_ORDERS_MAX",
            f"{case.use.open_orders} orders are open{more}; the limit is {case.limits.open_orders_max}",
            _raise_by(case, "open_orders_max"),
        )


def _day_loss(case: Case) -> Iterator[Objection]:
    maximum = case.limits.loss_day_max
    if maximum is None:
        return
    if case.result is None:
        yield _hard("LOSS_UNKNOWN", "today's profit and loss could not be read, and a limit judges it", "try again")
    elif -case.result >= maximum:
        word = f"the day's loss is ₹{text_of(-case.result)}; the limit is ₹{text_of(maximum)}"
        yield _hard("LOSS_DAY_MAX", word, _raise_by(case, "loss_day_max"))


def _collar(case: Case) -> Iterator[Objection]:
    price = case.intent.limit_price
    if price is None or case.quote is None or case.instrument is None:
        return
    name = "collar_option_pct" if case.instrument.kind is Kind.OPTION else "collar_pct"
    collar: Decimal | None = getattr(case.limits, name)
    last = case.quote.last_price
    # Only the side that costs money: a bid far below the market or an offer far above it merely waits.
    off = (price - last) * case.intent.side.sign / last * 100
    if collar is None or off <= collar:
        return
    side = "above" if case.intent.side is Side.BUY else "below"
    word = f"limit {text_of(price)} is {off:.1f} % {side} the last price {text_of(last)}; the collar is {collar} %"
    if off > 2 * collar:
        yield _hard("COLLAR_EXCEEDED", word, _raise_by(case, name))
    else:
        yield Objection(Problem("COLLAR_EXCEEDED", word, "if it is meant: --confirm"), soft=True)


def _self_cross(case: Case) -> Iterator[Objection]:
    if not case.opposite or case.limits.self_cross is SelfCross.ALLOW:
        return
    who = ", ".join(case.opposite)
    theirs = f"an open {case.intent.side.opposite} order in {case.intent.instrument}"
    word = f"{who} has {theirs}: the two could trade with each other"
    if case.limits.self_cross is SelfCross.REFUSE:
        yield _hard("SELF_CROSS", word, _raise_by(case, "self_cross"))
    else:
        yield Objection(Problem("SELF_CROSS", word, "if it is meant: --confirm"), soft=True)


def margin_short(case: Case) -> Iterator[Objection]:
    """What the order would block, against what is there for it, where either is known."""
    margin = case.margin
    if margin is None or case.limits.margin_check is MarginCheck.OFF:
        return
    if margin.needed <= max(margin.available, Decimal(0)):  # what needs nothing is not short, whatever is missing
        return
    needed, available = text_of(round(margin.needed, 2)), text_of(round(margin.available, 2))
    if margin.estimated:
        word = f"needs about ₹{needed}, as an estimate, and ₹{available} is available"
        hint = "add funds, send less, or if it is meant: --confirm"
        yield Objection(Problem("MARGIN_SHORT", word, hint), soft=True)
    else:
        change = case.book.how_to_change("margin_check", case.account, MarginCheck.OFF)
        word = f"needs ₹{needed} and ₹{available} is available"
        yield _hard("MARGIN_SHORT", word, f"add funds, send less, or: {change}")


CHECKS: tuple[Callable[[Case], Iterator[Objection]], ...] = (
    _logged_in,
    _known,
    _ability,
    _product,
    _allowed,
    _quantity,
    _price,
    _last_price,
    _order_value,
    _day_value,
    _counts,
    _day_loss,
    _collar,
    _self_cross,
    margin_short,
)
