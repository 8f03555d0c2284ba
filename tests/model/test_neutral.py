"""No free lunches: at today's policy every lever has the same marginal value of public funds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

import configs
from envs import priors
from envs.city import neutrality, welfare
from envs.city.cities import synthetic_cities, with_parameters
from envs.city.levers import LEVERS
from envs.city.model import City
from envs.city.valuation import (
    Margins,
    costates,
    discount_factor,
    margins,
    mechanical_costs,
    present_value,
    probe_names,
)
from tests.model.runs import policy

LIMIT = 0.05
ONE_SIDED = ("subsidy", "rebate", "toll")
STORED = {
    "synthetic": priors.SYNTHETIC,
    "london": configs.root() / "city" / "london" / priors.FILE,
}


def stored(path: Path) -> dict[str, float]:
    """Residuals by lever that a prior file reports."""
    residuals = yaml.safe_load(path.read_text(encoding="utf-8"))["residuals"]
    return {name: float(value) for name, value in residuals.items()}


@pytest.fixture(scope="module")
def zero() -> City:
    """The synthetic city that the stored prior was solved on."""
    return with_parameters(synthetic_cities([0], 9), priors.read(priors.SYNTHETIC))


@pytest.fixture(scope="module")
def recomputed(zero: City) -> Margins:
    """Marginal values of every lever, computed anew."""
    return margins(zero, welfare.reference(zero), 1)


@pytest.mark.parametrize("name", ["synthetic", "london"])
def test_the_stored_prior_is_neutral_for_every_lever(name: str) -> None:
    found = stored(STORED[name])
    expected = set(probe_names()) - set(ONE_SIDED) | {"grant"}
    assert set(found) == expected
    assert max(abs(x) for x in found.values()) < LIMIT


def test_residuals_computed_anew_are_the_stored_ones(recomputed: Margins) -> None:
    for name, value in stored(STORED["synthetic"]).items():
        if name == "grant":
            now = float(recomputed.funds) / neutrality.GRANT_VALUE - 1
        else:
            now = float(recomputed.residual(name, neutrality.COST_OF_FUNDS))
        assert now == pytest.approx(value, abs=0.005), name
        assert abs(now) < LIMIT, name


@pytest.mark.parametrize("name", ["subsidy", "rebate"])
def test_a_lever_at_its_bound_does_not_pay(recomputed: Margins, name: str) -> None:
    assert float(recomputed.residual(name, neutrality.COST_OF_FUNDS)) < LIMIT


def test_neutral_spending_is_worth_the_cost_of_funds(recomputed: Margins) -> None:
    """The other two ways of saying it: value of public funds and benefit over cost."""
    for name in ("staff[education]", "transit", "maintenance", "research"):
        assert float(recomputed.public_value(name)) == pytest.approx(1.1, abs=0.05)
    assert float(recomputed.funds) == pytest.approx(neutrality.GRANT_VALUE, rel=0.05)


def test_a_toll_pays_where_there_is_congestion_only(zero: City, recomputed: Margins) -> None:
    """The one allowed exception: what a toll gains is congestion, at v/c 0.3 there is none."""
    empty = with_parameters(synthetic_cities([0], 9, {"vc": 0.3}), priors.read(priors.SYNTHETIC))
    calm = margins(empty, welfare.reference(empty), 1)
    toll = float(calm.residual("toll", neutrality.COST_OF_FUNDS))
    assert toll < LIMIT
    assert float(recomputed.residual("toll", neutrality.COST_OF_FUNDS)) > toll


def alone(city: City) -> dict[str, float]:
    """Gain of each lever held at a bound for ever, one at a time, share of all income."""
    held = [
        (name, side)
        for name, lever in LEVERS.items()
        for side in ("low", "high")
        if getattr(lever, side) != lever.default and name not in ("targeting", "budget_split")
    ]
    city = city.to(torch.float32)
    requested = policy(city, {}, len(held) + 1)
    for row, (name, side) in enumerate(held, 1):
        requested[name][row] = getattr(LEVERS[name], side)
    reference = welfare.reference(city)
    with torch.no_grad():
        value = present_value(city, city.initial(len(held) + 1), reference, requested).welfare
    gains = (value - value[0]) / (reference.total / (1 - discount_factor(city)))
    return {f"{name} {side}": float(x) for (name, side), x in zip(held, gains[1:], strict=True)}


@pytest.mark.parametrize("name", ["london", "zero"])
def test_no_lever_pays_at_its_bounds(name: str, request: pytest.FixtureRequest) -> None:
    gains = alone(request.getfixturevalue(name))
    assert {lever: gain for lever, gain in gains.items() if gain > 0.005} == {}
    assert gains["subsidy high"] < -0.01, "convex leakage: neutral at the margin is not enough"


def finite_difference(city: City, name: str, months: int) -> tuple[float, float]:
    """Central differences of the present values of welfare and cost in one lever."""
    step = 1e-4 * (LEVERS[name].high - LEVERS[name].low)
    default = LEVERS[name].default
    requested = policy(city, {name: [default - step, default + step]}, 2)
    reference = welfare.reference(city)
    with torch.no_grad():
        value = present_value(city, city.initial(2), reference, requested, months, "soft")
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
        quiet = welfare.no_shocks(1, zero.districts, like)
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

    slope = (bumped(1e-4) - bumped(-1e-4)) / 2e-4
    price = (prices.infrastructure.road * start.infrastructure.road).sum()
    assert float(price) == pytest.approx(float(slope), rel=1e-5)
    assert float(price) > 0


def test_unknowns_survive_packing(zero: City) -> None:
    vector = neutrality.pack(zero.parameters)
    again = neutrality.pack(neutrality.unpack(zero.parameters, 1.1 * vector[None]))
    torch.testing.assert_close(again, 1.1 * vector)


def test_a_prior_survives_its_file(zero: City, tmp_path: Path, recomputed: Margins) -> None:
    values = priors.read(priors.SYNTHETIC)
    solution = neutrality.Neutral(dict(values), {"road": 0.01}, recomputed, 1)  # type: ignore[arg-type]
    priors.write(tmp_path / "prior.yaml", solution, "A note.")
    assert priors.read(tmp_path / "prior.yaml") == values
    assert stored(tmp_path / "prior.yaml") == {"road": 0.01}
    (tmp_path / "bad.yaml").write_text("values: {no_such: 1.0}\nresiduals: {}\n")
    with pytest.raises(ValueError, match="no_such"):
        priors.read(tmp_path / "bad.yaml")
