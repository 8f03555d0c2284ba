"""A policy that tells the world it is in from its own history: system identification by memory.

The memory is fixed: traces of what was seen and done at several half-lives, beside what is seen
now. A network that was trained in many worlds reads from them how this one answers. No trace is
learnt, so that a run resumes to the same bits and a policy starts anew at each `reset`.

Shapes: B environments (rows), n agents of a group, O observations, A levers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from agents.network import NetworkPolicy, RowSettings
from agents.policy import BasePolicy, GroupLike, Space, Tensors, spaces_of
from agents.schema import Between

#: Steps after which a trace has forgotten half.
HalfLife = Annotated[float, Between(0.1, 1000.0)]
#: Traces are clipped to plus or minus this bound, as observations are.
BOUND = 10.0
#: Least unrest above none.
LEAST = 1e-4


def widened(spaces: Sequence[GroupLike], half_lives: Sequence[float]) -> tuple[Space, ...]:
    """The spaces as a network sees them: with the names of the traces behind the observations."""
    return tuple(
        Space(
            space.name, (*space.observation_names, *_names(space, half_lives)), space.action_names
        )
        for space in spaces_of(spaces)
    )


def _names(space: Space, half_lives: Sequence[float]) -> list[str]:
    return [
        f"{name} over {life:g}"
        for life in half_lives
        for name in (
            *(f"move of {seen}" for seen in space.observation_names),
            *(f"mean {lever}" for lever in space.action_names),
            "unrest",
        )
    ]


class Traces:
    """Memory of one group: what moved against its own past, what was done, how restless it was."""

    def __init__(self, half_lives: Sequence[float], levers: int) -> None:
        self.keep = [0.5 ** (1 / life) for life in half_lives]
        self.levers = levers
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.seen: list[Tensor] = []
        self.done: list[Tensor] = []
        self.unrest: list[Tensor] = []

    def forget(self, rows: Tensor, observed: Tensor) -> None:
        """Start some rows `[B]` (bool) anew from what they see."""
        mask = rows.reshape(-1, 1, 1)
        self.seen = [torch.where(mask, observed, x) for x in self.seen]
        self.done = [x.masked_fill(mask, 0.0) for x in self.done]
        self.unrest = [x.masked_fill(mask, 0.0) for x in self.unrest]

    def detach(self) -> None:
        """Cut the graph of what is remembered."""
        for kept in (self.seen, self.done, self.unrest):
            kept[:] = [x.detach() for x in kept]

    def read(self, observed: Tensor) -> Tensor:
        """Observations `[B, n, O]` with the traces behind them; nothing is kept."""
        if not self.seen:
            self.seen = [observed for _ in self.keep]
            self.done = [observed.new_zeros(*observed.shape[:2], self.levers) for _ in self.keep]
            self.unrest = [observed.new_zeros(*observed.shape[:2], 1) for _ in self.keep]
        parts = [observed]
        for seen, done, unrest in zip(self.seen, self.done, self.unrest, strict=True):
            # The slope of a root is not finite at 0, where every episode starts.
            restless = unrest.clamp_min(LEAST**2).sqrt() * (unrest > 0)
            parts += [(observed - seen).clamp(-BOUND, BOUND), done, restless]
        return torch.cat(parts, -1)

    def keep_step(self, observed: Tensor, actions: Tensor) -> None:
        """Keep what was seen and what was then done `[B, n, A]`; called after `read`."""
        for number, keep in enumerate(self.keep):
            move = (observed - self.seen[number]).clamp(-BOUND, BOUND)
            restless = move.square().mean(-1, keepdim=True)
            self.unrest[number] = keep * self.unrest[number] + (1 - keep) * restless
            self.seen[number] = keep * self.seen[number] + (1 - keep) * observed
            done = actions.clamp(-1.0, 1.0).to(observed)
            self.done[number] = keep * self.done[number] + (1 - keep) * done


class ContextPolicy(BasePolicy):
    """A network behind a memory; the weights are those of `agents.network.NetworkPolicy`."""

    kind = "context"

    @dataclass(frozen=True)
    class Settings:
        """half_lives: of the traces, steps; network: of observations with traces."""

        half_lives: tuple[HalfLife, ...]
        network: RowSettings

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        wide = widened(spaces, settings.half_lives)
        self.network = NetworkPolicy(wide, settings.network, weights)
        self.traces = {
            space.name: Traces(settings.half_lives, len(space.action_names))
            for space in self.spaces
        }

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: Settings
    ) -> dict[str, tuple[int, ...]]:
        return NetworkPolicy.weight_shapes(widened(spaces, settings.half_lives), settings.network)

    @classmethod
    def space_problems(cls, spaces: Sequence[Space], settings: Settings) -> list[str]:
        wide = widened(spaces, settings.half_lives)
        return NetworkPolicy.space_problems(wide, settings.network)

    def reset(self, num_envs: int) -> None:
        for traces in self.traces.values():
            traces.reset()

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        seen = {name: observations[name].detach() for name in self.traces}
        wide = {name: traces.read(seen[name]) for name, traces in self.traces.items()}
        actions = self.network.act(wide, deterministic)
        for name, traces in self.traces.items():
            traces.keep_step(seen[name], actions[name])
        return actions
