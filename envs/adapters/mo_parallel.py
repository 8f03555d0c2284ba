"""MOMAland views: rewards as vectors of named objectives.

Shapes: B environments, n agents of a group, R objectives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from gymnasium import spaces
from momaland.utils.conversions import mo_parallel_to_aec
from momaland.utils.env import MOAECEnv, MOParallelEnv
from numpy.typing import NDArray
from torch import Tensor

from envs import registry
from envs.adapters.layout import Array, BatchedCore
from envs.adapters.parallel import GovernanceParallelEnv, Info
from envs.adapters.single import first_row
from envs.groups import Group, StepResult

#: Objectives of every governor before its constraint costs: welfare of the whole, own goal.
PARTS = ("welfare", "goal")


class GovernanceMOParallelEnv(GovernanceParallelEnv, MOParallelEnv):  # type: ignore[misc]
    """PettingZoo parallel environment whose rewards are vectors [R], float32.

    The objectives are the same for all agents, in the order of `objectives`: "welfare", the gain
    of the whole city over the status-quo twin; "goal", the governor's own; and "minus_<cost>" for
    every constraint cost of the scenario, never above zero, 0 for those who do not carry it.
    `scalar_weights` (agent -> [R]) are the weights whose sum is the reward of `parallel_env`:
    `momaland.utils.parallel_wrappers.LinearizeReward(env, env.scalar_weights)`.
    """

    def __init__(self, core: BatchedCore, render_mode: str | None = None) -> None:
        super().__init__(core, render_mode)
        self.objectives = objectives(core.groups)
        high = np.where(np.arange(len(self.objectives)) < len(PARTS), np.inf, 0.0)
        space = spaces.Box(-np.inf, high.astype(np.float32), (len(self.objectives),), np.float32)
        self.reward_spaces = {
            agent: cast("spaces.Space[Array]", space) for agent in self.possible_agents
        }
        weights = np.zeros(len(self.objectives), dtype=np.float32)
        weights[: len(PARTS)] = 1.0 - core.local_weight, core.local_weight
        self.scalar_weights = {agent: weights.copy() for agent in self.possible_agents}

    def reward_space(self, agent: str) -> spaces.Space[Array]:
        """Space of an agent's reward vector; KeyError for an unknown agent."""
        return self.reward_spaces[agent]

    def step(  # type: ignore[override]
        self, actions: Mapping[str, NDArray[Any] | None]
    ) -> tuple[
        dict[str, Array], dict[str, Array], dict[str, bool], dict[str, bool], dict[str, Info]
    ]:
        """As in `GovernanceParallelEnv`, with reward vectors."""
        observations, rewards, terminations, truncations, infos = super().step(actions)
        if not rewards:
            return {}, {}, {}, {}, {}
        result = self._single.last_result
        assert result is not None
        vectors = first_row(reward_vectors(self.core.groups, self.objectives, result))
        return observations, self._by_agent(vectors), terminations, truncations, infos


def objectives(groups: Sequence[Group]) -> tuple[str, ...]:
    """Names of the R objectives of a scenario's governors."""
    costs = dict.fromkeys(name for group in groups for name in group.cost_names)
    return (*PARTS, *(f"minus_{name}" for name in costs))


def reward_vectors(
    groups: Sequence[Group], names: Sequence[str], result: StepResult
) -> dict[str, Tensor]:
    """Reward vectors of a step: group -> [B, n, R], columns in the order of `names`."""
    vectors = {}
    for group in groups:
        goal = result.info["goals"][group.name]
        columns = {"welfare": result.info["whole"].unsqueeze(-1).expand_as(goal), "goal": goal}
        costs = result.costs[group.name].unbind(-1)
        columns |= {
            f"minus_{name}": -cost for name, cost in zip(group.cost_names, costs, strict=True)
        }
        nothing = torch.zeros_like(goal)
        vectors[group.name] = torch.stack([columns.get(name, nothing) for name in names], -1)
    return vectors


def mo_parallel_env(
    scenario: str, render_mode: str | None = None, **options: Any
) -> GovernanceMOParallelEnv:
    """MOMAland parallel environment of a scenario; options as in `envs.make`."""
    return GovernanceMOParallelEnv(registry.make(scenario, num_envs=1, **options), render_mode)


def mo_aec_env(scenario: str, render_mode: str | None = None, **options: Any) -> MOAECEnv:
    """MOMAland agent-environment-cycle environment; options as in `envs.make`."""
    return mo_parallel_to_aec(mo_parallel_env(scenario, render_mode, **options))
