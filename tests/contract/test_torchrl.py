"""The TorchRL view: its own checker, the core's numbers, resets of single rows, BenchMARL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarl.algorithms import MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from tensordict import TensorDictBase
from torchrl.envs.utils import check_env_specs

import envs
from envs.adapters.torchrl_env import GovernanceTorchRLEnv
from tests.fakes import FakeCore

SCENARIOS = ("city_v0", "districts_v0")
#: A tail run spares the co-states, which take most of the time.
SMALL: dict[str, Any] = {"districts": 4, "cities": 2, "horizon": 6, "terminal": "tail"}


def actions_of(rollout: TensorDictBase, env: GovernanceTorchRLEnv, step: int) -> dict[str, Any]:
    return {name: rollout[name, "action"][:, step] for name in env.group_map}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_torchrl_checker(scenario: str) -> None:
    check_env_specs(envs.torchrl_env(scenario, num_envs=2, **SMALL), seed=0)


@pytest.mark.parametrize("options", [{}, {"truncate": True}, {"stagger": True}])
def test_torchrl_checker_on_other_ends(options: dict[str, Any]) -> None:
    check_env_specs(GovernanceTorchRLEnv(FakeCore(num_envs=3, horizon=6, **options)), seed=0)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_rollout_is_what_the_core_says(scenario: str) -> None:
    """An episode and a half; rows that end start anew as the core starts them."""
    env = envs.torchrl_env(scenario, num_envs=2, seed=4, **SMALL)
    core = envs.make(scenario, num_envs=2, seed=4, **SMALL)
    rollout = env.rollout(3, break_when_any_done=False)
    observations, info = core.reset(seed=4)
    for step in range(3):
        for group in core.groups:
            seen = rollout[group.name, "observation"][:, step]
            assert torch.equal(seen, observations[group.name])
        assert torch.equal(rollout["state"][:, step], info["state"])
        result = core.step(actions_of(rollout, env, step))
        observations, info = core.restart([])
        after = rollout["next"][:, step]
        for group in core.groups:
            entries = after[group.name]
            last = result.info["final_observations"][group.name]
            assert torch.equal(entries["observation"], last)
            assert torch.equal(entries["reward"][..., 0], result.rewards[group.name])
            assert torch.equal(entries["done"][:, 0], after["done"])
            for column, name in enumerate(group.cost_names):
                costs = entries["info", f"cost_{name}"][..., 0]
                assert torch.equal(costs, result.costs[group.name][..., column])
        assert torch.equal(after["terminated"][:, 0], result.terminated)
        assert torch.equal(after["state"], result.info["state"])
        for name, value in result.info["welfare"].items():
            assert torch.equal(after["info", f"welfare_{name}"][:, 0], value)
    assert rollout["next", "done"][0, :, 0].nonzero().flatten().tolist() == [1]
    assert env.group_map == {group.name: list(group.agents) for group in core.groups}


def test_rows_end_one_by_one() -> None:
    core = FakeCore(num_envs=3, horizon=12, stagger=True, truncate=True)
    env = GovernanceTorchRLEnv(core, seed=7)
    rollout = env.rollout(5, break_when_any_done=False)
    done = rollout["next", "done"][..., 0]
    assert done.int().argmax(1).tolist() == [3, 2, 1]
    assert torch.equal(rollout["next", "truncated"][..., 0], done)
    assert not rollout["next", "terminated"].any()
    clock = rollout["planning", "observation"][..., 0, 2]
    ended = rollout["next", "planning", "observation"][..., 0, 2]
    assert bool((ended[done] == 1).all())
    assert bool((clock[:, 1:][done[:, :-1]] == 0).all()), "the next step opens a new episode"
    assert core.resets == 1, "no row was started by a reset of all"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_row_may_start_anew_before_its_end(scenario: str) -> None:
    env = envs.torchrl_env(scenario, num_envs=3, seed=1, **SMALL)
    other = envs.torchrl_env(scenario, num_envs=3, seed=1, **SMALL)
    for each in (env, other):
        first = each.rand_step(each.reset())
    mask = torch.tensor([[False], [True], [False]])
    now = env.step_mdp(first)
    again = env.reset(now.clone().set("_reset", mask))
    for name in env.group_map:
        kept = torch.tensor([0, 2])
        assert torch.equal(again[name, "observation"][kept], now[name, "observation"][kept])
        column = env.core.groups[0].observation_names.index("elapsed")
        assert bool((again[name, "observation"][1, :, column] == 0).all())
    assert bool((again["info", "welfare_overall"][1] == 0).all())


def test_seeds() -> None:
    env = envs.torchrl_env("city_v0", num_envs=2, seed=3, **(SMALL | {"cities": 1}))
    quiet = {name: torch.zeros_like(env.rand_action()[name, "action"]) for name in env.group_map}

    def states(seed: int | None) -> torch.Tensor:
        if seed is not None:
            env.set_seed(seed)
        now = env.reset()
        for name, action in quiet.items():
            now.set((name, "action"), action)
        return env.step(now)["next", "state"]

    opening, third, fourth, third_again = states(None), states(3), states(4), states(3)
    assert torch.equal(opening, third)
    assert torch.equal(third, third_again)
    assert not torch.equal(third, states(None)), "without a seed the streams go on"
    torch.testing.assert_close(third[1], fourth[0], rtol=1e-4, atol=1e-5)


def test_rewards_are_differentiable_in_the_actions() -> None:
    env = envs.torchrl_env("city_v0", num_envs=1, **SMALL)
    now = env.reset()
    actions = {n: torch.zeros_like(env.rand_action()[n, "action"]) for n in env.group_map}
    for name, action in actions.items():
        now.set((name, "action"), action.requires_grad_())
    after = env.step(now)["next"]
    sum(after[name, "reward"].sum() for name in actions).backward()
    for action in actions.values():
        assert action.grad is not None
        assert bool(torch.isfinite(action.grad).all())
        assert float(action.grad.abs().max()) > 0


def test_it_stays_on_its_device() -> None:
    env = GovernanceTorchRLEnv(FakeCore(num_envs=2))
    assert env.to("cpu") is env
    with pytest.raises(ValueError, match="make it with device='cuda'"):
        env.to("cuda")


def test_benchmarl_trains_on_it(tmp_path: Path) -> None:
    config = ExperimentConfig.get_from_yaml()
    config.loggers = []
    config.create_json = False
    config.render = False
    config.save_folder = str(tmp_path)
    config.max_n_frames = None
    config.max_n_iters = 2
    config.on_policy_collected_frames_per_batch = 4
    config.on_policy_n_envs_per_worker = 2
    config.on_policy_minibatch_size = 4
    config.on_policy_n_minibatch_iters = 1
    config.evaluation_interval = 4
    config.evaluation_episodes = 2
    model = MlpConfig(num_cells=[8], layer_class=torch.nn.Linear, activation_class=torch.nn.Tanh)
    task = envs.benchmarl_task("city_v0", city="synthetic", **SMALL)
    experiment = Experiment(
        task=task,
        algorithm_config=MappoConfig.get_from_yaml(),
        model_config=model,
        seed=0,
        config=config,
    )
    assert experiment.max_steps == 2
    assert set(experiment.group_map) == {"planning", "industry", "services", "infrastructure"}
    assert list(experiment.state_spec.keys()) == ["state"]
    before = {
        name: [p.clone() for p in loss.actor_network_params.flatten_keys().values()]
        for name, loss in experiment.losses.items()
    }
    experiment.run()
    assert experiment.total_frames == 8
    for name, loss in experiment.losses.items():
        after = list(loss.actor_network_params.flatten_keys().values())
        assert any(not torch.equal(a, b) for a, b in zip(before[name], after, strict=True))
    experiment.evaluate()


def test_levers_are_not_discrete() -> None:
    task = envs.benchmarl_task("city_v0")
    assert task.supports_continuous_actions()
    assert not task.supports_discrete_actions()
    with pytest.raises(ValueError, match="continuous"):
        task.get_env_fun(1, continuous_actions=False, seed=0, device="cpu")
