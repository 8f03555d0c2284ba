"""Learners of Stable-Baselines3 and sb3-contrib: PPO, SAC, TQC, recurrent PPO.

Each decides for every agent with shared parameters, or as one governor for all (`control`). All
resume to the same bits (`agents.segments`); their policies are files of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.sb3.settings import SB3

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

    from agents.ppo_settings import SB3Settings
    from agents.sb3.base import SB3Learner

__all__ = ["SB3", "make", "view"]


def view(world: Any, settings: SB3Settings) -> VecEnv:
    """What a learner trains on: rows = environment x agent, or rows = environment."""
    from envs.adapters.sb3 import governed

    return governed(world, settings.control)


def make(settings: SB3Settings, world: Any, seed: int, device: str = "cpu") -> SB3Learner:
    """The learner of its settings.

    Args:
        settings: an instance of one of the classes in `SB3`.
        world: a batched environment, `envs.make(...)` with the settings' rows.
        seed: of the run.
        device: torch device of the networks.

    Raises:
        TypeError: settings of no learner.
    """
    from agents.ppo import PPOLearner
    from agents.sb3.recurrent import RecurrentPPOLearner
    from agents.sb3.soft import SACLearner, TQCLearner

    learners: dict[str, type[SB3Learner]] = {
        "ppo": PPOLearner,
        "sac": SACLearner,
        "tqc": TQCLearner,
        "recurrent_ppo": RecurrentPPOLearner,
    }
    for name, kind in SB3.items():
        if type(settings) is kind:
            return learners[name](settings, view(world, settings), world, seed, device)
    raise TypeError(f"{type(settings).__name__}: expected settings of {', '.join(SB3)}")
