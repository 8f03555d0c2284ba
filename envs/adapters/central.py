"""Gymnasium view: one central agent sets the levers of all governors."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs import registry
from envs.adapters.layout import OBSERVATION_BOUND, Array, BatchedCore, box
from envs.adapters.picture import METADATA
from envs.adapters.single import SingleEnvironment, named_costs
from envs.groups import Group


class CentralEnv(gymnasium.Env[Array, Array]):
    """All groups' observations and actions in one vector; the reward is the agents' mean reward.

    Order: group after group, in a group agent after agent. The info holds "costs" (agent ->
    named costs), "rewards" (agent -> reward), and the city's "welfare", "indicators" and welfare
    by type and district.
    """

    metadata = METADATA

    def __init__(self, core: BatchedCore, render_mode: str | None = None) -> None:
        self._single = SingleEnvironment(core, render_mode)
        self.core = core
        self.render_mode = render_mode
        self.observation_space = box(observation_size(core.groups), OBSERVATION_BOUND)
        self.action_space = box(action_size(core.groups), 1.0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an episode; `seed=None` continues the environment's own random stream."""
        super().reset(seed=seed)
        observations, info = self._single.reset(seed, options)
        return self._joined(observations), info

    def step(self, action: NDArray[Any]) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Step with the joined action; ValueError if its length is wrong."""
        groups = self.core.groups
        result = self._single.step(split_actions(groups, np.asarray(action)))
        rewards = np.concatenate([result.rewards[group.name] for group in groups])
        agents = [agent for group in groups for agent in group.agents]
        info = {
            **result.info,
            "rewards": dict(zip(agents, rewards.tolist(), strict=True)),
            "costs": {
                agent: named_costs(group, costs)
                for group in groups
                for agent, costs in zip(group.agents, result.costs[group.name], strict=True)
            },
        }
        observation = self._joined(result.observations)
        return observation, float(rewards.mean()), result.terminated, result.truncated, info

    def render(self) -> Any:
        """The city as text or picture, by `render_mode`."""
        return self._single.show()

    def _joined(self, observations: dict[str, Array]) -> Array:
        return np.concatenate([observations[group.name].ravel() for group in self.core.groups])


def observation_size(groups: tuple[Group, ...]) -> int:
    """Length of all agents' observations in one vector."""
    return sum(len(group.agents) * len(group.observation_names) for group in groups)


def action_size(groups: tuple[Group, ...]) -> int:
    """Length of all agents' actions in one vector."""
    return sum(len(group.agents) * len(group.action_names) for group in groups)


def split_actions(groups: tuple[Group, ...], actions: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Joined actions [..., sum of n * levers] -> group name -> [..., n, levers].

    Raises ValueError if the last axis has another length.
    """
    if actions.shape[-1:] != (action_size(groups),):
        raise ValueError(f"expected {action_size(groups)} action values, got {actions.shape}")
    parts: dict[str, NDArray[Any]] = {}
    start = 0
    for group in groups:
        shape = (len(group.agents), len(group.action_names))
        end = start + shape[0] * shape[1]
        parts[group.name] = actions[..., start:end].reshape(*actions.shape[:-1], *shape)
        start = end
    return parts


def make_central(scenario: str, render_mode: str | None = None, **options: Any) -> CentralEnv:
    """Central-agent environment of a scenario; options as in `envs.make`."""
    return CentralEnv(registry.make(scenario, num_envs=1, **options), render_mode)
