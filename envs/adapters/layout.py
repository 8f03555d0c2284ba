"""What every adapter needs of a batched core, and how groups of governors become flat rows.

Shapes: B environments, n agents of a group, A agents of the layout, R = B * A rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from envs.groups import Group, StepResult

Array = NDArray[np.float32]

#: The core clips every observation to plus or minus this bound.
OBSERVATION_BOUND = 10.0


class BatchedCore(Protocol):
    """The part of a batched environment that the adapters use."""

    @property
    def num_envs(self) -> int: ...
    @property
    def groups(self) -> tuple[Group, ...]: ...
    @property
    def state_size(self) -> int: ...
    @property
    def steps_per_episode(self) -> int: ...
    @property
    def months_per_step(self) -> int: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def scenario(self) -> str: ...

    def reset(
        self, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Any]]: ...

    def restart(self, rows: Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Any]]: ...

    def step(self, actions: Mapping[str, Tensor]) -> StepResult: ...


def box(size: int, bound: float) -> spaces.Space[Array]:
    """Symmetric float32 box of `size` numbers."""
    return cast("spaces.Space[Array]", spaces.Box(-bound, bound, (size,), np.float32))


def to_numpy(tensor: Tensor) -> Array:
    """A float32 copy in main memory that shares nothing with the core."""
    return tensor.detach().to("cpu", torch.float32, copy=True).numpy()


@dataclass(frozen=True)
class Layout:
    """Rows = environment x agent, environment-major: row = environment * A + agent.

    Unequal groups are padded with zeros to the widest observation and action; with more than one
    group the row ends with the one-hot number of its group.
    """

    groups: tuple[Group, ...]

    @property
    def agents(self) -> tuple[str, ...]:
        """Names of the A agents, in row order."""
        return tuple(agent for group in self.groups for agent in group.agents)

    @property
    def observation_width(self) -> int:
        """Widest observation, without the one-hot group number."""
        return max(len(group.observation_names) for group in self.groups)

    @property
    def action_width(self) -> int:
        """Widest action."""
        return max(len(group.action_names) for group in self.groups)

    @property
    def observation_size(self) -> int:
        """Length of one row's observation."""
        return self.observation_width + (len(self.groups) if len(self.groups) > 1 else 0)

    def slices(self) -> dict[str, slice]:
        """Group name -> its agents' places among the A agents."""
        ends = np.cumsum([len(group.agents) for group in self.groups]).tolist()
        starts = [0, *ends[:-1]]
        return {g.name: slice(a, b) for g, a, b in zip(self.groups, starts, ends, strict=True)}

    def template(self, num_envs: int) -> Array:
        """Observations [B, A, observation_size] of zeros, with the one-hot numbers filled in."""
        rows = np.zeros((num_envs, len(self.agents), self.observation_size), dtype=np.float32)
        if len(self.groups) > 1:
            for number, place in enumerate(self.slices().values()):
                rows[:, place, self.observation_width + number] = 1.0
        return rows
