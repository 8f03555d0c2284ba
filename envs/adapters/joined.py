"""A batched core under one governor who sees what all see and sets every lever.

Shapes: B environments, n agents of a group, O observations, A levers and C costs of an agent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from envs.adapters.central import action_size
from envs.adapters.layout import BatchedCore
from envs.groups import Group, StepResult

GOVERNOR = "governor"
"""Name of the joined group and of its one agent."""


class JoinedCore:
    """The same worlds with one group of one agent, of whose rows every adapter can be a view.

    Observations [B, 1, sum of n * O], actions [B, 1, sum of n * A] and costs [B, 1, sum of n * C]
    are those of all agents, group after group, in a group agent after agent; names are
    `<agent>.<name>`. The reward [B, 1] is the mean of all agents' rewards. All else is the core's,
    to read and to set.
    """

    core: BatchedCore
    groups: tuple[Group]

    def __init__(self, core: BatchedCore) -> None:
        self.__dict__["core"] = core
        self.__dict__["groups"] = (joined_group(core.groups),)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["core"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.core, name, value)

    def reset(
        self, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Start all episodes."""
        observations, info = self.core.reset(seed=seed, options=options)
        return self._joined(observations), info

    def restart(self, rows: Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Start the episodes of some rows anew."""
        observations, info = self.core.restart(rows)
        return self._joined(observations), info

    def step(self, actions: Mapping[str, Tensor]) -> StepResult:
        """Step with the governor's actions [B, 1, sum of n * A]."""
        groups = self.core.groups
        result = self.core.step(split(groups, actions[GOVERNOR]))
        rewards = torch.cat([result.rewards[group.name] for group in groups], dim=1)
        info = {key: value for key, value in result.info.items() if key != "reward_vector"}
        if "final_observations" in info:
            info["final_observations"] = self._joined(info["final_observations"])
        return StepResult(
            observations=self._joined(result.observations),
            rewards={GOVERNOR: rewards.mean(1, keepdim=True)},
            costs=self._joined(result.costs),
            terminated=result.terminated,
            truncated=result.truncated,
            info=info,
        )

    def _joined(self, tables: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {GOVERNOR: join(tables, [group.name for group in self.core.groups])}


def joined_group(groups: Sequence[Group]) -> Group:
    """The group whose one agent stands for all agents of some groups."""
    return Group(
        GOVERNOR,
        (GOVERNOR,),
        _names((agent, group.observation_names) for group in groups for agent in group.agents),
        _names((agent, group.action_names) for group in groups for agent in group.agents),
        _names((agent, group.cost_names) for group in groups for agent in group.agents),
        tuple(budget for group in groups for _ in group.agents for budget in group.budgets),
    )


def join(tables: Mapping[str, Tensor], names: Iterable[str]) -> Tensor:
    """Tables [B, n, X] of groups side by side: [B, 1, sum of n * X]."""
    return torch.cat([tables[name].flatten(1) for name in names], dim=1).unsqueeze(1)


def split(groups: Sequence[Group], actions: Tensor) -> dict[str, Tensor]:
    """Joined actions [B, 1, sum of n * A] -> group name -> [B, n, A].

    Raises ValueError if the last axis has another length.
    """
    if actions.shape[-1] != (wanted := action_size(tuple(groups))):
        raise ValueError(f"expected {wanted} action values, got {actions.shape[-1]}")
    parts, start = {}, 0
    for group in groups:
        shape = (group.size, len(group.action_names))
        end = start + shape[0] * shape[1]
        parts[group.name] = actions[:, 0, start:end].reshape(-1, *shape)
        start = end
    return parts


def _names(owned: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    return tuple(f"{agent}.{name}" for agent, names in owned for name in names)
