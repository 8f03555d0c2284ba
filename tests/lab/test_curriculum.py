"""Curricula over realism: linear, set at the start of each segment, the same after a stop."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import envs
from agents import learners
from agents.learners.context import Remembering
from agents.learners.settings import NATIVE
from agents.ppo import PPOLearner
from agents.ppo_settings import PPOSettings
from agents.schema import SettingsError, read
from agents.segments import Segments
from envs import ground
from envs.city import valuation
from envs.curriculum import Curriculum
from experiments import config


def learner(**curriculum: Any) -> tuple[PPOLearner, list[dict[str, float]]]:
    """A tiny learner on two cities, four segments of an episode each, and what was switched."""
    chosen = dict(config.load([]).resolved["agent"])
    chosen.pop("kind")
    chosen |= {"num_envs": 2, "env_steps": 16, "rollouts_per_segment": 1, "epochs": 1}
    chosen |= {"hidden": [4], "batch_size": 8}
    chosen["curriculum"] = chosen["curriculum"] | curriculum
    settings = read(PPOSettings, chosen, "agent")
    env = envs.sb3_vec_env(
        "city_v0", num_envs=2, seed=1, districts=3, cities=1, months_per_step=1, horizon=2
    )
    core: Any = env.core
    made = PPOLearner(settings, env, core, seed=5)
    asked: list[dict[str, float]] = []
    switch = core.set_realism

    def watched(values: Mapping[str, float]) -> None:
        asked.append(dict(values))
        switch(values)

    core.set_realism = watched
    return made, asked


def run(made: PPOLearner, segments: range) -> list[dict[str, float]]:
    return [row for segment in segments for row in made.train(segment, lambda: None)]


def test_segments_go_on_through_the_cities_where_the_last_one_stopped() -> None:
    made, _ = learner()
    moves: list[int] = []
    made.world.move = moves.append
    run(made, range(3))
    assert moves == [0, 2, 4]


def test_a_world_that_remembers_goes_on_too() -> None:
    core: Any = learner()[0].world
    world = Remembering(core, (2.0,))
    moves: list[int] = []
    core.move = moves.append
    Segments(0, 2, 2, 1, 3, Curriculum({})).meet(world, 2)
    assert moves == [4]


def test_switches_run_linearly_and_stay() -> None:
    course = Curriculum({"evasion": (0.0, 1.0), "information": (1.0, 0.4)}, until=0.5)
    values = [course.at(share) for share in (0.0, 0.25, 0.5, 1.0)]
    assert [v["evasion"] for v in values] == [0.0, 0.5, 1.0, 1.0]
    assert [v["information"] for v in values] == pytest.approx([1.0, 0.7, 0.4, 0.4])
    assert Curriculum({}).at(0.3) == {}
    with pytest.raises(ValueError, match=r"'weather' is no switch.*delay=2.*until=0"):
        Curriculum({"weather": (0.0, 1.0), "delay": (0.0, 2.0)}, until=0)


def test_a_stopped_course_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = functools.partial(valuation.shadow_prices, months=12)
    monkeypatch.setattr(ground, "shadow_prices", quick)
    course = {"shocks": [0.0, 1.0], "uncertainty": [0.0, 0.5]}
    whole, asked = learner(**course)
    assert whole.segments.count == 4
    rows = run(whole, range(4))
    assert asked == [{"shocks": s, "uncertainty": s / 2} for s in (0.0, 0.5, 1.0, 1.0)]
    assert [row["realism/shocks"] for row in rows] == [0.0, 0.5, 1.0, 1.0]
    first, _ = learner(**course)
    run(first, range(3))
    first.save(tmp_path, 3)
    again, _ = learner(**course)
    assert again.restore(tmp_path) == 3
    run(again, range(3, 4))
    for name, weight in whole.model.policy.state_dict().items():
        assert torch.equal(weight, again.model.policy.state_dict()[name]), name
    plain, untouched = learner()
    run(plain, range(1))
    assert untouched == []


@pytest.mark.parametrize("kind", ["mappo", "feedback"])
def test_learners_that_stay_in_torch_take_the_same_course(kind: str) -> None:
    chosen = dict(config.load([f"agent={kind}"]).resolved["agent"])
    chosen.pop("kind")
    chosen |= {"num_envs": 2, "env_steps": 16, "rollouts_per_segment": 1}
    chosen["curriculum"] = chosen["curriculum"] | {"shocks": [0.0, 1.0]}
    options = {"districts": 3, "cities": 1, "months_per_step": 1, "horizon": 2, "terminal": "tail"}
    world = envs.make("city_v0", num_envs=2, seed=1, **options)
    made = learners.make(read(NATIVE[kind], chosen, "agent"), world, seed=5)
    met = [next(iter(made.train(segment, lambda: None)))["realism/shocks"] for segment in range(3)]
    assert met == [0.0, 0.5, 1.0]
    assert world.realism["shocks"] == 1.0


def test_the_configuration_says_what_is_wrong() -> None:
    with pytest.raises(SettingsError) as error:
        learner(evasion=[0.0, 2.0], delay=[1.0], until=0.0)
    assert sorted(error.value.problems) == [
        "agent.curriculum.delay: expected [first, last], found 1 values",
        "agent.curriculum.evasion[1]: 2.0 is outside 0 to 1",
        "agent.curriculum.until: 0.0 is outside 0.001 to 1",
    ]
