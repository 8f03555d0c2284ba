"""The vector of central agents: each row is the single environment, ends are reset in place."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics

from envs.adapters.central import CentralEnv
from envs.adapters.vector import CentralVectorEnv
from tests.contract.cases import GYMNASIUM_IDS, Case
from tests.fakes import FakeCore


def test_a_row_is_the_single_environment_of_the_same_seed() -> None:
    vector = CentralVectorEnv(FakeCore(num_envs=3, horizon=6))
    single = CentralEnv(FakeCore(horizon=6))
    together, _ = vector.reset(seed=4)
    alone, _ = single.reset(seed=5)
    assert np.array_equal(together[1], alone)
    actions = vector.action_space.sample()
    for _ in range(2):
        together, rewards, _, _, infos = vector.step(actions)
        alone, reward, terminated, _, info = single.step(actions[1])
        assert rewards[1] == pytest.approx(reward, abs=1e-6)
        assert infos["welfare"]["overall"][1] == pytest.approx(info["welfare"]["overall"])
    assert terminated
    assert np.array_equal(infos["final_obs"][1], alone)
    assert not np.array_equal(together[1], alone)


def test_only_ended_rows_have_a_last_observation() -> None:
    env = CentralVectorEnv(FakeCore(num_envs=3, horizon=9, stagger=True, truncate=True))
    env.reset(seed=0)
    *_, terminated, truncated, infos = env.step(np.zeros(env.action_space.shape))
    assert truncated.tolist() == infos["_final_obs"].tolist() == [False, False, True]
    assert not terminated.any()
    assert infos["final_obs"][0] is None


def test_gymnasium_makes_it_and_wraps_it(case: Case) -> None:
    scenario, options = case
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        env = gymnasium.make_vec(GYMNASIUM_IDS[scenario], num_envs=2, **options)
        assert isinstance(env, CentralVectorEnv)
        wrapped = DictInfoToList(RecordEpisodeStatistics(env))
        observations, _ = wrapped.reset(seed=0)
        assert observations in env.observation_space
        for _ in range(10):
            observations, rewards, terminated, _, infos = wrapped.step(env.action_space.sample())
    assert terminated.all()
    assert observations in env.observation_space
    assert np.isfinite(rewards).all()
    assert [info["episode"]["l"] for info in infos] == [10, 10]
    assert all(info["final_obs"] in env.single_observation_space for info in infos)
