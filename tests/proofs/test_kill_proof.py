"""The kill proof as a test: a hundred presses each time, two thousand in the long form (`pytest --long`)."""

from __future__ import annotations

import pytest

from tests.proofs.test_proofs import prove


@pytest.mark.timeout(14400)
@pytest.mark.parametrize("half", [1, 2])
def test_no_first_byte_leaves_after_kill_has_returned(half: int, long_form: bool) -> None:
    runs = 1000 if long_form else 50
    found = prove("killing", runs, half)
    assert found["wrong"] == []
    assert found["part_sent"] >= runs // 2, "the presses must meet fan-outs that are running"
