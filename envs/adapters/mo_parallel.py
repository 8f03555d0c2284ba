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


class GovernanceMOParallelEnv(GovernanceParallelEnv, MOParallelEnv):  # type: ignore[misc]
    """PettingZoo parallel environment whose rewards are vectors [R], float32.

    The objectives are the same for all agents, in the order of `objectives`: "whole", the gain of
    the city's flow of welfare over the status-quo twin; "stocks", the same of what is left for
    later; "own", the governor's own goal; and "cost_<name>" for every constraint cost of the
    scenario, never above zero, 0 for those who do not carry it. `scalar_weights` (agent -> [R])
    are the weights whose sum is the reward of `parallel_env`:
    `momaland.utils.parallel_wrappers.LinearizeReward(env, env.scalar_weights)`.
    """

    def __init__(self, core: BatchedCore, render_mode: str | None = None) -> None:
        super().__init__(core, render_mode)
        self.objectives = objectives(core.groups)
        high = [0.0 if name.startswith("cost_") else np.inf for name in self.objectives]
        space = spaces.Box(
            -np.inf, np.asarray(high, dtype=np.float32), (len(self.objectives),), np.float32
        )
        self.reward_spaces = {
            agent: cast("spaces.Space[Array]", space) for agent in self.possible_agents
        }
        self.scalar_weights = {
            agent: np.array([weights.get(name, 0.0) for name in self.objectives], np.float32)
            for group in core.groups
            for weights in [dict(zip(group.reward_names, group.reward_weights, strict=True))]
            for agent in group.agents
        }

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
    return tuple(dict.fromkeys(name for group in groups for name in group.reward_names))


def reward_vectors(
    groups: Sequence[Group], names: Sequence[str], result: StepResult
) -> dict[str, Tensor]:
    """Reward vectors of a step: group -> [B, n, R], columns in the order of `names`."""
    vectors = {}
    for group in groups:
        parts = result.info["reward_vector"][group.name]
        columns = dict(zip(group.reward_names, parts.unbind(-1), strict=True))
        nothing = torch.zeros_like(parts[..., 0])
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
