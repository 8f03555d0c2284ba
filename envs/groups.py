"""Groups of governors and the result of a batched step.

Shapes: B environments (rows), n agents of a group, S numbers of global state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Group:
    """A homogeneous group of governors: same observations, same levers, same named costs.

    reward_names: parts of ``info["reward_vector"]``, which the environment fills in;
    reward_weights: with which they sum to the reward.
    """

    name: str
    agents: tuple[str, ...]
    observation_names: tuple[str, ...]
    action_names: tuple[str, ...]
    cost_names: tuple[str, ...] = ()
    budgets: tuple[float, ...] = ()
    reward_names: tuple[str, ...] = ()
    reward_weights: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Number of agents n."""
        return len(self.agents)


@dataclass(frozen=True)
class StepResult:
    """One step of all rows; done rows (terminated or truncated) are already reset.

    observations: group -> Tensor [B, n, observations]; of the new episode where a row is done
    rewards: group -> Tensor [B, n]
    costs: group -> Tensor [B, n, C], columns named by `Group.cost_names`
    terminated, truncated: Tensor [B] bool
    info: of the step just made, before any reset: "final_observations" (like observations,
        valid where done), "state" Tensor [B, S], "welfare" and "indicators" dict[str,
        Tensor [B]], "measures" dict[str, Tensor [B]] of the scenario's own question,
        "welfare_by_type" Tensor [B, K], "welfare_by_district" Tensor [B, D],
        "reward_vector" group -> Tensor [B, n, R], columns named by `Group.reward_names`, and
        "set_costs" dict[str, Tensor [B]] of the scenario's `cost_sets`
    """

    observations: Mapping[str, Tensor]
    rewards: Mapping[str, Tensor]
    costs: Mapping[str, Tensor]
    terminated: Tensor
    truncated: Tensor
    info: Mapping[str, Any]
