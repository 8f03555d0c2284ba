"""A trained policy: one multilayer perceptron shared by all agents of all groups.

Rows of the network are agents. Unequal groups are padded with zeros to common shapes and told
apart by a one-hot group id behind the padded observation, as `envs.sb3_vec_env` lays them out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from agents.policy import BasePolicy, GroupLike, Space, Tensors
from agents.schema import Between, OneOf
from agents.stochastic import Decision, gaussian, gaussian_log_probability

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu}
Width = Annotated[int, Between(1, 100_000)]


class NetworkPolicy(BasePolicy):
    """Gaussian policy whose mean is a perceptron of the (standardised) observation.

    Weights: `layers.<i>.weight` [out, in], `layers.<i>.bias` [out], `log_std` [action_size], and
    where `standardised`: `observation.mean`, `observation.variance` [observation_size + ids].
    """

    kind = "network"

    @dataclass(frozen=True)
    class Settings:
        """observation_size, action_size: padded widths; identified: append the one-hot group id;

        clip: bound of standardised observations.
        """

        hidden: tuple[Width, ...]
        activation: Annotated[str, OneOf(tuple(ACTIVATIONS))]
        observation_size: Width
        action_size: Width
        identified: bool
        standardised: bool
        clip: Annotated[float, Between(0.1, 1e6)]

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.depth = len(settings.hidden) + 1

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: Settings
    ) -> dict[str, tuple[int, ...]]:
        inputs = settings.observation_size + (len(spaces) if settings.identified else 0)
        widths = (inputs, *settings.hidden, settings.action_size)
        shapes: dict[str, tuple[int, ...]] = {"log_std": (settings.action_size,)}
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            shapes[f"layers.{i}.weight"] = (fan_out, fan_in)
            shapes[f"layers.{i}.bias"] = (fan_out,)
        if settings.standardised:
            shapes |= {"observation.mean": (inputs,), "observation.variance": (inputs,)}
        return shapes

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        return {
            space.name: self._act(index, space, observations[space.name], deterministic)
            for index, space in enumerate(self.spaces)
        }

    def decide(self, observations: Tensors, generator: torch.Generator) -> dict[str, Decision]:
        """See `agents.stochastic.Stochastic`."""
        means = self._means(observations)
        return {name: gaussian(mean, self._spread(mean), generator) for name, mean in means.items()}

    def log_probability(self, observations: Tensors, drawn: Tensors) -> dict[str, Tensor]:
        """See `agents.stochastic.Stochastic`."""
        return {
            name: gaussian_log_probability(drawn[name], mean, self._spread(mean))
            for name, mean in self._means(observations).items()
        }

    def _means(self, observations: Tensors) -> dict[str, Tensor]:
        """Mean of each group's draws [B, n, A], not clipped."""
        return {
            space.name: self._group_mean(index, observations[space.name])[
                ..., : len(space.action_names)
            ]
            for index, space in enumerate(self.spaces)
        }

    def _spread(self, mean: Tensor) -> Tensor:
        return self.tensors["log_std"].to(mean).exp()[: mean.shape[-1]]

    def _act(self, index: int, space: Space, observed: Tensor, deterministic: bool) -> Tensor:
        mean = self._group_mean(index, observed)
        if not deterministic:
            mean = mean + torch.randn_like(mean) * self.tensors["log_std"].to(mean).exp()
        return mean[..., : len(space.action_names)].clamp(-1.0, 1.0).to(observed.dtype)

    def _group_mean(self, index: int, observed: Tensor) -> Tensor:
        rows = self._pad(index, observed.to(torch.float32))
        return self._mean(self._standardise(rows))

    def _pad(self, index: int, observed: Tensor) -> Tensor:
        padded = functional.pad(observed, (0, self.options.observation_size - observed.shape[-1]))
        if not self.options.identified:
            return padded
        identity = torch.zeros((*padded.shape[:-1], len(self.spaces)), device=padded.device)
        identity[..., index] = 1.0
        return torch.cat([padded, identity], dim=-1)

    def _standardise(self, rows: Tensor) -> Tensor:
        if not self.options.standardised:
            return rows
        mean = self.tensors["observation.mean"].to(rows.device)
        deviation = (self.tensors["observation.variance"].to(rows.device) + 1e-8).sqrt()
        bound = self.options.clip
        return ((rows - mean) / deviation).clamp(-bound, bound).to(torch.float32)

    def _mean(self, rows: Tensor) -> Tensor:
        activate = ACTIVATIONS[self.options.activation]
        for layer in range(self.depth):
            weight = self.tensors[f"layers.{layer}.weight"].to(rows)
            rows = functional.linear(rows, weight, self.tensors[f"layers.{layer}.bias"].to(rows))
            if layer < self.depth - 1:
                rows = activate(rows)
        return rows
