"""The model that a governor plans on: what it must offer, and how it follows the real city.

Shapes: R rows governed, M model cities a row, B = R M rows of the model, W levels of shocks, O
figures that all governors together observe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from agents.policy import Tensors
from envs.studies import PREFIX


@runtime_checkable
class Model(Protocol):
    """A batched environment that looks ahead (`envs.foresight.Foresight`)."""

    groups: Any
    num_envs: int
    steps_per_episode: int
    months_per_step: int

    def reset(self, seed: int | Sequence[int] | None = None) -> Any: ...

    def step(self, actions: Mapping[str, Tensor]) -> Any: ...

    def moment(self) -> Any: ...

    def go_back(self, moment: Any) -> None: ...

    @property
    def weather(self) -> Tensor: ...

    def expect(self, weather: Tensor) -> None: ...


@dataclass(frozen=True)
class Estimator:
    """The weather from what surprises.

    gain: ``[W, 2 O]`` on surprises and their changes since the step before; bound: ``[W]`` largest
    distance from what was to be expected.
    """

    gain: Tensor
    bound: Tensor

    @classmethod
    def none(cls, levels: int, figures: int) -> Estimator:
        """Sees no weather in anything."""
        return cls(torch.zeros(levels, 2 * figures), torch.zeros(levels))

    def __call__(self, features: Tensor) -> Tensor:
        """Distance of the weather from what was to be expected ``[B, W]``."""
        gain, bound = self.gain.to(features), self.bound.to(features)
        return torch.minimum(torch.maximum(features @ gain.T, -bound), bound)


class Tracked:
    """Follows real cities from what their governors observe and do.

    Two copies of the model live through the actions that were taken. The reference meets the
    weather that was to be expected at the start; what is observed beyond its figures is the
    surprise, from which the estimator tells the weather. The model meets the weather so estimated,
    and its state stands for the real one.

    Args:
        make: rows -> a model with so many rows, M one after the other for each row governed.
        rows: governed. copies: M.
    """

    def __init__(
        self, make: Callable[[int], Model], rows: int, copies: int, estimator: Estimator
    ) -> None:
        self.rows, self.copies, self.estimator = rows, copies, estimator
        self.model, self.reference = make(rows * copies), make(rows * copies)
        self.begin()

    @torch.no_grad()
    def begin(self) -> None:
        """A new episode of all rows; random streams of the model are always the same."""
        for world in (self.model, self.reference):
            world.reset(seed=list(range(world.num_envs)))
            world.expect(world.weather)
        self.features = torch.zeros(())
        self.surprise: Tensor | None = None

    @torch.no_grad()
    def follow(self, actions: Tensors, observations: Tensors) -> None:
        """Live through a step as it was governed, then learn from what is now observed.

        Args:
            actions, observations: group -> ``[R, n, A]`` and ``[R, n, O]``.
        """
        taken = {name: self.spread(x) for name, x in actions.items()}
        self.model.step(taken)
        predicted = flat(self.reference.step(taken).info["final_observations"], self.reference)
        surprise = self.spread(flat(observations, self.reference)) - predicted
        before = torch.zeros_like(surprise) if self.surprise is None else self.surprise
        self.features = torch.cat([surprise, surprise - before], -1)
        self.surprise = surprise
        self.model.expect(self.reference.weather + self.estimator(self.features))

    def spread(self, x: Tensor) -> Tensor:
        """Rows governed as rows of the model: ``[B, ...]``."""
        return x.repeat_interleave(self.copies, dim=0)


def figures(observation_names: Sequence[str]) -> int:
    """Number of those that can surprise a model: what studies tell of the city, last, does not."""
    return sum(not name.startswith(PREFIX) for name in observation_names)


def flat(observations: Tensors, model: Any) -> Tensor:
    """Figures that governors observe, one agent after the other ``[B, O]``."""
    return torch.cat(
        [
            observations[group.name][..., : figures(group.observation_names)].flatten(1)
            for group in model.groups
        ],
        -1,
    )
