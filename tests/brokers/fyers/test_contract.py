"""Fyers passes the contract of all adapters."""

from __future__ import annotations

import pytest

from tests.brokers.contract import BrokerContract
from tests.brokers.fyers.setting import FyersStage


@pytest.fixture
def stage() -> FyersStage:
    return FyersStage()


class TestFyers(BrokerContract):
    pass
