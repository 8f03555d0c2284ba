"""The stochastic mode and crises of an environment: rows of their own, ends that are no crisis."""

from __future__ import annotations

import pytest
import torch

import envs
from envs.city.dynamics import Dynamics
from envs.city.shocks import SHOCKS, lasting
from envs.groups import StepResult


def rollout(num_envs: int, seed: int, **options: object) -> list[StepResult]:
    core = envs.make(
        "city_v0",
        city="synthetic",
        districts=4,
        num_envs=num_envs,
        seed=seed,
        horizon=24,
        **options,
    )
    quiet = {g.name: torch.zeros(num_envs, g.size, len(g.action_names)) for g in core.groups}
    quiet["infrastructure"] = quiet["infrastructure"] + 0.5
    return [core.step(quiet) for _ in range(8)]


def test_chance_is_of_the_row_and_the_same_for_its_twin() -> None:
    many, alone = rollout(4, 5, chance=1.0), rollout(1, 7, chance=1.0)
    for crowd, one in zip(many, alone, strict=True):
        torch.testing.assert_close(
            crowd.info["welfare"]["overall"][2:3],
            one.info["welfare"]["overall"],
            rtol=1e-4,
            atol=1e-6,
        )
    still = rollout(4, 5)
    moved = many[-1].info["indicators"]["rent"] / still[-1].info["indicators"]["rent"]
    assert float((moved - 1).abs().max()) > 1e-6
    idle = envs.make(
        "city_v0", city="synthetic", districts=4, num_envs=2, seed=1, chance=1.0, terminal="tail"
    )
    nothing = {g.name: torch.zeros(2, g.size, len(g.action_names)) for g in idle.groups}
    assert float(idle.step(nothing).info["welfare"]["overall"].abs().max()) == 0


def test_the_years_after_the_end_are_no_crisis_for_ever() -> None:
    """Levels stay in the tail of an episode; events have passed and chance has no memory."""
    weather = Dynamics("crisis", 2, 4, 24, torch.zeros(1), chance=1.0)
    weather.reset([0, 1])
    months = [weather.advance() for _ in range(24)]
    struck = [name for name in months[0] if SHOCKS[name].kind == "event"]
    assert any(float(month[name].abs().max()) > 0.01 for month in months for name in struck)
    for month in months:
        for name, value in lasting(month).items():
            kept = month[name] if SHOCKS[name].kind == "level" else torch.zeros_like(value)
            assert torch.equal(value, kept), name
    ended = rollout(2, 3, dynamics="crisis", terminal="tail")[-1].info["welfare"]["terminal"]
    assert bool((ended.abs() < 10).all()), "months of income"


def test_a_bad_strength_is_refused() -> None:
    with pytest.raises(ValueError, match="chance=-1"):
        envs.make("city_v0", city="synthetic", districts=4, num_envs=1, chance=-1)
