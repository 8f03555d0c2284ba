"""Energy by use, carbon, and a grid that charges for scarcity."""

from __future__ import annotations

import pytest
import torch

from envs.city.coupling import run
from envs.city.energy import renewable_share, scarcity
from envs.city.model import City
from envs.city.parameters import Parameters
from envs.city.shocks import no_shocks
from tests.model.runs import last, months, policy


def test_the_first_year_has_the_shares_of_the_table(city: City) -> None:
    (_, _, flows), *_ = months(city, {}, 1)
    energy = flows.energy
    assert float(energy.renewable) == pytest.approx(0.2)
    assert float(energy.price) == pytest.approx(0, abs=1e-12)
    assert float(energy.load) == pytest.approx(0.8)
    per_head = 12 * energy.carbon.sum((1, 2)) / flows.residents.people.sum((1, 2))
    assert 1 < float(per_head) < 12, "tonnes a year, the order of rich cities"
    factors = city.parameters.values["carbon"][0]
    torch.testing.assert_close(energy.carbon, energy.use * factors * 0.8)


def test_clean_capital_raises_the_renewable_share_below_one() -> None:
    p = Parameters.default()
    capital = torch.tensor([0.0, 1.0, 3.0, 1e6], dtype=torch.float64)
    share = renewable_share(p, capital)
    torch.testing.assert_close(share[1], torch.tensor(0.2, dtype=torch.float64))
    assert bool((share.diff() > 0).all())
    assert float(share[-1]) < 1
    assert bool((scarcity(p, torch.linspace(0, 2, 20, dtype=torch.float64)).diff() > 0).all())


@pytest.mark.parametrize(
    ("lever", "value", "use"), [("renewables", 3.0, None), ("retrofit", 3.0, 0), ("toll", 0.006, 3)]
)
def test_levers_cut_carbon_where_they_act(
    nine: City, lever: str, value: float, use: int | None
) -> None:
    _, base = last(nine, policy(nine, {}), 120)
    _, green = last(nine, policy(nine, {lever: value}), 120)
    saved = base.energy.carbon.sum(1) - green.energy.carbon.sum(1)
    assert float(saved.sum()) > 0
    if use is None:
        assert float(green.energy.renewable) > 0.25
    else:
        assert int(saved[0].argmax()) == use


def test_dear_fuel_and_a_full_grid_make_energy_dear(nine: City) -> None:
    quiet = no_shocks(1, 9, nine.start.planning.home_rent)
    dear = quiet | {"fuel": torch.full((1,), 0.6, dtype=torch.float64)}
    calm = run(nine, 2, weather=[quiet] * 2).flows[-1]
    crisis = run(nine, 2, weather=[dear] * 2).flows[-1]
    assert float(crisis.energy.price - calm.energy.price) == pytest.approx(0.3, abs=0.02)
    assert bool((crisis.value.utility < calm.value.utility).all())
    assert float(crisis.commute.car.sum()) < float(calm.commute.car.sum())
    _, grown = last(nine, policy(nine, {"far": 2.0, "release": 0.5}), 240)
    assert float(grown.energy.load) > 0.8
    assert float(grown.energy.price) > 0
