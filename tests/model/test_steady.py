"""The first year stands still: under today's policy and frozen shocks nothing moves."""

from __future__ import annotations

import pytest
import torch

from envs.city.model import City
from envs.city.steady import drift
from tests.model.runs import last, policy

YEARS_10 = 120
LIMIT = 1e-4


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", ["london", "nine", "thirty_three"])
def test_the_first_year_is_a_steady_state(
    name: str, dtype: torch.dtype, request: pytest.FixtureRequest
) -> None:
    city: City = request.getfixturevalue(name).to(dtype)
    state, _ = last(city, {}, YEARS_10, "pooled")
    moved = {state: gap for state, gap in drift(city, state).items() if gap >= LIMIT}
    assert not moved
    if dtype is torch.float64:
        assert max(drift(city, state).values()) < 1e-7


def test_drift_sees_a_small_change_of_any_kind(nine: City) -> None:
    state, _ = last(nine, policy(nine, {"income_tax": 0.051}), 24, "pooled")
    found = drift(nine, state)
    assert found["planning.people"] > 1e-4
    assert found["treasury.policy.income_tax"] == pytest.approx(0.001 / 0.3, rel=0.05)
    state, _ = last(nine, policy(nine, {"debt_target": 0.5}), 24, "pooled")
    assert drift(nine, state)["treasury.debt"] > 0.1


def test_many_cities_in_one_batch_stand_still_each(many: City) -> None:
    state, flows = last(many, {}, YEARS_10, "pooled")
    assert max(drift(many, state).values()) < 1e-6
    assert flows.settlement.scale["services"].sub(1).abs().max() < 1e-6
