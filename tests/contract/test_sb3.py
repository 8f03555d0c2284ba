"""The VecEnv: rows, padding, ends of episodes, seeds, and an unchanged PPO that learns on it."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecCheckNan, VecNormalize

import envs
from envs.adapters.layout import Layout
from envs.adapters.null import NullCore
from envs.adapters.sb3 import NO_INFO, GovernanceVecEnv, sb3_vec_env
from tests.contract.cases import Case
from tests.fakes import BOARDS, PLANNING, FakeCore

AGENTS = 4


def test_rows_are_environment_times_agent_with_padding_and_group_number() -> None:
    env = GovernanceVecEnv(FakeCore(num_envs=2))
    assert env.num_envs == 2 * AGENTS
    assert env.observation_space.shape == (4 + 2,)
    assert env.action_space.shape == (2,)
    rows = env.reset().reshape(2, AGENTS, 6)
    assert np.array_equal(rows[:, 0, 3], [0.0, 0.0])
    assert np.array_equal(rows[0, 1:, 3], [0.0, 1.0, 2.0])
    assert np.array_equal(rows[:, 0, 4:], [[1.0, 0.0]] * 2)
    assert (rows[:, 1:, 4:] == [0.0, 1.0]).all()
    assert (rows[:, :, 0] == rows[:, :1, 0]).all()
    assert rows[0, 0, 0] != rows[1, 0, 0]
    assert env.get_attr("agent")[:5] == ["planner_0", "board_0", "board_1", "board_2", "planner_0"]
    assert env.get_attr("environment", [3, 4]) == [0, 1]


def test_actions_and_rewards_keep_the_row_order() -> None:
    env = GovernanceVecEnv(FakeCore(num_envs=2))
    signal = env.reset()[:, 0]
    actions = np.stack([signal, signal], -1)
    actions[2, 0] += 0.5
    actions[4, 1] += 1.0
    actions[1, 1] = 99.0
    _, rewards, _, _ = env.step(actions)
    expected = np.full(2 * AGENTS, 0.5)
    expected[2] -= 0.25
    expected[4] -= 0.5
    assert rewards == pytest.approx(expected, abs=1e-6)


def test_one_group_alone_is_not_padded_and_the_others_keep_todays_setting() -> None:
    env = GovernanceVecEnv(FakeCore(num_envs=2), group="boards")
    assert env.num_envs == 2 * 3
    assert env.observation_space.shape == (4,)
    assert env.action_space.shape == (1,)
    signal = env.reset()[:, 0]
    env.step(signal[:, None])
    assert env.last_result is not None
    planners = env.last_result.rewards["planning"][:, 0].numpy()
    assert planners == pytest.approx(0.5 - signal[::3] ** 2, abs=1e-6)


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match="planning, boards"):
        sb3_vec_env("fake_v0", num_envs=2, group="water")


@pytest.mark.parametrize("truncate", [False, True])
def test_rows_end_one_by_one_with_their_last_observation(truncate: bool) -> None:
    core = FakeCore(num_envs=3, horizon=12, stagger=True, truncate=truncate)
    env = GovernanceVecEnv(core)
    env.seed(7)
    env.reset()
    ended = []
    returns = np.zeros(env.num_envs)
    for step in range(1, 6):
        observations, rewards, dones, infos = env.step(np.zeros((env.num_envs, 2)))
        returns += rewards
        ended.append(dones.reshape(3, AGENTS)[:, 0].tolist())
        for row in range(env.num_envs):
            if not dones[row]:
                assert infos[row] == {}
                continue
            info = infos[row]
            assert info["terminal_observation"][2] == 1.0
            assert observations[row, 2] == 0.0
            assert info["terminal_observation"][4:].tolist() == observations[row, 4:].tolist()
            assert info["TimeLimit.truncated"] is truncate
            assert info["episode"]["l"] == (step if step < 5 else 4)
            if step < 5:
                assert info["episode"]["r"] == pytest.approx(returns[row], abs=1e-5)
    assert ended == [
        [False, False, False],
        [False, False, True],
        [False, True, False],
        [True, False, False],
        [False, False, False],
    ]
    assert env.core.resets == 1


def test_episode_means_of_welfare_and_costs() -> None:
    env = GovernanceVecEnv(FakeCore(num_envs=1, horizon=6))
    env.reset()
    env.step(np.full((AGENTS, 2), 0.5))
    _, _, dones, infos = env.step(np.full((AGENTS, 2), 1.0))
    assert dones.all()
    assert infos[0]["costs"] == {}
    assert infos[1]["costs"] == pytest.approx({"deficit": 0.75, "churn": 0.625})
    assert infos[2]["welfare"]["overall"] == pytest.approx(0.01 * (0.05 + 0.15) / 2)


def test_a_new_episode_forgets_the_one_before() -> None:
    env = GovernanceVecEnv(FakeCore(num_envs=1, horizon=6))
    strong, weak = np.full((AGENTS, 2), 1.0), np.zeros((AGENTS, 2))
    env.reset()
    env.step(strong)
    env.reset()
    for action in (weak, weak, strong, strong, weak, weak):
        *_, dones, infos = env.step(action)
        if dones.all():
            assert infos[1]["episode"]["l"] == 2
            assert infos[1]["costs"]["deficit"] == pytest.approx(action[0, 0])


def test_the_last_observation_is_what_the_next_step_would_have_shown() -> None:
    short = GovernanceVecEnv(FakeCore(num_envs=2, horizon=9))
    long = GovernanceVecEnv(FakeCore(num_envs=2, horizon=90))
    action = np.zeros((2 * AGENTS, 2))
    for env in (short, long):
        env.seed(11)
        env.reset()
    for _ in range(3):
        *_, infos = short.step(action)
        observations, *_ = long.step(action)
    last = np.stack([info["terminal_observation"] for info in infos])
    clock = 2
    others = [i for i in range(6) if i != clock]
    assert np.array_equal(last[:, others], observations[:, others])


def test_nothing_returned_is_changed_by_later_steps() -> None:
    env = GovernanceVecEnv(NullCore((BOARDS,), num_envs=2))
    kept = [env.reset()]
    copies = [kept[0].copy()]
    for _ in range(12):
        observations, rewards, dones, _ = env.step(np.zeros((env.num_envs, 1)))
        kept += [observations, rewards, dones]
        copies += [observations.copy(), rewards.copy(), dones.copy()]
    assert all(np.array_equal(a, b) for a, b in zip(kept, copies, strict=True))


def test_the_shared_empty_info_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="copy"):
        NO_INFO["x"] = 1
    with pytest.raises(TypeError, match="copy"):
        NO_INFO.update(x=1)
    assert type(NO_INFO.copy()) is dict
    assert copy.deepcopy([NO_INFO]) == [{}]
    assert len(NO_INFO) == 0


def test_seed_gives_environment_i_the_seed_plus_i() -> None:
    both = GovernanceVecEnv(FakeCore(num_envs=2))
    assert both.seed(20) == [20] * AGENTS + [21] * AGENTS
    second = GovernanceVecEnv(FakeCore(num_envs=1))
    second.seed(21)
    first_episode = second.reset()
    assert np.array_equal(both.reset()[AGENTS:], first_episode)
    assert not np.array_equal(second.reset(), first_episode)


def test_attributes_of_the_core_and_of_rows() -> None:
    env = GovernanceVecEnv(FakeCore(num_envs=2))
    assert env.get_attr("local_weight") == [0.2] * 8
    env.set_attr("local_weight", 0.5)
    assert env.core.local_weight == 0.5
    with pytest.raises(ValueError, match="all rows"):
        env.set_attr("local_weight", 0.1, indices=[0])
    env.set_attr("note", "mine", indices=1)
    assert env.get_attr("note", 1) == ["mine"]
    assert not env.has_attr("note")
    assert env.has_attr("agent")
    assert env.env_is_wrapped(Monitor) == [True] * 8
    assert env.env_is_wrapped(VecNormalize, indices=[0, 1]) == [False] * 2
    env.reset()
    assert len(env.env_method("_observations", indices=[1, 2])) == 2


def test_options_must_be_the_same_for_all_rows() -> None:
    env = GovernanceVecEnv(FakeCore(num_envs=2))
    env.set_options({"year": 2010})
    env.reset()
    env.set_options([{"year": i} for i in range(8)])
    with pytest.raises(ValueError, match="same options"):
        env.reset()


def test_pictures() -> None:
    env = sb3_vec_env("fake_v0", num_envs=2, render_mode="rgb_array")
    env.reset()
    env.step(np.zeros((8, 2)))
    picture = env.render()
    assert picture is not None
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.std() > 10


def trained(steps: int) -> PPO:
    env = sb3_vec_env("fake_v0", num_envs=16, horizon=24)
    model = PPO(
        "MlpPolicy", env, n_steps=16, batch_size=256, learning_rate=3e-3, seed=0, device="cpu"
    )
    return model.learn(steps)


def test_ppo_learns_and_repeats_itself() -> None:
    first, second = trained(30_000), trained(30_000)
    for a, b in zip(first.policy.parameters(), second.policy.parameters(), strict=True):
        assert torch.equal(a, b)
    untrained, held_out = trained(0), sb3_vec_env("fake_v0", num_envs=16, horizon=24)
    scores = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, model in (("before", untrained), ("after", first)):
            held_out.seed(1000)
            scores[name], _ = evaluate_policy(model, held_out, n_eval_episodes=64)
    best = 0.5 * 24 / 3
    assert scores["before"] < 0.75 * best
    assert scores["after"] > 0.95 * best
    assert first.ep_info_buffer[-1]["l"] == 8


def test_wrappers_of_sb3_work_on_it(case: Case) -> None:
    scenario, options = case
    env = VecCheckNan(VecNormalize(sb3_vec_env(scenario, num_envs=2, **options)))
    env.seed(0)
    env.reset()
    for _ in range(11):
        actions = np.stack([env.action_space.sample() for _ in range(env.num_envs)])
        observations, rewards, _, _ = env.step(actions)
    assert np.isfinite(observations).all()
    assert np.isfinite(rewards).all()


def test_rows_stay_in_their_space_and_repeat_by_seed(case: Case) -> None:
    scenario, options = case
    runs = []
    for _ in range(2):
        env = sb3_vec_env(scenario, num_envs=3, **options)
        env.seed(5)
        env.action_space.seed(5)
        seen = [env.reset()]
        for _ in range(10):
            actions = np.stack([env.action_space.sample() for _ in range(env.num_envs)])
            observations, rewards, dones, infos = env.step(actions)
            seen += [observations, rewards]
        assert dones.all()
        assert all(env.observation_space.contains(row) for row in observations)
        assert all(env.observation_space.contains(i["terminal_observation"]) for i in infos)
        assert np.isfinite(rewards).all()
        runs.append(seen)
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))


def test_ppo_runs_on_it(case: Case) -> None:
    scenario, options = case
    env = sb3_vec_env(scenario, num_envs=2, **options)
    model = PPO("MlpPolicy", env, n_steps=10, batch_size=env.num_envs * 10, seed=0, device="cpu")
    model.learn(env.num_envs * 10)
    assert model.ep_info_buffer[-1]["l"] == 10


def test_the_five_lines_of_the_readme_run() -> None:
    env = envs.sb3_vec_env("city_v0", num_envs=64)
    model = PPO("MlpPolicy", env, n_steps=4, n_epochs=1, batch_size=1024, seed=0, device="cpu")
    assert model.learn(env.num_envs * 4).num_timesteps == 64 * AGENTS * 4


def test_null_core_has_the_shapes_of_another_core(case: Case) -> None:
    scenario, options = case
    env = sb3_vec_env(scenario, num_envs=2, **options)
    null = GovernanceVecEnv(NullCore.like(env.core))
    assert null.num_envs == env.num_envs
    assert null.observation_space == env.observation_space
    assert null.action_space == env.action_space
    null.reset()
    for _ in range(10):
        actions = np.zeros((null.num_envs, *null.action_space.shape))
        observations, _, dones, infos = null.step(actions)
    assert observations.shape == (env.num_envs, *env.observation_space.shape)
    assert dones.all()
    assert infos[0]["episode"]["l"] == 10


def test_layout_names_agents_in_row_order() -> None:
    layout = Layout((PLANNING, BOARDS))
    assert layout.agents == ("planner_0", "board_0", "board_1", "board_2")
    assert layout.slices() == {"planning": slice(0, 1), "boards": slice(1, 4)}
