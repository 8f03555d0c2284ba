"""Planners: searches find known optima, control on an estimated model nears the best law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from scipy.linalg import solve_discrete_are
from torch import Tensor

import agents
import configs
import envs
from agents.planning.cross_entropy import CrossEntropy
from agents.planning.estimate import EstimatorFit, fit
from agents.planning.model import Estimator, Tracked, figures
from agents.planning.open_loop import OpenLoop
from agents.planning.receding import RecedingHorizon
from agents.planning.search import PlanSearch
from agents.planning.settings import (
    CEMSettings,
    EstimateSettings,
    HorizonSettings,
    ModelSettings,
    OpenLoopSettings,
)
from agents.planning.trials import Trials, spelled_out
from agents.predictive import ModelPredictive, build, policy_settings, weights
from experiments import config
from experiments.settings import AGENTS
from tests.toys import Regulator, Toy

OPEN_LOOP = OpenLoopSettings(
    periods=2,
    cities=4,
    held_out=2,
    iterations=80,
    plans_at_once=3,
    monthly_discount=0.99,
    starts=3,
    spread=0.5,
    learning_rate=0.1,
    learning_rate_end=0.01,
)
CEM = CEMSettings(
    periods=2,
    cities=4,
    held_out=2,
    iterations=30,
    plans_at_once=40,
    monthly_discount=0.99,
    population=40,
    elites=0.2,
    smoothing=0.8,
    spread=0.5,
    spread_end=0.0,
)
HORIZON = HorizonSettings(
    months=12,
    every=1,
    period=1,
    first_iterations=60,
    iterations=15,
    learning_rate=0.05,
    monthly_discount=1.0,
)


class Course(Toy):
    """Reward is highest where the lever is -0.4 in the first half of the episode, 0.6 after it."""

    def __init__(self, num_envs: int, steps: int = 4) -> None:
        super().__init__(num_envs, steps)

    def first(self) -> Tensor:
        return self.noise[:, -1]

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        target = -0.4 if 2 * self.clock < self.steps_per_episode else 0.6
        reward = self.x - (actions["board"][:, 0, :] - target).square().sum(-1)
        return {"board": reward.unsqueeze(-1)}, self.nothing()


class Foreseen(Regulator):
    """A regulator that looks ahead: its weather is what is not known beforehand, its state."""

    def moment(self) -> tuple[Tensor, int]:
        return self.x, self.clock

    def go_back(self, moment: tuple[Tensor, int]) -> None:
        self.x, self.clock = moment

    @property
    def weather(self) -> Tensor:
        return self.x.unsqueeze(-1)

    def expect(self, weather: Tensor) -> None:
        self.x = weather.squeeze(-1)
        self.noise = torch.zeros_like(self.noise)


def search(settings: Any, seed: int = 0) -> PlanSearch:
    kind = OpenLoop if isinstance(settings, OpenLoopSettings) else CrossEntropy
    rows = settings.plans_at_once * (settings.cities + settings.held_out)
    return kind(settings, Course(rows), seed)


def finish(found: PlanSearch, start: int = 0) -> list[dict[str, float]]:
    spans = range(start, found.segments.count)
    return [row for number in spans for row in found.train(number, lambda: None)]


@pytest.mark.parametrize("settings", [OPEN_LOOP, CEM], ids=["open_loop", "cem"])
def test_searches_find_the_best_settings_of_every_period(settings: Any) -> None:
    found = search(settings)
    rows = finish(found)
    levers = found.policy().weights()["levers.board"].flatten().tolist()
    assert levers == pytest.approx([-0.4, -0.4, 0.6, 0.6], abs=0.02)
    assert rows[-1]["best_return"] > rows[0]["best_return"]


@pytest.mark.parametrize("settings", [OPEN_LOOP, CEM], ids=["open_loop", "cem"])
def test_a_stopped_search_resumes_to_the_same_bits(settings: Any, tmp_path: Path) -> None:
    settings = replace(settings, iterations=6)
    whole, stopped, resumed = search(settings), search(settings), search(settings)
    rows = finish(whole)
    for number in range(3):
        list(stopped.train(number, lambda: None))
    stopped.save(tmp_path, 3)
    assert resumed.restore(tmp_path) == 3
    assert finish(resumed, 3) == rows[3:]
    assert torch.equal(
        whole.policy().weights()["levers.board"], resumed.policy().weights()["levers.board"]
    )


def test_simulator_calls_count_every_row_and_step() -> None:
    (row,) = search(CEM).train(2, lambda: None)
    assert row["env_steps"] == 3 * 40 * 6 * 4
    (row,) = search(replace(OPEN_LOOP, plans_at_once=1)).train(0, lambda: None)
    assert row["env_steps"] == 3 * 6 * 4


def test_plans_played_in_turn_earn_what_they_earn_side_by_side() -> None:
    plans = {"board": torch.linspace(-1, 1, 6).reshape(3, 2, 1)}
    together = Trials(Course(6), 2, seed=3, monthly_discount=0.99).play(plans, lambda: None)
    alone = Trials(Course(2), 2, seed=3, monthly_discount=0.99)
    parts = [alone.play({"board": plans["board"][b]}, lambda: None) for b in alone.batches(3)]
    assert torch.allclose(torch.cat(parts), together)


class Fickle(Course):
    """Two cities of three want the lever as high as it goes, the third wants 0.2."""

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        lever = actions["board"][:, 0, 0]
        odd = torch.arange(self.num_envs) % 3 == 2
        reward = torch.where(odd, -(lever - 0.2).square(), lever)
        return {"board": reward.unsqueeze(-1)}, self.nothing()


def test_the_plan_kept_is_the_best_on_cities_that_it_was_not_fitted_to() -> None:
    settings = replace(OPEN_LOOP, cities=2, held_out=1, starts=1, plans_at_once=1, spread=0.0)
    found = OpenLoop(replace(settings, learning_rate=0.05, learning_rate_end=0.05), Fickle(3), 0)
    finish(found)
    assert found.plans["board"].min() == 1.0
    assert found.best["board"].flatten().tolist() == pytest.approx([0.2, 0.2], abs=0.03)


def test_periods_are_equal_parts_of_the_episode() -> None:
    plan = torch.tensor([[0.1], [0.2], [0.3]])
    steps = spelled_out(plan, 7).flatten().tolist()
    assert steps == pytest.approx([0.1, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3])


def gain_of(act: Any, rows: int = 64, steps: int = 24) -> float:
    """Mean reward of a law on the regulator over the same noise, per step."""
    world = Regulator(rows, steps, seed=100)
    observations, _ = world.reset(seed=100)
    total = 0.0
    for step in range(steps):
        result = world.step(act(step, observations))
        observations = result.observations
        total += float(result.rewards["board"].mean()) / steps
    return total


def riccati(step: int, observations: dict[str, Tensor]) -> dict[str, Tensor]:
    """The best feedback of the endless problem."""
    r = Regulator
    p = solve_discrete_are([[r.KEEP]], [[r.PUSH]], [[1.0]], [[r.EFFORT]])[0, 0]
    gain = r.KEEP * r.PUSH * p / (r.EFFORT + r.PUSH**2 * p)
    return {"board": -0.5 * gain * observations["board"][..., :1]}


def control(estimator: Estimator, rows: int = 64, steps: int = 24) -> Any:
    """Receding-horizon control of regulators, as the policy does it."""
    tracked = Tracked(lambda n: Foreseen(n, steps), rows, 1, estimator)
    planner, taken = RecedingHorizon(tracked, HORIZON), {}

    def act(step: int, observations: dict[str, Tensor]) -> dict[str, Tensor]:
        nonlocal taken
        if step:
            tracked.follow(taken, observations)
        else:  # the first state is observed: here it is the only thing to be told
            tracked.model.expect(observations["board"][:, 0, :1])
            tracked.reference.expect(observations["board"][:, 0, :1])
        taken = planner.act()
        return taken

    return act


def learnt() -> EstimatorFit:
    settings = EstimateSettings(rows=32, episodes=2, spread=0.5, hold=2)
    return EstimatorFit(
        settings, Foreseen(32, 24), lambda n: Foreseen(n, 24), 1, 0, lambda estimator: estimator
    )


def test_on_the_exact_model_control_earns_what_the_riccati_law_earns() -> None:
    found = learnt()
    rows = [row for segment in range(2) for row in found.train(segment, lambda: None)]
    assert rows[-1]["explained"] > 0.99
    nothing = gain_of(lambda step, seen: {"board": torch.zeros(64, 1, 1)})
    best = gain_of(riccati)
    earned = gain_of(control(found.estimator))
    blind = gain_of(control(Estimator.none(1, 2)))
    assert earned - nothing >= 0.95 * (best - nothing)
    assert blind < earned  # what is observed counts


def test_an_estimate_resumes_to_the_same_bits(tmp_path: Path) -> None:
    whole, stopped, resumed = learnt(), learnt(), learnt()
    rows = [row for segment in range(2) for row in whole.train(segment, lambda: None)]
    list(stopped.train(0, lambda: None))
    stopped.save(tmp_path, 1)
    assert resumed.restore(tmp_path) == 1
    assert list(resumed.train(1, lambda: None)) == rows[1:]
    assert torch.equal(whole.estimator.gain, resumed.estimator.gain)


def test_the_estimate_finds_a_linear_map_and_sees_nothing_in_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(16, 30, 4, generator=generator, dtype=torch.float64)
    gain = torch.tensor([[1.0, 0.0, -2.0, 0.0], [0.0, 3.0, 0.0, 0.5]], dtype=torch.float64)
    estimator, explained = fit(features, features @ gain.T)
    assert explained > 0.999
    assert torch.allclose(estimator.gain.double(), gain, atol=1e-2)
    noise = torch.randn(16, 30, 2, generator=generator, dtype=torch.float64)
    estimator, explained = fit(features, noise)
    assert explained < 0.01
    assert float(estimator(features.float()).abs().mean()) < 0.1


KNOWN = ModelSettings("city_v0", "synthetic", 3, 1, {"horizon": 12, "dynamics": "steady"})
AHEAD = replace(
    HORIZON, months=12, every=2, period=2, first_iterations=3, iterations=1, learning_rate=0.2
)


def tiny(rows: int = 1, **options: Any) -> Any:
    chosen: dict[str, Any] = {"horizon": 12, "dynamics": "steady", "districts": 3, "cities": 1}
    return envs.make("city_v0", num_envs=rows, **chosen | options)


def mpc(world: Any, model: ModelSettings = KNOWN, ahead: HorizonSettings = AHEAD) -> Any:
    seen = sum(g.size * figures(g.observation_names) for g in world.groups)
    estimator = Estimator.none(world.weather.shape[1], seen)
    chosen = policy_settings(model, ahead, world.groups, world.weather.shape[1])
    return ModelPredictive(world.groups, chosen, weights(estimator))


def earned(world: Any, policy: Any, seed: int = 5) -> Tensor:
    observations, _ = world.reset(seed=seed)
    policy.reset(world.num_envs)
    total = torch.zeros(world.num_envs)
    for _ in range(world.steps_per_episode):
        with torch.no_grad():
            result = world.step(policy.act(observations))
        observations = result.observations
        total += torch.cat(list(result.rewards.values()), 1).mean(1)
    return total


def test_on_a_known_quiet_city_control_comes_near_the_plan_of_its_whole_future() -> None:
    world = tiny()
    settings = replace(
        OPEN_LOOP,
        cities=1,
        held_out=0,
        starts=1,
        plans_at_once=1,
        iterations=4,
        learning_rate=0.2,
        learning_rate_end=0.2,
        monthly_discount=1.0,
    )
    plan = OpenLoop(settings, world, 0)
    finish(plan)
    planned = float(earned(world, plan.policy()))
    controlled = float(earned(world, mpc(world)))
    assert planned > 0
    assert controlled >= 0.9 * planned


def test_a_policy_file_brings_its_model_along(tmp_path: Path) -> None:
    world = tiny(2, dynamics="shocks")
    model = replace(KNOWN, options=KNOWN.options | {"dynamics": "shocks"})
    policy = mpc(world, model, replace(AHEAD, months=6, first_iterations=1))
    policy.tensors = {
        "gain": 0.001 * torch.randn(policy.tensors["gain"].shape),
        "bound": torch.full_like(policy.tensors["bound"], 0.05),
    }
    loaded = agents.load(agents.save(policy, tmp_path))
    assert not agents.mismatches(loaded, world.groups)
    assert agents.fingerprint(loaded) == agents.fingerprint(policy)
    first = earned(world, loaded)
    assert torch.equal(first, earned(world, policy))
    assert torch.equal(first, earned(world, loaded))  # a new episode begins from nothing


def test_a_model_is_not_what_the_world_drew() -> None:
    options = {"uncertainty": 1.0, "chance": 1.0, "terminal": "tail", "horizon": 24}
    model = build(ModelSettings("city_v0", "synthetic", 3, 1, options), 2)
    assert model.options.uncertainty == model.options.chance == 0.0
    assert model.options.terminal == "costates"
    with pytest.raises(ValueError, match="cannot look ahead"):
        build(ModelSettings("region_v0", "synthetic", 3, 1, {}), 2)


def test_what_studies_tell_is_no_weather() -> None:
    features = []
    for studied in ({}, {"all": 1.0}):
        options = {"dynamics": "shocks", "uncertainty": 0.5, "studies": studied}
        world = tiny(2, **options)
        model = replace(KNOWN, options=KNOWN.options | options)
        estimate = EstimatorFit(
            EstimateSettings(rows=2, episodes=1, spread=0.3, hold=2),
            world,
            lambda rows, model=model: build(model, rows),
            1,
            0,
            lambda estimator, world=world, model=model: mpc(world, model),
        )
        finish(estimate)
        features.append(estimate.seen["features"])
        assert estimate.policy().weights()["gain"].shape[1] == features[0].shape[-1]
    assert torch.equal(*features)


def ladder_settings() -> Sequence[str]:
    return [name for name in agents.LADDER if name not in agents.RULES]


@pytest.mark.parametrize("name", ladder_settings())
def test_every_rung_of_the_ladder_can_be_trained(name: str) -> None:
    assert name in AGENTS
    assert (configs.root() / "agent" / f"{name}.yaml").is_file()
    shipped = yaml.safe_load((configs.root() / "agent" / f"{name}.yaml").read_text())
    assert shipped["kind"] == name
    assert config.load([f"agent={name}"]).kind == name


def test_the_ladder_begins_with_the_rules() -> None:
    assert list(agents.LADDER)[:6] == list(agents.RULES)
