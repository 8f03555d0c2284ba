"""The MOMAland view: named objectives that add up to the scalar reward."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from momaland.utils.parallel_wrappers import CentraliseAgent, LinearizeReward

import envs
from envs.adapters.mo_parallel import GovernanceMOParallelEnv
from experiments.checks import official
from experiments.checks.check import Subject
from tests.contract.cases import Case
from tests.fakes import FakeCore

#: A tail run spares the co-states, which take most of the time.
SMALL: dict[str, Any] = {"districts": 4, "cities": 1, "horizon": 9, "terminal": "tail"}


def test_momaland_api(case: Case) -> None:
    official.momaland_api(Subject(*case))


def test_the_documented_weights_give_the_scalar_reward(case: Case) -> None:
    scenario, options = case
    vectors = envs.mo_parallel_env(scenario, **options)
    linear = LinearizeReward(vectors, vectors.scalar_weights)
    plain = envs.parallel_env(scenario, **options)
    linear.reset(seed=3)
    plain.reset(seed=3)
    rng = np.random.default_rng(0)
    while plain.agents:
        actions = {
            agent: rng.uniform(-1, 1, plain.action_space(agent).shape) for agent in plain.agents
        }
        _, summed, *_ = linear.step(actions)
        _, rewards, _, _, infos = plain.step(actions)
        assert summed.keys() == rewards.keys() == infos.keys()
        for agent, reward in rewards.items():
            assert summed[agent] == pytest.approx(reward, rel=1e-5, abs=1e-6)
    assert linear.step({}) == ({}, {}, {}, {}, {})


def test_costs_are_named_objectives_of_those_who_carry_them() -> None:
    env = GovernanceMOParallelEnv(FakeCore(seed=5))
    assert env.objectives == ("welfare", "goal", "minus_deficit", "minus_churn")
    observations, _ = env.reset(seed=5)
    signal = observations["planner_0"][0]
    actions = {"planner_0": np.array([signal, signal])}
    actions |= {f"board_{i}": np.array([0.5]) for i in range(3)}
    _, rewards, *_ = env.step(actions)
    assert rewards["planner_0"] == pytest.approx([0.0, 0.5 / 0.2, 0.0, 0.0])
    assert rewards["board_2"][2:] == pytest.approx([-0.5, -0.25])
    assert all(env.reward_space(agent).contains(vector) for agent, vector in rewards.items())
    assert env.scalar_weights["board_0"] == pytest.approx([0.8, 0.2, 0.0, 0.0])


def test_welfare_is_of_the_whole_and_the_goal_ones_own() -> None:
    env = envs.mo_parallel_env("city_v0", **SMALL, local_weight=0.5)
    env.reset(seed=0)
    actions = {agent: np.full(env.action_space(agent).shape, 0.4) for agent in env.agents}
    _, rewards, *_ = env.step(actions)
    table = np.stack(list(rewards.values()))
    assert np.unique(table[:, 0]).size == 1
    assert np.unique(table[:, 1]).size == len(table)


def test_a_central_agent_of_momaland_sums_the_vectors() -> None:
    env = envs.mo_parallel_env("districts_v0", **SMALL)
    apart = envs.mo_parallel_env("districts_v0", **SMALL)
    central = CentraliseAgent(env)
    apart.reset(seed=1)
    central.reset(seed=1)
    action = np.full(central.action_space.shape, 0.2, dtype=np.float32)
    _, joint, *_ = central.step(action)
    _, rewards, *_ = apart.step(
        {agent: np.full(apart.action_space(agent).shape, 0.2) for agent in apart.agents}
    )
    assert joint == pytest.approx(np.sum(list(rewards.values()), axis=0), rel=1e-5)


def test_a_missing_library_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "envs.adapters.mo_parallel")
    monkeypatch.setitem(sys.modules, "momaland.utils.conversions", None)
    with pytest.raises(ImportError, match=r"pip install polislab\[momaland\]"):
        envs.mo_parallel_env("city_v0")
