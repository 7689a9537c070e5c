"""Waiting for a turn: at once where nobody is in the way, and never longer than until the stop."""

from __future__ import annotations

import asyncio

import pytest

from ordo_cli.desk import Desk, Stop
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.errors import Busy, Refused
from ordo_cli.locks import Locks
from ordo_cli.services.turns import turn

ALICE = Account(AccountId("alice"), BrokerName("paper"))


async def test_the_stop_wakes_whoever_waits_for_work() -> None:
    stop, work = Stop(), asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(stop.or_done(work))
    await asyncio.sleep(0)
    assert not waiting.done()
    stop.set()
    await asyncio.wait_for(waiting, 5)
    assert not work.done()


async def test_all_of_the_work_is_waited_for() -> None:
    stop, loop = Stop(), asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()
    waiting = asyncio.ensure_future(stop.or_done(first, second))
    first.set_result(None)
    await asyncio.sleep(0)
    assert not waiting.done()
    second.set_exception(RuntimeError("it failed, and is done"))
    await asyncio.wait_for(waiting, 5)
    assert isinstance(second.exception(), RuntimeError)


async def test_whoever_stops_waiting_leaves_nothing_behind() -> None:
    stop, work = Stop(), asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(stop.or_done(work))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert stop._wakes == set()
    work.set_result(None)


@pytest.mark.sqlite_only  # where no other host can have the account, so that nobody has to be asked
async def test_a_turn_is_had_by_one_alone_and_given_back(desk: Desk) -> None:
    room = asyncio.Semaphore(2)
    async with turn(desk, ALICE, desk.clock.elapsed() + 5, room):
        assert await desk.locks.take("alice") is None, "somebody else had the account at the same time"
        with Locks(desk.home.run, desk.clock, desk.chance) as others:
            assert await others.take("alice") is None
    held = await desk.locks.take("alice")
    assert held is not None
    with held:
        pass
    assert not room.locked()


async def test_an_account_that_another_process_holds_is_waited_for_until_the_deadline(desk: Desk) -> None:
    with Locks(desk.home.run, desk.clock, desk.chance) as others:
        held = await others.take("alice")
        assert held is not None
        with held, pytest.raises(Busy):
            async with turn(desk, ALICE, desk.clock.elapsed() + 0.05, asyncio.Semaphore(1)):
                raise AssertionError("two had the account")


async def test_after_the_stop_nobody_gets_a_turn(desk: Desk) -> None:
    room = asyncio.Semaphore(1)
    desk.stopping.set()
    with pytest.raises(Refused):
        async with turn(desk, ALICE, desk.clock.elapsed() + 5, room):
            raise AssertionError("a turn after the stop")
    assert not room.locked()
