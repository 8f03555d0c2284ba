"""A batched core that computes nothing: what a learner costs without the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from envs.adapters.layout import BatchedCore
from envs.groups import Group, StepResult

#: Different prebuilt observations and rewards, handed out in turn.
POOL = 16


class NullCore:
    """Shapes of a batched core, prebuilt standard normal observations, episodes of equal length.

    horizon: steps of an episode; months_per_step: what learners discount by
    """

    scenario = "null"

    def __init__(
        self,
        groups: tuple[Group, ...],
        num_envs: int,
        horizon: int = 40,
        state_size: int = 1,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        months_per_step: int = 3,
    ) -> None:
        self.groups = groups
        self.num_envs = num_envs
        self.steps_per_episode = horizon
        self.state_size = state_size
        self.device = torch.device(device)
        self.dtype = dtype
        self.months_per_step = months_per_step
        self._clock = 0
        source = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(shape, generator=source).to(self.device, dtype).clamp(-10.0, 10.0)

        def table(width: str) -> list[dict[str, Tensor]]:
            return [
                {g.name: drawn(num_envs, len(g.agents), len(getattr(g, width))) for g in groups}
                for _ in range(POOL)
            ]

        self._observations = table("observation_names")
        self._costs = table("cost_names")
        self._rewards = [
            {g.name: drawn(num_envs, len(g.agents)) for g in groups} for _ in range(POOL)
        ]
        self._open = torch.zeros(num_envs, dtype=torch.bool, device=self.device)
        self._state = drawn(num_envs, state_size)

    @classmethod
    def like(cls, core: BatchedCore) -> NullCore:
        """A null core with the shapes, device and episode length of another."""
        return cls(
            core.groups,
            core.num_envs,
            core.steps_per_episode,
            core.state_size,
            core.device,
            core.dtype,
            core.months_per_step,
        )

    def reset(
        self, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The first prebuilt observations; seed and options change nothing."""
        self._clock = 0
        return self._observations[0], {"state": self._state}

    def restart(self, rows: Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The observations at hand: all rows keep the one clock."""
        return self._observations[self._clock % POOL], {"state": self._state}

    def step(self, actions: Mapping[str, Tensor]) -> StepResult:
        """The next prebuilt observations; all rows end together every `horizon` steps."""
        self._clock += 1
        place = self._clock % POOL
        done = self._open if self._clock % self.steps_per_episode else ~self._open
        return StepResult(
            self._observations[place],
            self._rewards[place],
            self._costs[place],
            done,
            self._open,
            {
                "final_observations": self._observations[place],
                "state": self._state,
                "welfare": {},
            },
        )
