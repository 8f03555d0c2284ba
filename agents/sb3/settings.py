"""Settings of the learners of Stable-Baselines3 and sb3-contrib; loads neither of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from agents.network import Width
from agents.ppo_settings import Count, PPOSettings, SB3Settings
from agents.schema import Between


@dataclass(frozen=True)
class RecurrentPPOSettings(PPOSettings):
    """PPO with a memory (`configs/agent/recurrent_ppo.yaml`)."""

    memory: Width


@dataclass(frozen=True)
class SACSettings(SB3Settings):
    """Soft actor-critic (`configs/agent/sac.yaml`)."""

    replay: Count
    warm_up: Annotated[int, Between(1, 10**9)]
    steps_per_update: Annotated[int, Between(1, 10_000)]
    updates: Annotated[int, Between(1, 10_000)]
    target_rate: Annotated[float, Between(1e-6, 1.0)]
    temperature: Annotated[float, Between(1e-6, 1000.0)]
    entropy_of_a_lever: Annotated[float, Between(-100.0, 10.0)]


@dataclass(frozen=True)
class TQCSettings(SACSettings):
    """Truncated quantile critics (`configs/agent/tqc.yaml`)."""

    critics: Annotated[int, Between(1, 100)]
    quantiles: Annotated[int, Between(2, 1000)]
    dropped_share: Annotated[float, Between(0.0, 0.9)]


SB3: dict[str, type[SB3Settings]] = {
    "ppo": PPOSettings,
    "sac": SACSettings,
    "tqc": TQCSettings,
    "recurrent_ppo": RecurrentPPOSettings,
}
