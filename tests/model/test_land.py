"""Land adds up, and free land is what new uses take."""

from __future__ import annotations

import torch

from envs.city.land import taken
from envs.city.model import City
from tests.model.runs import last, policy


def test_free_land_is_never_used_up() -> None:
    free = torch.tensor(0.25, dtype=torch.float64)
    for wanted in (1e-9, 0.1, 0.25, 1.0, 100.0):
        need = torch.tensor(wanted, dtype=torch.float64)
        assert float(need * taken(need, free)) < 0.25 or wanted == 100.0
        assert float(need * taken(need, free)) <= 0.25
    assert float(taken(torch.tensor(0.0, dtype=torch.float64), free)) == 1
    assert float(taken(torch.tensor(-0.1, dtype=torch.float64), free)) == 1
    near = torch.tensor([1e-7, 9e-7, 2e-6], dtype=torch.float64)
    torch.testing.assert_close(taken(near, free), 1 - near / 0.5, rtol=1e-9, atol=0)


def test_the_first_unit_of_land_is_found_in_full() -> None:
    wanted = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(
        wanted * taken(wanted, torch.tensor([0.25], dtype=torch.float64)), wanted
    )
    assert float(slope) == 1


def test_released_land_gets_scarcer_and_costs_open_space(nine: City) -> None:
    _, half = last(nine, policy(nine, {"release": 0.25}), 240)
    _, full = last(nine, policy(nine, {"release": 0.5}), 240)
    assert float(full.land.release.mean()) < 1.8 * float(half.land.release.mean())
    assert bool((full.land.release < full.fiscal.policy["release"]).all())
    assert bool((full.land.free < half.land.free).all())
    assert bool((full.land.lost > 0).all())


def test_new_roads_take_open_land(nine: City) -> None:
    _, built = last(nine, policy(nine, {"road": 4.0}), 360)
    assert bool((built.land.roads > 1.2 * 0.15 * nine.geography.land).all())
    assert bool((built.land.lost > 0.01).all())
    torch.testing.assert_close(built.land.homes, 0.40 * nine.geography.land.expand(1, -1))
