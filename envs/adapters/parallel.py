"""PettingZoo views: all governors at once (parallel) or one after the other (AEC)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from envs import registry
from envs.adapters.layout import OBSERVATION_BOUND, Array, BatchedCore, box
from envs.adapters.picture import METADATA
from envs.adapters.single import SingleEnvironment, SingleStep, named_costs

Info = dict[str, Any]


class GovernanceParallelEnv(ParallelEnv[str, Array, Array | None]):
    """PettingZoo parallel environment on a core with num_envs = 1.

    Observations are float32 in [-10, 10], actions in [-1, 1] (0 keeps today's setting). Each
    agent's info holds its named "costs" and the city's "welfare", "indicators" and welfare by
    type and district. `state()` is the global state, a vector of `core.state_size` numbers.
    """

    def __init__(self, core: BatchedCore, render_mode: str | None = None) -> None:
        self._single = SingleEnvironment(core, render_mode)
        self.core = core
        self.render_mode = render_mode
        self.metadata = {**METADATA, "name": core.scenario, "is_parallelizable": True}
        self.possible_agents = [agent for group in core.groups for agent in group.agents]
        self.agents: list[str] = []
        self.state_space = box(core.state_size, OBSERVATION_BOUND)
        self.observation_spaces = {
            agent: box(len(group.observation_names), OBSERVATION_BOUND)
            for group in core.groups
            for agent in group.agents
        }
        self.action_spaces = {
            agent: box(len(group.action_names), 1.0)
            for group in core.groups
            for agent in group.agents
        }

    def observation_space(self, agent: str) -> spaces.Space[Array]:
        """Space of an agent's observation; KeyError for an unknown agent."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Array | None]:
        """Space of an agent's action; KeyError for an unknown agent."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Info]]:
        """Start an episode; `seed=None` continues the environment's own random stream."""
        self.agents = list(self.possible_agents)
        observations, info = self._single.reset(seed, options)
        return self._by_agent(observations), {agent: dict(info) for agent in self.agents}

    def step(
        self, actions: Mapping[str, NDArray[Any] | None]
    ) -> tuple[
        dict[str, Array], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Info]
    ]:
        """Step with the actions of all live agents; ValueError if one of them is missing."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise ValueError(f"actions are missing for: {', '.join(missing)}")
        result = self._single.step(
            {
                group.name: np.stack([np.asarray(actions[agent]) for agent in group.agents])
                for group in self.core.groups
            }
        )
        rewards = {agent: float(r) for agent, r in self._by_agent(result.rewards).items()}
        infos = self._infos(result)
        terminations = dict.fromkeys(self.agents, result.terminated)
        truncations = dict.fromkeys(self.agents, result.truncated)
        if result.terminated or result.truncated:
            self.agents = []
        return self._by_agent(result.observations), rewards, terminations, truncations, infos

    def state(self) -> Array:
        """Global state [S]."""
        return self._single.state.copy()

    def render(self) -> str | NDArray[np.uint8] | None:
        """The city as text or picture, by `render_mode`."""
        return self._single.show()

    def close(self) -> None:
        """Nothing is held open."""

    def _by_agent(self, values: Mapping[str, Array]) -> dict[str, Array]:
        return {
            agent: row
            for group in self.core.groups
            for agent, row in zip(group.agents, values[group.name], strict=True)
        }

    def _infos(self, result: SingleStep) -> dict[str, Info]:
        return {
            agent: {**result.info, "costs": named_costs(group, costs)}
            for group in self.core.groups
            for agent, costs in zip(group.agents, result.costs[group.name], strict=True)
        }


def parallel_env(
    scenario: str, render_mode: str | None = None, **options: Any
) -> GovernanceParallelEnv:
    """PettingZoo parallel environment of a scenario; options as in `envs.make`."""
    return GovernanceParallelEnv(registry.make(scenario, num_envs=1, **options), render_mode)


def aec_env(
    scenario: str, render_mode: str | None = None, **options: Any
) -> AECEnv[str, Array, Array | None]:
    """PettingZoo agent-environment-cycle environment of a scenario; options as in `envs.make`."""
    return parallel_to_aec(parallel_env(scenario, render_mode, **options))
