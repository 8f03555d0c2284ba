"""The central agent's environment passes Gymnasium's and SB3's checkers without a warning."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check

from envs.adapters.central import make_central
from experiments.checks import official
from experiments.checks.check import Subject
from tests.contract.cases import GYMNASIUM_IDS, Case


@pytest.fixture(autouse=True)
def _no_warnings():
    """A warning of a checker is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def test_gymnasium_checker(case: Case) -> None:
    scenario, options = case
    gymnasium_check(gymnasium.make(GYMNASIUM_IDS[scenario], **options).unwrapped)


def test_sb3_checker(case: Case) -> None:
    official.sb3_central(Subject(*case))


def test_gymnasium_checker_of_a_scenario_without_an_id(case: Case) -> None:
    official.gymnasium_central(Subject(*case))


def test_an_episode_through_gymnasium(case: Case) -> None:
    scenario, options = case
    env = gymnasium.make(GYMNASIUM_IDS[scenario], **options)
    env.reset(seed=0)
    for step in range(1, 11):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert reward == pytest.approx(np.mean(list(info["rewards"].values())), rel=1e-5)
        assert terminated == (step == 10)
        assert not truncated
    env.reset()


def test_the_joined_action_reaches_the_governors_in_order() -> None:
    env = make_central("fake_v0")
    observation, _ = env.reset(seed=3)
    assert observation.shape == (3 + 3 * 4,)
    signal = float(observation[0])
    _, _, _, _, info = env.step(np.array([signal, signal, 0.0, signal, 0.0]))
    misses = {"planner_0": 0.0, "board_0": signal**2, "board_1": 0.0, "board_2": signal**2}
    for agent, miss in misses.items():
        assert info["rewards"][agent] == pytest.approx(0.5 - miss, abs=1e-6)


def test_a_joined_action_of_wrong_length_is_refused() -> None:
    env = make_central("fake_v0")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="expected 5"):
        env.step(np.zeros(6))


def test_the_ids_are_registered_without_loading_torch() -> None:
    program = (
        "import sys, gymnasium, envs\n"
        "assert 'polislab/City-v0' in gymnasium.registry\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
