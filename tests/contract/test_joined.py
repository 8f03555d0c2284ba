"""One governor for all agents: the same worlds, seen and set as a whole."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecNormalize

from envs import ground
from envs.adapters.joined import GOVERNOR, JoinedCore
from envs.adapters.sb3 import GovernanceVecEnv, governed, sb3_vec_env
from envs.adapters.vector import CentralVectorEnv
from envs.city import valuation
from tests.fakes import FakeCore


def test_the_joined_group_names_what_every_agent_sees_and_sets() -> None:
    (group,) = JoinedCore(FakeCore()).groups
    assert group.agents == (GOVERNOR,)
    assert group.observation_names[:4] == (
        "planner_0.signal",
        "planner_0.level",
        "planner_0.clock",
        "board_0.signal",
    )
    assert len(group.observation_names) == 3 + 3 * 4
    assert group.action_names == (
        "planner_0.toll",
        "planner_0.grant",
        "board_0.rate",
        "board_1.rate",
        "board_2.rate",
    )
    assert group.cost_names[2:4] == ("board_1.deficit", "board_1.churn")
    assert group.budgets == (0.5, 0.2) * 3


def test_rows_of_the_governor_are_those_of_the_central_vector() -> None:
    """Two views written apart agree on observations, order of levers, rewards and ends."""
    ours = governed(FakeCore(num_envs=3, horizon=12), "central")
    theirs = CentralVectorEnv(FakeCore(num_envs=3, horizon=12))
    assert ours.observation_space == theirs.single_observation_space
    assert ours.action_space == theirs.single_action_space
    ours.seed(4)
    rows, (wanted, _) = ours.reset(), theirs.reset(seed=4)
    assert np.array_equal(rows, wanted)
    noise = np.random.default_rng(0)
    for step in range(5):
        levers = noise.uniform(-1, 1, (3, 5)).astype(np.float32)
        rows, rewards, dones, infos = ours.step(levers)
        wanted, earned, ended, _, more = theirs.step(levers)
        assert np.array_equal(rows, wanted)
        assert rewards == pytest.approx(earned)
        assert np.array_equal(dones, ended)
        if step == 3:
            assert dones.all()
            last = [info["terminal_observation"] for info in infos]
            assert np.array_equal(last, np.stack(list(more["final_obs"])))


def test_costs_and_welfare_of_an_episode_are_reported_by_agent() -> None:
    env = governed(FakeCore(num_envs=2, horizon=12), "central")
    env.reset()
    for _ in range(4):
        _, _, _, infos = env.step(np.tile(np.float32([0.0, 0.0, 0.5, 0.0, -1.0]), (2, 1)))
    costs = infos[0]["costs"]
    assert costs["board_0.deficit"] == pytest.approx(0.5)
    assert costs["board_0.churn"] == pytest.approx(0.25)
    assert costs["board_1.deficit"] == 0.0
    assert costs["board_2.deficit"] == pytest.approx(1.0)
    assert "overall" in infos[0]["welfare"]
    assert infos[0]["episode"]["l"] == 4


def test_what_is_set_reaches_the_core() -> None:
    core = FakeCore(num_envs=2)
    env = governed(core, "central")
    env.set_attr("local_weight", 0.7)
    assert core.local_weight == 0.7
    assert env.get_attr("local_weight") == [0.7, 0.7]


def test_a_wrong_number_of_levers_and_an_unknown_control_are_refused() -> None:
    core = JoinedCore(FakeCore(num_envs=2))
    core.reset()
    with pytest.raises(ValueError, match="expected 5 action values, got 4"):
        core.step({GOVERNOR: torch.zeros(2, 1, 4)})
    with pytest.raises(ValueError, match="control 'centre' is unknown; known: shared, central"):
        governed(FakeCore(), "centre")


def test_a_city_is_governed_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = functools.partial(valuation.shadow_prices, months=12)
    monkeypatch.setattr(ground, "shadow_prices", quick)
    options = {"districts": 3, "cities": 1, "months_per_step": 1, "horizon": 2}
    whole = sb3_vec_env("services_v0", num_envs=2, control="central", **options)
    each = sb3_vec_env("services_v0", num_envs=2, **options)
    assert isinstance(each, GovernanceVecEnv)
    assert whole.num_envs == 2
    rows = VecNormalize(whole).reset()
    assert rows.shape == (2, *whole.observation_space.shape)
    levers = sum(group.size * len(group.action_names) for group in each.core.groups)
    assert whole.action_space.shape == (levers,)
    whole.step(np.zeros((2, levers), np.float32))
