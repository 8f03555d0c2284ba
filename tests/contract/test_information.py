"""Governors see what was published; everything else is of the city as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs.city.indicators import INDICATORS, change
from envs.city.information import FIGURES, SERIES, series_of
from envs.governance import GovernanceEnv
from envs.groups import StepResult

SCENARIOS = ("city_v0", "districts_v0")
#: A tail run spares the co-states, which take most of the time; most tests end no episode.
SMALL: dict[str, Any] = {"districts": 9, "cities": 2, "horizon": 36, "terminal": "tail"}


def make(scenario: str, rows: int = 2, **options: Any) -> GovernanceEnv:
    return envs.make(scenario, num_envs=rows, seed=4, **(SMALL | options))


def actions(env: GovernanceEnv, step: int, rows: int = 2) -> dict[str, Tensor]:
    """The same random actions for any environment of the scenario."""
    generator = torch.Generator().manual_seed(step)
    return {
        group.name: 2 * torch.rand(rows, group.size, len(group.action_names), generator=generator)
        - 1
        for group in env.groups
    }


def played(env: GovernanceEnv, steps: int) -> Iterator[StepResult]:
    for step in range(steps):
        yield env.step(actions(env, step))


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_full_information_is_the_truth_to_the_bit() -> None:
    env = make("city_v0")
    first = env._scene().start
    for result in played(env, 3):
        for group in env.groups:
            seen = result.info["final_observations"][group.name][:, 0]
            for column, name in enumerate(group.observation_names):
                if name in INDICATORS:
                    truth = change(INDICATORS[name], result.info["indicators"][name], first[name])
                    assert torch.equal(seen[:, column], truth.clamp(-10, 10)), name


def test_information_changes_what_is_seen_and_nothing_else(scenario: str) -> None:
    perfect, silo = make(scenario), make(scenario, information=0.0)
    assert perfect.groups == silo.groups
    for clear, dim in zip(played(perfect, 5), played(silo, 5), strict=True):
        for name in clear.rewards:
            assert torch.equal(clear.rewards[name], dim.rewards[name])
            assert torch.equal(clear.costs[name], dim.costs[name])
            assert not torch.equal(clear.observations[name], dim.observations[name])
        assert torch.equal(clear.info["state"], dim.info["state"])
        for name, value in clear.info["welfare"].items():
            assert torch.equal(value, dim.info["welfare"][name])


def test_a_silo_knows_its_own_figures_its_levers_and_the_date_only() -> None:
    env = make("city_v0", information=0.0)
    for result in played(env, 3):
        for group in env.groups:
            seen = result.observations[group.name][:, 0]
            for column, name in enumerate(group.observation_names):
                if name not in INDICATORS:
                    continue
                told = series_of(name).block in (group.name, "treasury")
                blind = not told or series_of(name).coverage == 0
                assert bool((seen[:, column] == 0).all()) == blind, (group.name, name)


def test_what_happens_is_seen_late() -> None:
    """The treasury reports without error, a month late."""
    env, truth = make("city_v0", information=0.0, months_per_step=1), []
    (group, *_) = env.groups
    column = group.observation_names.index("revenue")
    first = env._scene().start["revenue"]
    for result in played(env, 8):
        truth.append(change(FIGURES["revenue"], result.info["indicators"]["revenue"], first))
        seen = result.info["final_observations"][group.name][:, 0, column]
        if len(truth) > 1:
            assert torch.allclose(seen, truth[-1 - SERIES["revenue"].lag], atol=1e-6)
            assert not torch.equal(seen, truth[-1])


def test_the_same_seed_brings_the_same_errors_in_any_batch(scenario: str) -> None:
    crowd = envs.make(scenario, num_envs=4, seed=4, information=0.4, **SMALL)
    alone = envs.make(scenario, num_envs=1, seed=6, information=0.4, **SMALL)
    for step in range(6):
        joint = actions(crowd, step, 4)
        together = crowd.step(joint).observations
        one = alone.step({name: a[2:3] for name, a in joint.items()}).observations
        for name, seen in one.items():
            assert torch.allclose(together[name][2:3], seen, atol=2e-3), (scenario, step)
    again, _ = crowd.reset(seed=4)
    anew, _ = envs.make(scenario, num_envs=4, seed=4, information=0.4, **SMALL).reset(seed=4)
    assert all(torch.equal(again[name], anew[name]) for name in again)


def test_a_new_episode_knows_nothing_of_the_last(scenario: str) -> None:
    env = make(scenario, information=0.0, horizon=6)
    results = list(played(env, env.steps_per_episode))
    assert bool(results[-1].terminated.all())
    largest = 4.5 * max(
        SERIES[series_of(name).name].noise / FIGURES[name].scale
        for group in env.groups
        for name in (x.removeprefix("city_") for x in group.observation_names)
        if name in INDICATORS
    )
    for group in env.groups:
        names = group.observation_names
        known = [i for i, n in enumerate(names) if n.removeprefix("city_") in INDICATORS]
        opening = results[-1].observations[group.name][..., known]
        last = results[-1].info["final_observations"][group.name][..., known]
        assert float(opening.abs().max()) < largest
        assert not torch.equal(opening, last)
        levers = [i for i, name in enumerate(names) if name.startswith("lever_")]
        assert bool((results[-1].observations[group.name][..., levers] == 0).all())


def test_some_rows_start_anew_and_the_others_go_on(scenario: str) -> None:
    env, other = make(scenario, information=0.3), make(scenario, information=0.3)
    for each in (env, other):
        list(played(each, 2))
    env.restart([1])
    one, two = env.step(actions(env, 2)), other.step(actions(other, 2))
    for name in one.observations:
        assert torch.equal(one.observations[name][0], two.observations[name][0])
        assert not torch.equal(one.observations[name][1], two.observations[name][1])


@pytest.mark.parametrize("information", [1.0, 0.0])
def test_the_bulletin_and_the_life_cycle_add_columns(scenario: str, information: float) -> None:
    plain = make(scenario)
    full = make(scenario, information=information, life_cycle=True, bulletin=True)
    extra = {
        a.name: set(b.observation_names) - set(a.observation_names)
        for a, b in zip(plain.groups, full.groups, strict=True)
    }
    everything = set.union(*extra.values())
    assert {"complaints", "permits", "revised_rent", "works_maintenance_paid"} <= everything
    if scenario == "city_v0":
        assert "works_road_pipeline" in extra["infrastructure"]
        assert "works_road_pipeline" not in extra["services"]
    for clear, seen in zip(played(plain, 3), played(full, 3), strict=True):
        for a, b in zip(plain.groups, full.groups, strict=True):
            found = seen.observations[b.name]
            assert found.shape == (2, b.size, len(b.observation_names))
            assert bool(torch.isfinite(found).all())
            if information == 1:
                shown = [b.observation_names.index(name) for name in a.observation_names]
                assert torch.equal(found[..., shown], clear.observations[a.name])


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_information_out_of_range_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"information=.*: expected 0 to 1"):
        make("city_v0", information=wrong)
