"""The PettingZoo views pass PettingZoo's own tests, and say what the core says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from envs.adapters.null import NullCore
from envs.adapters.parallel import GovernanceParallelEnv, parallel_env
from experiments.checks import official
from experiments.checks.check import Subject
from tests.contract.cases import Case
from tests.fakes import FakeCore


@pytest.mark.parametrize(
    "look",
    [
        official.pettingzoo_parallel,
        official.pettingzoo_aec,
        official.pettingzoo_seeds,
        official.pettingzoo_max_cycles,
        official.pettingzoo_render,
        official.pettingzoo_state,
    ],
)
def test_official_tests(case: Case, look: Callable[[Subject], None]) -> None:
    """They may warn of nothing but what is meant."""
    look(Subject(*case))


def test_people_see_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    env = parallel_env("fake_v0", render_mode="human")
    env.reset(seed=0)
    env.step({agent: np.zeros(env.action_space(agent).shape) for agent in env.agents})
    assert "fake_v0, step 1" in capsys.readouterr().out


def test_other_seeds_give_other_episodes(case: Case) -> None:
    scenario, options = case
    env = parallel_env(scenario, **options)
    runs = []
    for seed in (1, 2, 1):
        env.reset(seed=seed)
        states = []
        while env.agents:
            env.step({agent: np.zeros(env.action_space(agent).shape) for agent in env.agents})
            states.append(env.state())
        runs.append(np.stack(states))
    assert np.array_equal(runs[0], runs[2])
    assert not np.allclose(runs[0], runs[1])


def test_the_last_observation_is_of_the_episode_that_ended() -> None:
    env = parallel_env("fake_v0", horizon=6, months_per_step=3)
    env.reset(seed=0)
    action = {agent: np.zeros(env.action_space(agent).shape) for agent in env.agents}
    env.step(action)
    last, _, terminated, truncated, _ = env.step(action)
    assert all(terminated.values())
    assert not any(truncated.values())
    assert env.agents == []
    assert all(observation[2] == 1.0 for observation in last.values())
    assert env.step(action) == ({}, {}, {}, {}, {})


def test_each_agent_gets_its_own_row_of_the_core() -> None:
    core = FakeCore(seed=5)
    env = GovernanceParallelEnv(core)
    observations, _ = env.reset(seed=5)
    assert [observations[f"board_{i}"][3] for i in range(3)] == [0.0, 1.0, 2.0]
    signal = observations["planner_0"][0]
    actions = {"planner_0": np.array([signal, signal])}
    actions |= {f"board_{i}": np.array([0.1 * i]) for i in range(3)}
    _, rewards, _, _, infos = env.step(actions)
    assert rewards["planner_0"] == pytest.approx(0.5)
    for i in range(3):
        assert rewards[f"board_{i}"] == pytest.approx(0.5 - (0.1 * i - signal) ** 2, abs=1e-6)
        assert infos[f"board_{i}"]["costs"]["deficit"] == pytest.approx(0.1 * i)
    assert infos["planner_0"]["costs"] == {}
    assert infos["planner_0"]["welfare"]["overall"] == pytest.approx(0.001 * signal, abs=1e-6)


def test_what_is_returned_is_the_callers_own() -> None:
    env = GovernanceParallelEnv(NullCore(FakeCore.groups, num_envs=1))
    observations, _ = env.reset(seed=0)
    before = env.state(), observations["board_1"].copy()
    env.state()[:] = 7.0
    observations["board_1"][:] = 7.0
    again, _ = env.reset(seed=0)
    assert np.array_equal(env.state(), before[0])
    assert np.array_equal(again["board_1"], before[1])


def test_a_missing_action_is_named() -> None:
    env = parallel_env("fake_v0")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="board_1, board_2"):
        env.step({"planner_0": np.zeros(2), "board_0": np.zeros(1)})


def test_more_than_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match="num_envs=1"):
        GovernanceParallelEnv(FakeCore(num_envs=2))


def test_an_unknown_render_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="rgb_array"):
        parallel_env("fake_v0", render_mode="video")
