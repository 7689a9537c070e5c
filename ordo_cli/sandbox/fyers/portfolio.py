"""What a Fyers account holds, closing it, and what an order would block (DOC, SDK, OA)."""

from __future__ import annotations

from decimal import Decimal

from ordo_cli.brokers.paper.book import DONE
from ordo_cli.domain.orders import OrderIntent, Product, Side
from ordo_cli.sandbox.floor import Stand
from ordo_cli.sandbox.fyers.answers import BAD_POSITION, NOTHING_TO_EXIT, Refused, bad_input, ok, segment
from ordo_cli.sandbox.fyers.reading import PRODUCTS, known, read_order, whole
from ordo_cli.sandbox.fyers.rows import PRODUCT_WORDS, holding_row, position_id, position_row
from ordo_cli.sandbox.gateway import Call, Row
from ordo_cli.sandbox.wire import Reply, Unreadable

FUND_TITLES = {
    1: "Total Balance",
    2: "Utilized Amount",
    3: "Clear Balance",
    4: "Realized Profit and Loss",
    5: "Collaterals",
    6: "Fund Transfer",
    7: "Receivables",
    8: "Adhoc Limit",
    9: "Limit at start of the day",
    10: "Available Balance",
}


def positions(call: Call) -> Reply:
    rows = [position_row(stand) for stand in call.desk.floor.positions(call.account.paper)]
    realised = _sum(rows, "realized_profit")
    unrealised = _sum(rows, "unrealized_profit")
    overall = {
        "count_total": len(rows),
        "count_open": sum(1 for row in rows if row["netQty"]),
        "pl_total": realised + unrealised,
        "pl_realized": realised,
        "pl_unrealized": unrealised,
    }
    return ok(netPositions=rows, overall=overall)


def _sum(rows: list[Row], name: str) -> Decimal:
    return sum((Decimal(str(row[name])) for row in rows), Decimal(0))


def exit_positions(call: Call) -> Reply:
    """`DELETE /api/v3/positions`. Without an id everything that is open is closed, as the documents warn."""
    given = call.request.json_object() if call.request.body else {}
    call.took(dict(given), None)
    stands = [stand for stand in call.desk.floor.positions(call.account.paper) if stand.net]
    wanted = given.get("id")
    if wanted is not None:
        names = [wanted] if isinstance(wanted, str) else list(wanted) if isinstance(wanted, list) else []
        known_ids = {position_id(stand) for stand in stands}
        if not names or not set(names) <= known_ids:
            raise Refused(BAD_POSITION, "Invalid position id")
        stands = [stand for stand in stands if position_id(stand) in names]
    elif {"segment", "side", "productType"} & set(given):
        stands = _filtered(given, stands)
    if given.get("pending_orders_cancel") == 1:
        for order in call.desk.floor.book(call.account.paper):
            if order.phase != DONE:
                call.desk.floor.cancel(call.account.paper, order.number)
    if not stands:
        raise Refused(NOTHING_TO_EXIT, "Looks like you have no open positions")
    for stand in stands:
        side = Side.SELL if stand.net > 0 else Side.BUY
        out = OrderIntent(side, stand.item.id, abs(stand.net), product=Product(stand.product))
        call.desk.floor.place(call.account.paper, out, None)
    return ok(message="The position is closed")


def _filtered(given: Row, stands: list[Stand]) -> list[Stand]:
    """All three of segment, side and product are needed (DOC, confirmed)."""
    segments, sides, products = given.get("segment"), given.get("side"), given.get("productType")
    if not (isinstance(segments, list) and isinstance(sides, list) and isinstance(products, list)):
        raise bad_input("segment, side and productType are needed together")
    return [
        stand
        for stand in stands
        if segment(stand.item) in segments
        and (1 if stand.net > 0 else -1) in sides
        and ("ALL" in products or PRODUCT_WORDS[Product(stand.product)] in products)
    ]


def convert(call: Call) -> Reply:
    """`POST /api/v3/positions`: `symbol` takes the position's id (DOC, SDK); the other names are SDK's."""
    given = call.request.json_object()
    stands = {position_id(stand): stand for stand in call.desk.floor.positions(call.account.paper)}
    stand = stands.get(str(given.get("symbol")))
    old, new = PRODUCTS.get(str(given.get("convertFrom"))), PRODUCTS.get(str(given.get("convertTo")))
    if stand is None:
        raise Refused(BAD_POSITION, "Invalid position id")
    if old is None or new is None or given.get("positionSide") not in (1, -1):
        raise bad_input("convertFrom, convertTo or positionSide is invalid")
    units = whole(given, "convertQty") * (1 if given["positionSide"] == 1 else -1)
    if not call.desk.floor.convert(call.account.paper, str(stand.item.id), old, new, units):
        raise Refused(BAD_POSITION, "There is no such quantity to convert")
    return ok(message="Position converted")


def holdings(call: Call) -> Reply:
    helds = call.desk.floor.holdings(call.account.paper)
    rows = [holding_row(held, number) for number, held in enumerate(helds, start=1)]
    worth, profit = _sum(rows, "marketVal"), _sum(rows, "pl")
    overall = {
        "count_total": len(rows),
        "total_investment": worth - profit,
        "total_current_value": worth,
        "total_pl": profit,
        "pnl_perc": round(profit * 100 / (worth - profit), 4) if worth - profit else 0,
    }
    return ok(holdings=rows, overall=overall)


def funds(call: Call) -> Reply:
    """A list of titled rows; Clear Balance lacks collateral, which nobody has here."""
    money = call.desk.floor.money(call.account.paper)
    amounts = {
        1: money.available + money.used,
        2: money.used,
        3: money.available,
        4: money.realised,
        9: money.cash,
        10: money.available,
    }
    rows = [
        {"id": number, "title": title, "equityAmount": amounts.get(number, 0), "commodityAmount": 0}
        for number, title in FUND_TITLES.items()
    ]
    return ok(fund_limit=rows)


def margin(call: Call) -> Reply:
    """`POST /api/v3/multiorder/margin`: what the orders would block together, and what there is."""
    given = call.request.json_object().get("data")
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise Unreadable("data is not an array of orders")
    total = Decimal(0)
    for each in given:
        order = {"validity": "DAY", "offlineOrder": False, "disclosedQty": 0, **each}
        found = call.desk.floor.margin(call.account.paper, read_order(call, order, known(call, order.get("symbol"))))
        total += Decimal(0) if found is None else found.needed
    money = call.desk.floor.money(call.account.paper)
    facts = {"margin_avail": money.available, "margin_total": money.used + total, "margin_new_order": total}
    return ok(data=facts)
