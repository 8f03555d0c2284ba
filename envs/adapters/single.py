"""One environment of a batched core, as plain NumPy and Python values: base of the single views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from envs.adapters.layout import Array, BatchedCore, to_numpy
from envs.adapters.picture import Frame, check_render_mode
from envs.groups import Group, StepResult

#: Entries of the core's info that a single view passes on, beside the costs.
INFO_KEYS = ("welfare", "welfare_by_type", "welfare_by_district", "indicators", "measures")


@dataclass(frozen=True)
class SingleStep:
    """One step of one environment; observations are the last ones where the episode ended.

    observations: group -> [n, observations]; rewards: group -> [n]; costs: group -> [n, C]
    """

    observations: dict[str, Array]
    rewards: dict[str, Array]
    costs: dict[str, Array]
    terminated: bool
    truncated: bool
    info: dict[str, Any]


class SingleEnvironment:
    """The only row of a core with num_envs = 1, and the frame last seen.

    `last_result` is the core's whole last StepResult (None before the first step).
    Raises ValueError for a core with more rows or an unknown render mode.
    """

    def __init__(self, core: BatchedCore, render_mode: str | None = None) -> None:
        if core.num_envs != 1:
            raise ValueError(
                f"a single view needs a core with num_envs=1, this one has {core.num_envs}; "
                "use sb3_vec_env or the batched core itself for more"
            )
        self.core = core
        self.render_mode = check_render_mode(render_mode)
        self.state: Array = np.zeros(core.state_size, dtype=np.float32)
        self.last_result: StepResult | None = None
        self._frame = Frame(core.scenario)

    def reset(
        self, seed: int | None, options: Mapping[str, Any] | None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Start an episode: group -> observations [n, observations], and the info."""
        with torch.no_grad():
            observations, raw = self.core.reset(seed=seed, options=options)
        return first_row(observations), self._see(0, raw)

    def step(self, actions: Mapping[str, NDArray[Any]]) -> SingleStep:
        """Step with actions group -> [n, levers] in [-1, 1]."""
        core = self.core
        batch = {
            name: torch.as_tensor(values, dtype=core.dtype, device=core.device)[None]
            for name, values in actions.items()
        }
        with torch.no_grad():
            result = core.step(batch)
        self.last_result = result
        terminated, truncated = bool(result.terminated[0]), bool(result.truncated[0])
        last = result.info["final_observations"] if terminated or truncated else result.observations
        return SingleStep(
            first_row(last),
            first_row(result.rewards),
            first_row(result.costs),
            terminated,
            truncated,
            self._see(self._frame.step + 1, result.info),
        )

    def show(self) -> str | NDArray[np.uint8] | None:
        """The current frame in the render mode."""
        return self._frame.show(self.render_mode)

    def _see(self, step: int, raw: Mapping[str, Any]) -> dict[str, Any]:
        self.state = to_numpy(raw["state"][0])
        info = {key: plain(raw[key]) for key in INFO_KEYS if key in raw}
        self._frame = Frame.of(self.core.scenario, step, info)
        if self.render_mode == "human":
            self.show()
        return info


def first_row(values: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """Row 0 of every tensor, as float32 arrays."""
    return {name: to_numpy(tensor[0]) for name, tensor in values.items()}


def plain(value: Any) -> Any:
    """Row 0 of a tensor or of a table of tensors: an array, or name -> float."""
    if isinstance(value, Mapping):
        return {name: float(tensor[0]) for name, tensor in value.items()}
    return to_numpy(value[0])


def named_costs(group: Group, costs: Array) -> dict[str, float]:
    """Costs [C] of one agent of a group, by name."""
    return dict(zip(group.cost_names, costs.tolist(), strict=True))
