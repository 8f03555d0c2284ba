"""A world that remembers, and multi-agent PPO on it (`agents.context.ContextPolicy`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import unwrap
from typing import Any, cast

import torch
from torch import Tensor

from agents.context import ContextPolicy, Traces, widened
from agents.learners.ppo import MultiAgentPPO
from agents.learners.rollouts import Core, Differentiable
from agents.learners.settings import ContextSettings
from agents.network import NetworkPolicy
from agents.policy import BasePolicy
from agents.segments import Movable, Switched
from envs.groups import Group, StepResult


class Remembering:
    """A batched environment whose agents also see traces of their own past."""

    def __init__(self, core: Core, half_lives: Sequence[float]) -> None:
        self.core = core
        self.groups: tuple[Group, ...] = tuple(
            replace(group, observation_names=space.observation_names)
            for group, space in zip(core.groups, widened(core.groups, half_lives), strict=True)
        )
        self.traces = {
            group.name: Traces(half_lives, len(group.action_names)) for group in core.groups
        }
        self.seen: dict[str, Tensor] = {}
        self._step = unwrap(type(core).step)  # environments may step without gradients

    @property
    def num_envs(self) -> int:
        return self.core.num_envs

    @property
    def state_size(self) -> int:
        return self.core.state_size

    @property
    def steps_per_episode(self) -> int:
        return self.core.steps_per_episode

    @property
    def months_per_step(self) -> int:
        return self.core.months_per_step

    @property
    def device(self) -> torch.device:
        return self.core.device

    def set_realism(self, values: Mapping[str, float]) -> None:
        """Change switches of realism from the next `reset` on."""
        cast(Switched, self.core).set_realism(values)

    def move(self, first_row: int) -> None:
        """Go on to other cities at the next `reset`, where the core has several."""
        if isinstance(self.core, Movable):
            self.core.move(first_row)

    def detach(self) -> None:
        """Cut the graph: gradients of what comes later stop at what is known now."""
        cast(Differentiable, self.core).detach()
        self.seen = {name: seen.detach() for name, seen in self.seen.items()}
        for traces in self.traces.values():
            traces.detach()

    def reset(
        self, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Start new episodes, of which nothing is remembered."""
        observations, info = self.core.reset(seed, options)
        for traces in self.traces.values():
            traces.reset()
        self.seen = observations
        return self._read(observations), info

    def step(self, actions: Mapping[str, Tensor]) -> StepResult:
        """One step; rows whose episode ends see the end with their memory and then lose it."""
        for name, traces in self.traces.items():
            traces.keep_step(self.seen[name], actions[name])
        result: StepResult = self._step(self.core, actions)
        final = self._read(result.info["final_observations"])
        ended = result.terminated | result.truncated
        self.seen = dict(result.observations)
        for name, traces in self.traces.items():
            traces.forget(ended, self.seen[name])
        info = {**result.info, "final_observations": final}
        return replace(result, observations=self._read(self.seen), info=info)

    def _read(self, observations: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: traces.read(observations[name]) for name, traces in self.traces.items()}


class ContextPPO(MultiAgentPPO):
    """MAPPO whose agents and values see the traces too."""

    def __init__(self, settings: ContextSettings, core: Core, seed: int) -> None:
        super().__init__(settings, Remembering(core, settings.half_lives), seed)
        self.half_lives, self.seers = settings.half_lives, core.groups

    def policy(self) -> BasePolicy:
        """The network behind a memory of its own."""
        network = super().policy()
        assert isinstance(network, NetworkPolicy), "one network is shared by all"
        settings = ContextPolicy.Settings(self.half_lives, network.options)
        return ContextPolicy(self.seers, settings, network.weights())
