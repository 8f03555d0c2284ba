"""Playing policies through a break and through the same months without it.

Shapes: S seeds of a policy, C held-out cities, T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import envs
from agents.policy import Policy
from experiments.config import Config
from experiments.regret.entries import Entry

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Break:
    """What breaks, when, how hard, and for how many months after it is looked."""

    regime: str
    month: int
    strength: float
    after: int

    def problems(self, horizon: int, months_per_step: int) -> list[str]:
        """What is wrong with it for episodes of a length, in words."""
        found = []
        if self.month % months_per_step:
            found.append(f"--month {self.month}: expected whole steps of {months_per_step} months")
        if self.month + self.after > horizon:
            found.append(
                f"--month {self.month} and --after {self.after} reach beyond the scenario's "
                f"horizon of {horizon} months"
            )
        return found


@dataclass(frozen=True)
class Flow:
    """Welfare flow of one entry ``[S, C, T]``, share of first-year income."""

    name: str
    calm: Floats
    broken: Floats


def flows(
    config: Config, entries: Sequence[Entry], struck: Break, tick: Callable[[], None]
) -> list[Flow]:
    """Every entry on the held-out cities of a configuration, with and without the break.

    Args:
        tick: called after every step of every policy.
    """
    calm, broken = _world(config, struck, "none"), _world(config, struck, struck.regime)
    first = config.settings.experiment.evaluation.first_seed
    steps = steps_of(struck, calm.months_per_step)
    found = []
    for entry in entries:
        members = entry.members(calm.groups)
        with torch.no_grad():
            both = [
                np.stack([_play(env, policy, first, steps, tick) for policy in members])
                for env in (calm, broken)
            ]
        found.append(Flow(entry.name, *both))
    return found


def steps_of(struck: Break, months_per_step: int) -> int:
    """Steps that are played."""
    return -(-(struck.month + struck.after) // months_per_step)


def _world(config: Config, struck: Break, regime: str) -> Any:
    evaluation = config.settings.experiment.evaluation
    rows = evaluation.cities
    options = config.environment(rows, evaluation.first_seed, cities=rows)
    changes = {
        "regime": regime,
        "regime_month": struck.month,
        "regime_strength": struck.strength,
        "terminal": "tail",  # flows alone count, and it is the one that costs nothing until the end
    }
    return envs.make(config.scenario, **(options | changes))


def _play(env: Any, policy: Policy, seed: int, steps: int, tick: Callable[[], None]) -> Floats:
    """Flow of one policy ``[C, T]``."""
    observations, _ = env.reset(seed=seed)
    policy.reset(env.num_envs)
    found = []
    for _ in range(steps):
        result = env.step(policy.act(observations))
        observations = result.observations
        found.append(result.info["welfare"]["overall"] / env.months_per_step)
        tick()
    return torch.stack(found, -1).cpu().numpy().astype(np.float64)
