"""Settings of PPO, apart from the learner so that reading a configuration loads no learner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from agents.network import ACTIVATIONS, Width
from agents.schema import Between, Check, Fraction, OneOf
from envs.curriculum import Curriculum
from envs.realism import SWITCHES

Count = Annotated[int, Between(1, 10**9)]
TRAINING_SEEDS = 10_000_000
"""Training draws seeds below this number; evaluation and the gate draw theirs from it upwards."""


def training_seed(run: int, part: int, rows: int) -> int:
    """Seed of the first of `rows` rows for a part of a run; all stay below `TRAINING_SEEDS`."""
    drawn = int(np.random.SeedSequence([run, part]).generate_state(1)[0])
    return drawn % (TRAINING_SEEDS - rows)


def _pair_fault(values: tuple[float, ...]) -> str | None:
    return None if len(values) == 2 else f"expected [first, last], found {len(values)} values"


Schedule = Annotated[tuple[Fraction, ...], Check(_pair_fault)] | None


@dataclass(frozen=True)
class CurriculumSettings:
    """Realism switches over training; None leaves one as the scenario says."""

    until: Annotated[float, Between(0.001, 1.0)]
    evasion: Schedule
    delay: Schedule
    information: Schedule
    shocks: Schedule
    uncertainty: Schedule
    coupling: Schedule

    def schedule(self) -> Curriculum:
        """The same as a curriculum."""
        chosen = {name: getattr(self, name) for name in SWITCHES}
        return Curriculum({k: (v[0], v[1]) for k, v in chosen.items() if v}, self.until)


CONTROLS = ("shared", "central")
"""Who decides: every agent by itself with parameters shared by all, or one governor for all."""


@dataclass(frozen=True)
class SB3Settings:
    """What every learner of Stable-Baselines3 has: experience, network, learning rate."""

    control: Annotated[str, OneOf(CONTROLS)]
    num_envs: Annotated[int, Between(1, 65536)]
    env_steps: Count
    episodes_per_rollout: Annotated[int, Between(1, 100)]
    rollouts_per_segment: Annotated[int, Between(1, 10_000)]
    hidden: tuple[Width, ...]
    activation: Annotated[str, OneOf(tuple(ACTIVATIONS))]
    standardise: bool
    learning_rate: Annotated[float, Between(0.0, 1.0)]
    learning_rate_end: Annotated[float, Between(0.0, 1.0)]
    batch_size: Annotated[int, Between(2, 10**7)]
    monthly_discount: Fraction
    curriculum: CurriculumSettings


@dataclass(frozen=True)
class PPOSettings(SB3Settings):
    """Defaults and meaning of each setting stand in `configs/agent/ppo.yaml`."""

    log_std: Annotated[float, Between(-10.0, 2.0)]
    epochs: Annotated[int, Between(1, 1000)]
    gae_lambda: Fraction
    clip_range: Annotated[float, Between(0.001, 1.0)]
    entropy: Annotated[float, Between(0.0, 1.0)]
    value_weight: Annotated[float, Between(0.0, 10.0)]
    max_gradient: Annotated[float, Between(0.001, 1000.0)]
