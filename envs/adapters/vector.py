"""Gymnasium vector view: one central agent in each environment of the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from envs import registry
from envs.adapters.central import action_size, observation_size, split_actions
from envs.adapters.layout import OBSERVATION_BOUND, Array, BatchedCore, box, to_numpy


class CentralVectorEnv(gymnasium.vector.VectorEnv[Array, Array, Array]):
    """All rows of a core at once; spaces and rewards of a row are those of `CentralEnv`.

    An ended episode is reset in the same step. The infos hold the "welfare" components [B] and,
    where an episode ended, "final_obs" with its last observation (mask "_final_obs").
    """

    def __init__(self, core: BatchedCore) -> None:
        self.core = core
        self.num_envs = core.num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = box(observation_size(core.groups), OBSERVATION_BOUND)
        self.single_action_space = box(action_size(core.groups), 1.0)
        self.observation_space = batch_space(self.single_observation_space, core.num_envs)
        self.action_space = batch_space(self.single_action_space, core.num_envs)

    def reset(
        self,
        *,
        seed: int | Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Start all episodes; environment i uses seed + i, or seed[i]."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        with torch.no_grad():
            observations, raw = self.core.reset(seed=seed, options=options)
        return self._joined(observations), self._infos(raw)

    def step(self, actions: NDArray[Any]) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step with joined actions [B, action_size]; ValueError if the length is wrong."""
        core = self.core
        parts = split_actions(core.groups, np.asarray(actions))
        batch = {
            name: torch.as_tensor(values, dtype=core.dtype, device=core.device)
            for name, values in parts.items()
        }
        with torch.no_grad():
            result = core.step(batch)
        rewards = torch.cat([result.rewards[group.name] for group in core.groups], dim=1).mean(1)
        infos = self._infos(result.info)
        ended = (result.terminated | result.truncated).cpu().numpy()
        if ended.any():
            last = self._joined(result.info["final_observations"])
            finals = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(ended).tolist():
                finals[i] = last[i].copy()
            infos |= {"final_obs": finals, "_final_obs": ended}
        return (
            self._joined(result.observations),
            to_numpy(rewards),
            result.terminated.cpu().numpy().copy(),
            result.truncated.cpu().numpy().copy(),
            infos,
        )

    def _joined(self, observations: Mapping[str, Tensor]) -> Array:
        parts = [observations[group.name].flatten(1) for group in self.core.groups]
        return to_numpy(torch.cat(parts, dim=1))

    def _infos(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        if "welfare" not in raw:
            return {}
        table: dict[str, Any] = {}
        for name, values in raw["welfare"].items():
            table |= {name: to_numpy(values), f"_{name}": np.ones(self.num_envs, dtype=bool)}
        return {"welfare": table, "_welfare": np.ones(self.num_envs, dtype=bool)}


def make_central_vector(scenario: str, num_envs: int = 1, **options: Any) -> CentralVectorEnv:
    """Vector of central-agent environments of a scenario; options as in `envs.make`."""
    return CentralVectorEnv(registry.make(scenario, num_envs=num_envs, **options))
