"""No free lunches: at today's policy every lever has the same marginal value of public funds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

import configs
from envs import priors
from envs.city import neutrality, welfare
from envs.city.levers import LEVERS
from envs.city.model import City
from envs.city.parameters import TABLE
from envs.city.valuation import (
    Margins,
    discount_factor,
    margins,
    present_value,
    probe_names,
)
from tests.model.runs import policy

LIMIT = 0.05
COST_OF_FUNDS = TABLE["cost_of_funds"].default
GRANT_VALUE = TABLE["grant_value"].default
ONE_SIDED = ("subsidy", "rebate", "toll", "road_toll")
STORED = {
    "synthetic": priors.SYNTHETIC,
    "london": configs.root() / "city" / "london" / priors.FILE,
}


def stored(path: Path) -> dict[str, float]:
    """Residuals by lever that a prior file reports."""
    residuals = yaml.safe_load(path.read_text(encoding="utf-8"))["residuals"]
    return {name: float(value) for name, value in residuals.items()}


@pytest.fixture(scope="module")
def recomputed(zero: City, london: City) -> dict[str, Margins]:
    """Marginal values of every lever in both cities, computed anew."""
    cities = {"synthetic": zero, "london": london}
    return {name: margins(city, welfare.reference(city), 1) for name, city in cities.items()}


@pytest.mark.parametrize("name", ["synthetic", "london"])
def test_the_stored_prior_is_neutral_for_every_lever(name: str) -> None:
    found = stored(STORED[name])
    expected = set(probe_names()) - set(ONE_SIDED) | {"grant"}
    assert set(found) == expected
    assert max(abs(x) for x in found.values()) < LIMIT


@pytest.mark.parametrize("name", ["synthetic", "london"])
def test_residuals_computed_anew_are_the_stored_ones(
    recomputed: dict[str, Margins], name: str
) -> None:
    found = recomputed[name]
    for lever, value in stored(STORED[name]).items():
        if lever == "grant":
            now = float(found.funds) / GRANT_VALUE - 1
        else:
            now = float(found.residual(lever, COST_OF_FUNDS))
        assert now == pytest.approx(value, abs=0.005), lever
        assert abs(now) < LIMIT, lever


@pytest.mark.parametrize("name", ["synthetic", "london"])
@pytest.mark.parametrize("lever", ["subsidy", "rebate"])
def test_a_lever_at_its_bound_does_not_pay(
    recomputed: dict[str, Margins], name: str, lever: str
) -> None:
    assert float(recomputed[name].residual(lever, COST_OF_FUNDS)) < LIMIT


@pytest.mark.parametrize("name", ["synthetic", "london"])
def test_neutral_spending_is_worth_the_cost_of_funds(
    recomputed: dict[str, Margins], name: str
) -> None:
    """Another way of saying it: the value of public funds of a pound spent."""
    for lever in ("staff[education]", "transit", "maintenance", "research"):
        assert float(recomputed[name].public_value(lever)) == pytest.approx(1.1, abs=0.05)
    assert float(recomputed[name].funds) == pytest.approx(GRANT_VALUE, rel=0.05)


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
    """But tolls where roads are full: the one exception that MODEL section 22.5 allows."""
    city = request.getfixturevalue(name)
    gains = alone(city)
    crowded = float(city.parameters.b.vc.max()) > 1
    allowed = {"toll high", "road_toll high"} if crowded else set()
    assert {lever: gain for lever, gain in gains.items() if gain > 0.005}.keys() <= allowed
    assert gains["subsidy high"] < -0.01, "convex leakage: neutral at the margin is not enough"


def test_unknowns_survive_packing(zero: City) -> None:
    vector = neutrality.pack(zero.parameters)
    again = neutrality.pack(neutrality.unpack(zero.parameters, 1.1 * vector[None]))
    torch.testing.assert_close(again, 1.1 * vector)


def test_a_prior_survives_its_file(tmp_path: Path, recomputed: dict[str, Margins]) -> None:
    values = priors.read(priors.SYNTHETIC)
    solution = neutrality.Neutral(dict(values), {"road": 0.01}, recomputed["london"], 1)  # type: ignore[arg-type]
    priors.write(tmp_path / "prior.yaml", solution, "A note.")
    assert priors.read(tmp_path / "prior.yaml") == values
    assert stored(tmp_path / "prior.yaml") == {"road": 0.01}
    (tmp_path / "bad.yaml").write_text("values: {no_such: 1.0}\nresiduals: {}\n")
    with pytest.raises(ValueError, match="no_such"):
        priors.read(tmp_path / "bad.yaml")
