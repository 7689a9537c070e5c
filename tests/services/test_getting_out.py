"""Cancels and clean-ups may use what is kept of a broker's patience for them; nothing else may."""

from __future__ import annotations

from collections.abc import Sequence

from ordo_cli.desk import Desk
from ordo_cli.domain.orders import OrderReport
from ordo_cli.domain.pacing import is_getting_out
from ordo_cli.services import cancelling, orders, sweep
from tests.fakes import buy
from tests.services.conftest import Add
from tests.services.test_orders import request


async def test_what_a_clean_up_and_a_cancel_ask_is_asked_for_getting_out(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    said: list[bool] = []
    ask = alice.orders

    async def noting() -> Sequence[OrderReport]:
        said.append(is_getting_out())
        return await ask()

    leg = (await orders.place(desk, request(buy()))).legs[0]
    alice.orders = noting  # type: ignore[method-assign]
    await (await desk.lines.to(alice.account)).orders()
    await cancelling.cancel_leg(desk, leg.id)
    assert said[0] is False
    assert set(said[1:]) == {True}
    said.clear()
    await sweep.clean(desk, [alice.account], sweep.Wish(flatten=True))
    assert set(said) == {True}
    assert not is_getting_out()
