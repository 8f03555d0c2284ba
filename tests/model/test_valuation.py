"""Marginal values, mechanical costs and shadow prices are what differences say they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from envs.city import tree, valuation, welfare
from envs.city.cities import synthetic_cities, with_parameters
from envs.city.levers import LEVERS
from envs.city.model import City
from envs.city.shocks import no_shocks
from envs.city.valuation import (
    Margins,
    costates,
    discount_factor,
    margins,
    mechanical_costs,
    present_value,
)
from envs.priors import SYNTHETIC, read
from tests.model.runs import months, policy


def finite_difference(city: City, name: str, length: int) -> tuple[float, float]:
    """Central differences of the present values of welfare and cost in one lever."""
    step = 1e-4 * (LEVERS[name].high - LEVERS[name].low)
    default = LEVERS[name].default
    requested = policy(city, {name: [default - step, default + step]}, 2)
    reference = welfare.reference(city)
    with torch.no_grad():
        value = present_value(city, city.initial(2), reference, requested, length, "soft")
    return tuple(float((x[1] - x[0]) / (2 * step)) for x in (value.welfare, value.cost))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def short(zero: City) -> Margins:
    """Marginal values over two years."""
    return margins(zero, welfare.reference(zero), 1, 24)


@pytest.mark.parametrize("name", ["transit", "income_tax", "toll", "far", "audit", "rebate"])
def test_marginal_values_are_finite_differences(zero: City, short: Margins, name: str) -> None:
    gain, cost = finite_difference(zero, name, 24)
    scale = abs(float(short.mechanical[name]))
    assert float(short.welfare[name]) == pytest.approx(gain, rel=1e-5, abs=1e-6 * scale)
    assert float(short.cost[name]) == pytest.approx(cost, rel=1e-5, abs=1e-6 * scale)


def test_what_a_step_costs_mechanically_is_what_it_costs_before_anyone_moves(zero: City) -> None:
    """First-month cost of levers that act at once, against the table's arithmetic."""
    like = zero.start.planning.home_rent
    one = mechanical_costs(zero, 1)
    beta = discount_factor(zero)
    for name in ("transit", "staff[health]", "road", "research"):
        lever, _, cell = name.partition("[")
        requested = policy(zero, {})
        cells = {"health]": 1}.get(cell)
        if cells is None:
            requested[lever] = requested[lever] + 1e-3
        else:
            requested[lever][..., cells] += 1e-3
        quiet = no_shocks(1, zero.districts, like)
        _, flows = zero.step(zero.initial(), requested, quiet, "soft")
        _, before = zero.step(zero.initial(), {}, quiet, "soft")
        extra = (flows.settlement.spending - before.settlement.spending) / 1e-3
        perpetuity = one[name] * (1 - beta)
        assert float(extra) == pytest.approx(float(perpetuity), rel=1e-4), name


def test_shadow_prices_are_finite_differences(zero: City) -> None:
    reference = welfare.reference(zero)
    prices = costates(zero, reference, 24)
    start = zero.initial()

    def bumped(amount: float) -> Tensor:
        roads = start.infrastructure
        changed = replace(roads, road=roads.road * (1 + amount))
        with torch.no_grad():
            value = present_value(
                zero, replace(start, infrastructure=changed), reference, policy(zero, {}), 24
            )
        return value.welfare

    slope = (bumped(1e-5) - bumped(-1e-5)) / 2e-5
    price = (prices.infrastructure.road * start.infrastructure.road).sum()
    assert float(price) == pytest.approx(float(slope), rel=1e-5)
    assert float(price) > 0


def test_without_congestion_a_toll_beats_no_other_source_of_money() -> None:
    """A toll above the cost of funds is the one allowed exception: its gain is congestion."""
    empty = with_parameters(synthetic_cities([0], 9, {"vc": 0.3}), read(SYNTHETIC))
    calm = margins(empty, welfare.reference(empty), 1)
    assert float(calm.residual("toll", empty.parameters.b.cost_of_funds)) < 0.05


def test_a_present_value_is_the_discounted_sum_and_a_perpetuity(zero: City) -> None:
    """Month by month for three years, then the mean of the last twelve for ever."""
    requested = policy(zero, {"transit": 1.5})
    reference = welfare.reference(zero)
    beta = float(torch.exp(torch.tensor(-0.03 / 12, dtype=torch.float64)))
    with torch.no_grad():
        found = present_value(zero, zero.initial(), reference, requested, 36, "soft")
        gains, costs = [], []
        for _, _, flows in months(zero, requested, 36):
            worth = welfare.evaluate(zero, reference, flows).incumbents * reference.total
            gains.append(float(worth))
            costs.append(float(flows.settlement.spending - flows.settlement.revenue))
    for value, series in ((found.welfare, gains), (found.cost, costs)):
        expected = sum(beta**t * x for t, x in enumerate(series))
        expected += beta**36 / (1 - beta) * sum(series[-12:]) / 12
        assert float(value) == pytest.approx(expected, rel=1e-9)


def test_a_graph_that_is_too_large_is_recomputed_to_the_same_prices(
    zero: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = welfare.reference(zero)
    recomputed: list[int] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        recomputed.append(1)
        return checkpoint(*arguments, **options)

    monkeypatch.setattr(valuation, "checkpoint", counted)
    kept = costates(zero, reference, 24)
    assert not recomputed
    monkeypatch.setattr(valuation, "GRAPH", 0.0)
    again = costates(zero, reference, 24)
    assert len(recomputed) == 2
    for (name, one), (_, other) in zip(tree.leaves(kept), tree.leaves(again), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=0, msg=name)
