"""The official checkers of the libraries that scenarios have views for."""

from __future__ import annotations

import logging
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

import envs
from envs.adapters.central import make_central
from experiments.checks.check import Subject, strictly

#: Cycles of PettingZoo's and MOMAland's tests: beyond the end of an episode of ten steps.
CYCLES = 25


def _test(module: str = "") -> Any:
    """PettingZoo's tests, which carry no types."""
    return import_module(f"pettingzoo.test.{module}" if module else "pettingzoo.test")


def pettingzoo_parallel(subject: Subject) -> None:
    """`parallel_api_test`."""
    with strictly():
        _test().parallel_api_test(
            envs.parallel_env(subject.scenario, **subject.options), num_cycles=CYCLES
        )


def pettingzoo_aec(subject: Subject) -> None:
    """`api_test` of the agent-environment cycle."""
    with strictly():
        _test().api_test(envs.aec_env(subject.scenario, **subject.options), num_cycles=CYCLES)


def pettingzoo_seeds(subject: Subject) -> None:
    """`parallel_seed_test` and `seed_test`."""
    scenario, options = subject.scenario, subject.options
    with strictly():
        _test().parallel_seed_test(lambda: envs.parallel_env(scenario, **options), num_cycles=8)
        _test().seed_test(lambda: envs.aec_env(scenario, **options), num_cycles=8)


def pettingzoo_max_cycles(subject: Subject) -> None:
    """`max_cycles_test`: episodes end after the horizon."""

    def limited(make: Any) -> Any:
        def env(max_cycles: int) -> Any:
            horizon = subject.months_per_step * max_cycles
            return make(subject.scenario, **{**subject.options, "horizon": horizon})

        return env

    with strictly():
        _test().max_cycles_test(
            SimpleNamespace(parallel_env=limited(envs.parallel_env), env=limited(envs.aec_env))
        )


def pettingzoo_render(subject: Subject) -> None:
    """`render_test` in every render mode."""

    def env(render_mode: str) -> Any:
        return envs.aec_env(subject.scenario, render_mode=render_mode, **subject.options)

    with strictly():
        _test().render_test(env)


def pettingzoo_state(subject: Subject) -> None:
    """`state_test` of the global state."""
    scenario, options = subject.scenario, subject.options
    with strictly():
        _test("state_test").state_test(
            envs.aec_env(scenario, **options), envs.parallel_env(scenario, **options)
        )


def gymnasium_central(subject: Subject) -> None:
    """`gymnasium.utils.env_checker.check_env` of the central agent."""
    from gymnasium.utils.env_checker import check_env

    spec = EnvSpec(
        "polislab/Checked-v0",
        entry_point="envs.adapters.central:make_central",
        kwargs={"scenario": subject.scenario, **subject.options},
    )
    with strictly():
        check_env(gymnasium.make(spec).unwrapped)


def sb3_central(subject: Subject) -> None:
    """`stable_baselines3.common.env_checker.check_env` of the central agent, with pictures."""
    from stable_baselines3.common.env_checker import check_env

    env = make_central(subject.scenario, render_mode="rgb_array", **subject.options)
    with strictly():
        check_env(env, skip_render_check=False)


def sb3_vector(subject: Subject) -> None:
    """An episode of the VecEnv under SB3's `VecCheckNan`; every row stays in its space."""
    from stable_baselines3.common.vec_env import VecCheckNan

    plain = envs.sb3_vec_env(subject.scenario, num_envs=2, **subject.options)
    env = VecCheckNan(plain, raise_exception=True)
    env.seed(0)
    env.action_space.seed(0)
    rows = env.reset()
    finished = False
    for _ in range(plain.core.steps_per_episode):
        assert all(env.observation_space.contains(row) for row in rows), "outside the space"
        actions = np.stack([env.action_space.sample() for _ in range(env.num_envs)])
        rows, _, dones, infos = env.step(actions)
        finished = bool(dones.all())
    assert finished, "an episode does not end after its steps"
    assert all("terminal_observation" in info for info in infos), "no terminal observation"


def torchrl_specs(subject: Subject) -> None:
    """`torchrl.envs.utils.check_env_specs` of the batch."""
    env = envs.torchrl_env(subject.scenario, num_envs=2, **subject.options)
    from torchrl.envs.utils import check_env_specs

    logging.getLogger("torchrl").setLevel(logging.WARNING)
    with strictly():
        check_env_specs(env, seed=0)


def momaland_api(subject: Subject) -> None:
    """`momaland.test.api_test` of the reward vectors."""
    env = envs.mo_aec_env(subject.scenario, **subject.options)
    from momaland.test.api_test import api_test

    with strictly():
        api_test(env, num_cycles=CYCLES)
