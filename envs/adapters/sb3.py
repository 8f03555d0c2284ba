"""Stable-Baselines3 view: rows of a VecEnv are the agents of all environments of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, cast

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvStepReturn
from torch import Tensor

from envs import registry
from envs.adapters.episodes import Episodes
from envs.adapters.joined import JoinedCore
from envs.adapters.layout import OBSERVATION_BOUND, Array, BatchedCore, Layout, box, to_numpy
from envs.adapters.picture import Frame, check_render_mode
from envs.groups import StepResult

#: At most this many environments are drawn in one picture.
PICTURES = 9


class NoInfo(dict[str, Any]):
    """The info of every row whose episode goes on: empty, shared, and not writable."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("this empty info is shared by all rows: write to info.copy() instead")

    __setitem__ = __delitem__ = __ior__ = _refuse  # type: ignore[assignment]
    update = setdefault = pop = popitem = _refuse  # type: ignore[assignment]


NO_INFO = NoInfo()


class GovernanceVecEnv(VecEnv):
    """SB3 VecEnv on the whole batch: row = environment * A + agent, A agents per environment.

    With `group` only that group's agents are rows and all other governors keep today's settings
    (action 0). Otherwise unequal groups are padded with zeros to common shapes and the one-hot
    number of the group is appended (only if there is more than one). `seed()` gives environment i
    the seed + i. An ended episode is reset in the same step; its row's info holds

    terminal_observation: the last observation, as the row would have seen it
    TimeLimit.truncated: True if the episode was cut, not ended
    episode: r (sum of rewards), l (steps), t (seconds since the start)
    welfare: component -> mean over the episode, relative to the status-quo twin
    costs: named cost -> mean over the episode

    `last_result` is the core's whole last StepResult (None before the first step).
    Raises ValueError for an unknown group or render mode.
    """

    def __init__(
        self, core: BatchedCore, group: str | None = None, render_mode: str | None = None
    ) -> None:
        names = [g.name for g in core.groups]
        if group is not None and group not in names:
            raise ValueError(f"group {group!r} is unknown; known: {', '.join(names)}")
        self.core = core
        self.layout = Layout(tuple(g for g in core.groups if group in (None, g.name)))
        self.agents = self.layout.agents
        self.last_result: StepResult | None = None
        rows = core.num_envs * len(self.agents)
        mode = check_render_mode(render_mode)
        self._row_attributes: list[dict[str, Any]] = [
            {"agent": agent, "environment": i, "render_mode": mode}
            for i in range(core.num_envs)
            for agent in self.agents
        ]
        super().__init__(
            rows,
            box(self.layout.observation_size, OBSERVATION_BOUND),
            box(self.layout.action_width, 1.0),
        )
        self._places = self.layout.slices()
        self._template = self.layout.template(core.num_envs)
        self._idle = {
            g.name: torch.zeros(
                (core.num_envs, len(g.agents), len(g.action_names)),
                dtype=core.dtype,
                device=core.device,
            )
            for g in core.groups
            if g not in self.layout.groups
        }
        self._actions: dict[str, Tensor] = {}
        self._episodes = Episodes(self.layout, core.num_envs)
        self._raw: dict[str, Any] = {}

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seeds used by the next reset: seed + i for all rows of environment i."""
        if seed is None:
            seed = int(np.random.randint(0, np.iinfo(np.uint32).max, dtype=np.uint32))  # noqa: NPY002
        self._seeds = [seed + row // len(self.agents) for row in range(self.num_envs)]
        return self._seeds

    def reset(self) -> Array:
        """Start all episodes: observations [R, observation_size]."""
        seeds = [seed for seed in self._seeds[:: len(self.agents)] if seed is not None]
        options = self._options[0] or None
        if any(other != self._options[0] for other in self._options):
            raise ValueError("the rows share one batch: give all of them the same options")
        with torch.no_grad():
            observations, self._raw = self.core.reset(seed=seeds or None, options=options)
        self._reset_seeds()
        self._reset_options()
        self._episodes.clear()
        return self._rows(observations)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep actions [R, action_width] for `step_wait`."""
        shape = (self.core.num_envs, len(self.agents), self.layout.action_width)
        batch = torch.as_tensor(actions, dtype=self.core.dtype, device=self.core.device)
        batch = batch.reshape(shape)
        self._actions = {
            g.name: batch[:, self._places[g.name], : len(g.action_names)]
            for g in self.layout.groups
        } | self._idle

    def step_wait(self) -> VecEnvStepReturn:
        """Step the batch: observations [R, size], rewards [R], dones [R], infos."""
        with torch.no_grad():
            result = self.core.step(self._actions)
        self.last_result, self._raw = result, dict(result.info)
        rewards = np.concatenate(
            [to_numpy(result.rewards[g.name]) for g in self.layout.groups], axis=1
        )
        self._episodes.add(result, rewards)
        done = (result.terminated | result.truncated).cpu().numpy()
        infos: list[dict[str, Any]] = [NO_INFO] * self.num_envs
        if done.any():
            self._finish(infos, result, done)
        dones = np.repeat(done, len(self.agents))
        return self._rows(result.observations), rewards.reshape(-1), dones, infos

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Attribute of each row: its own ("agent", "environment"), or the core's."""
        return [
            row[attr_name] if attr_name in row else getattr(self.core, attr_name)
            for row in self._chosen(indices)
        ]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of rows; one of the shared core only for all rows, else ValueError."""
        chosen = self._chosen(indices)
        if hasattr(self.core, attr_name):
            if len(chosen) != self.num_envs:
                raise ValueError(f"{attr_name!r} belongs to all rows: set it without indices")
            setattr(self.core, attr_name, value)
            return
        for row in chosen:
            row[attr_name] = value

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the core once; its result is given to every chosen row."""
        result = getattr(self.core, method_name)(*method_args, **method_kwargs)
        return [result for _ in self._chosen(indices)]

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """True for Monitor, whose episode statistics the rows already give; False otherwise."""
        return [wrapper_class is Monitor for _ in self._chosen(indices)]

    def frame(self, environment: int) -> Frame:
        """How one environment looks now."""
        info: dict[str, Any] = {
            key: {name: float(v[environment]) for name, v in self._raw.get(key, {}).items()}
            for key in ("welfare", "indicators")
        }
        if "welfare_by_district" in self._raw:
            info["welfare_by_district"] = to_numpy(self._raw["welfare_by_district"][environment])
        return Frame.of(self.core.scenario, int(self._episodes.lengths[environment]), info)

    def get_images(self) -> Sequence[NDArray[np.uint8]]:
        """Pictures of the first environments."""
        return [self.frame(i).picture() for i in range(min(PICTURES, self.core.num_envs))]

    def _chosen(self, indices: VecEnvIndices) -> list[dict[str, Any]]:
        places: Iterable[int] = self._get_indices(indices)
        return [self._row_attributes[i] for i in places]

    def _rows(self, observations: Any) -> Array:
        rows = self._template.copy()
        for g in self.layout.groups:
            width = len(g.observation_names)
            rows[:, self._places[g.name], :width] = observations[g.name].detach().cpu().numpy()
        return rows.reshape(self.num_envs, -1)

    def _finish(
        self, infos: list[dict[str, Any]], result: StepResult, done: NDArray[np.bool_]
    ) -> None:
        last = self._rows(result.info["final_observations"])
        agents, ended = len(self.agents), np.flatnonzero(done)
        cut = np.repeat((result.truncated & ~result.terminated).cpu().numpy(), agents)
        rows = np.flatnonzero(np.repeat(done, agents)).tolist()
        for row, summary in zip(rows, self._episodes.summaries(ended), strict=True):
            infos[row] = {
                "terminal_observation": last[row],
                "TimeLimit.truncated": bool(cut[row]),
                **summary,
            }
        self._episodes.clear(ended)


CONTROLS: dict[str, Callable[[BatchedCore], BatchedCore]] = {
    "shared": lambda core: core,
    "central": lambda core: cast(BatchedCore, JoinedCore(core)),
}
"""Who the rows are: every agent of every environment, or one governor in each environment."""


def governed(core: BatchedCore, control: str, **options: Any) -> GovernanceVecEnv:
    """VecEnv of a core by who its rows are; ValueError for an unknown control."""
    if control not in CONTROLS:
        raise ValueError(f"control {control!r} is unknown; known: {', '.join(CONTROLS)}")
    return GovernanceVecEnv(CONTROLS[control](core), **options)


def sb3_vec_env(
    scenario: str,
    num_envs: int = 64,
    group: str | None = None,
    render_mode: str | None = None,
    control: str = "shared",
    **options: Any,
) -> GovernanceVecEnv:
    """SB3 VecEnv of a scenario, for `PPO("MlpPolicy", sb3_vec_env("city_v0"), seed=0)`.

    Options as in `envs.make`. With control="central" rows are environments: one governor sees
    what all see and sets every lever (`envs.adapters.joined`). Raises ValueError for an unknown
    group or control.
    """
    core = registry.make(scenario, num_envs=num_envs, **options)
    return governed(core, control, group=group, render_mode=render_mode)
