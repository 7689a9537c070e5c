"""The gateway proof as a test: sixty fan-outs with trouble, two thousand in the long form (`pytest --long`)."""

from __future__ import annotations

import pytest

from tests.proofs.test_proofs import prove


@pytest.mark.proof
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("half", [1, 2])
def test_trouble_at_the_brokers_sends_nothing_twice_and_leaves_no_lie(half: int, long_form: bool) -> None:
    fan_outs = 1000 if long_form else 30
    found = prove("gateways", fan_outs, half)
    assert found["faulted"] >= fan_outs
    assert found["D"] == found["L"] == found["U"] == found["A"] == found["wrong"] == []
    assert len(found["faults"]) >= (18 if long_form else 12), "trouble must be of every kind"
    assert found["unclear_when_sent"] >= fan_outs // 2, "trouble must strike orders"
    assert set(found["brokers"]) == {"zerodha", "fyers", "hdfc", "mstock"}
