"""Curricula: realism switches that change while a policy is trained.

Each switch runs linearly from its first to its last value and stays there, so that a learner meets
evasion, delay or shocks by degrees. A learner asks at the start of each of its segments and hands
the answer to ``GovernanceEnv.set_realism``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from envs import realism


@dataclass(frozen=True)
class Curriculum:
    """Schedules of switches.

    schedules: switch -> value at the start and from ``until`` on; until: share of training.

    Raises:
        ValueError: unknown switches, values outside [0, 1], or an end outside (0, 1]; all in
            one message.
    """

    schedules: Mapping[str, tuple[float, float]]
    until: float = 1.0

    def __post_init__(self) -> None:
        problems = [
            problem
            for name, values in self.schedules.items()
            for value in values
            for problem in realism.problems({name: value})
        ]
        if not 0 < self.until <= 1:
            problems.append(f"until={self.until:g}: expected above 0 and at most 1")
        if problems:
            raise ValueError("; ".join(dict.fromkeys(problems)))

    def at(self, progress: float) -> dict[str, float]:
        """Values of the scheduled switches after a share ``progress`` of training."""
        share = min(1.0, progress / self.until)
        return {name: a + share * (b - a) for name, (a, b) in self.schedules.items()}
