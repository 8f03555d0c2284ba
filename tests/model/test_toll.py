"""A toll whose revenue goes back to residents: too little and too much are both worse."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from envs.city import welfare
from envs.city.model import City
from envs.city.shocks import no_shocks
from tests.model.runs import months, policy

TOLLS = (0.0, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.006, 0.010)


def returned_as_dividend(city: City, weights: str, horizon: int) -> Tensor:
    """Welfare of the first-year residents under each toll, the one treasury sharing surpluses."""
    reference = welfare.reference(city, weights)
    requested = policy(city, {"toll": TOLLS}, len(TOLLS))
    with torch.no_grad():
        *_, (_, _, flows) = months(city, requested, horizon, "pooled")
    return welfare.evaluate(city, reference, flows, weights).incumbents


def returned_as_rebate(city: City, weights: str, horizon: int) -> Tensor:
    """The same with a soft treasury: each month's rebate is last month's toll revenue a head."""
    reference = welfare.reference(city, weights)
    rows = len(TOLLS)
    requested = policy(city, {"toll": TOLLS}, rows)
    state = city.initial(rows)
    quiet = no_shocks(rows, city.districts, state.planning.home_rent)
    with torch.no_grad():
        for _ in range(horizon):
            state, flows = city.step(state, requested, quiet, "soft")
            each = flows.commute.tolls / flows.residents.people.sum((1, 2))
            each = each / city.fundamentals.treasury.money
            requested["rebate"] = each.unsqueeze(-1).expand(-1, 6)
    rebates = flows.settlement.lines["rebates"]
    assert torch.allclose(rebates, flows.commute.tolls, rtol=0.1)
    return welfare.evaluate(city, reference, flows, weights).incumbents


def test_a_toll_with_dividend_has_an_interior_optimum(congested: City) -> None:
    for horizon in (24, 60):
        gains = returned_as_dividend(congested, "experienced", horizon)
        best = int(gains.argmax())
        assert 0 < best < len(TOLLS) - 1
        assert float(gains[best]) > 0.002
        assert float(gains[-1]) < 0.9 * float(gains[best]), "a high toll is partly dodged"


def test_a_toll_with_rebate_has_an_interior_optimum(congested: City) -> None:
    gains = returned_as_rebate(congested, "experienced", 24)
    best = int(gains.argmax())
    assert 0 < best < len(TOLLS) - 1
    assert float(gains[best]) > 0.002
    assert bool((gains[: best + 1].diff() > 0).all())
    assert bool((gains[best:].diff() < 0).all())


@pytest.mark.parametrize("way", [returned_as_dividend, returned_as_rebate])
def test_with_revealed_weights_every_toll_loses(congested: City, way: object) -> None:
    assert callable(way)
    gains = way(congested, "revealed", 24)
    assert bool((gains[1:] < 0).all())
    assert bool((gains.diff() < 0).all())


def test_without_congestion_a_toll_gains_less(congested: City, nine: City) -> None:
    """What a toll earns is the congestion it removes."""
    busy = returned_as_rebate(congested, "experienced", 24)
    calm = returned_as_rebate(nine, "experienced", 24)
    assert float(calm.max()) < 0.5 * float(busy.max())
    assert int(calm.argmax()) < int(busy.argmax())
