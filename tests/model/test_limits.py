"""Limits with exact answers: the model against the theory it comes from, and its responses.

The oracles of ``polislab model verify`` are the tests of MODEL section 15; together they take
half a minute.
"""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from envs.city import infrastructure
from envs.city.functions import ces, ces_match, diminishing, saturate, soft_cap
from envs.city.levers import LEVERS, baseline_policy, enforce
from envs.city.model import City
from envs.city.parameters import Parameters
from envs.city.roads import Reservoirs
from experiments.verify.oracle import Oracle
from experiments.verify.table import ORACLES
from tests.model.runs import months

ONE_ROAD = Reservoirs(torch.ones(1, 1, 1, dtype=torch.float64))


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_the_model_agrees_with_theory(oracle: Oracle) -> None:
    found = oracle.compute()
    assert found
    off = [
        f"{row.case}: theory {row.theory:.7g}, ours {row.ours:.7g}"
        for row in found
        if not row.passed
    ]
    assert not off


def test_every_limit_of_the_specification_has_its_oracle() -> None:
    assert {oracle.number for oracle in ORACLES} == set(range(1, 15))
    assert len({oracle.name for oracle in ORACLES}) == len(ORACLES)


def test_inversion_clears_every_labour_market(city: City) -> None:
    """Furness balancing: supply equals demand in each district and sector."""
    (_, _, flows), *_ = months(city, {}, 1)
    frictional = 2 ** (-1 / 13.5)
    assert torch.allclose(
        flows.market.rate, torch.full_like(flows.market.rate, frictional), rtol=1e-8
    )


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_matching_is_den_haan_ramey_and_watsons(a: float, b: float) -> None:
    rho = 1.27
    expected = a * b / (a**rho + b**rho) ** (1 / rho)
    found = ces_match(
        torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64), rho
    )
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_five_percent_are_between_jobs(nine: City) -> None:
    (_, _, flows), *_ = months(nine, {}, 1)
    assert float(flows.market.rate.mean()) == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize("load", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_delay_is_that_of_the_bureau_of_public_roads(load: float) -> None:
    p = Parameters.default()
    pace = infrastructure.congested_pace(ONE_ROAD, p, torch.ones(1, 1), torch.full((1, 1), load))
    expected = 60 / 35 * (1 + 0.15 * load**4)
    assert float(pace) == pytest.approx(expected, rel=2e-3)


def test_no_load_makes_a_road_stand_still() -> None:
    p = Parameters.default()
    jam = infrastructure.congested_pace(ONE_ROAD, p, torch.ones(1, 1), torch.full((1, 1), 1e6))
    assert float(jam) == pytest.approx(60 / 35 * (1 + 0.15 * 4**4), rel=1e-6)


@given(st.floats(0.0, 1e4), st.floats(0.5, 4), st.floats(2, 20))
def test_saturation_is_anchored_at_zero_one_and_its_cap(q: float, psi: float, cap: float) -> None:
    def at(x: float) -> float:
        return float(saturate(*(torch.tensor(v, dtype=torch.float64) for v in (x, psi, cap))))

    assert at(1.0) == pytest.approx(1)
    assert at(0.0) == pytest.approx(0, abs=1e-3)
    assert 0 <= at(q) <= cap
    assert at(1e30) == pytest.approx(cap, rel=1e-3)


def test_other_responses_have_their_anchors() -> None:
    one = torch.tensor(1.0, dtype=torch.float64)
    assert float(diminishing(one)) == 0
    assert float(diminishing(0 * one)) == -2
    assert float(diminishing(1e9 * one)) == pytest.approx(2)
    assert float(ces(3 * one, 3 * one, 0.3 * one, 8 * one)) == pytest.approx(3)
    assert float(soft_cap(1e6 * one, 4 * one, 8 * one)) == pytest.approx(4)


def test_a_lever_is_limited_in_pace_and_then_delayed() -> None:
    """The largest change of a month is the delay's share of a twelfth of the range."""
    today = baseline_policy(1, 9, torch.float64)
    for name, lever in LEVERS.items():
        asked = torch.full_like(today[name], lever.high)
        after = enforce(today, {name: asked})[name]
        gap = lever.rate * math.tanh((lever.high - lever.default) / lever.rate)
        assert torch.allclose(after - today[name], torch.full_like(after, lever.delay * gap))
        now = today
        for _ in range(2000):
            now = enforce(now, {name: asked})
        assert torch.allclose(now[name], asked, atol=1e-6 * (lever.high - lever.low)), name
    assert enforce(today, {}) == today
