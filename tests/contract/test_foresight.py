"""Looking ahead: a world goes back to where it stood, and is told what weather to expect."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import envs


def tiny(rows: int, **options: Any) -> Any:
    chosen: dict[str, Any] = {"horizon": 12, "districts": 3, "cities": 1}
    return envs.make("city_v0", num_envs=rows, **chosen | options)


def trajectory(world: Any, steps: int) -> Tensor:
    quiet = {g.name: torch.zeros(world.num_envs, g.size, len(g.action_names)) for g in world.groups}
    with torch.no_grad():
        return torch.stack([world.step(quiet).info["state"] for _ in range(steps)])


@pytest.mark.parametrize("information", [1.0, 0.5])
def test_a_world_that_went_back_lives_through_the_same_again(information: float) -> None:
    world = tiny(2, dynamics="shocks", information=information)
    trajectory(world, 1)
    moment, weather = world.moment(), world.weather
    first = trajectory(world, 2)
    world.go_back(moment)
    assert torch.equal(world.weather, weather)
    assert torch.equal(trajectory(world, 2), first)
    trajectory(world, 1)  # the episode ends and rows begin anew
    world.go_back(moment)
    assert torch.equal(world.weather, weather)


def test_expected_weather_fades_towards_the_mean_trend() -> None:
    world = tiny(1, dynamics="crisis", horizon=240, months_per_step=120)
    productivity = world.weather.clone()
    productivity[:, 0] = 0.1
    world.expect(productivity)
    trajectory(world, 1)
    trend = 0.005 * 10
    assert float(world.weather[0, 0]) == pytest.approx(0.1 * 0.97**120 + trend, rel=1e-4)
    assert float(world.weather[0, -1]) == 0.0
