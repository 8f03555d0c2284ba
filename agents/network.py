"""Trained policies whose one network is shared by all agents of all groups.

Rows of the network are agents. Unequal groups are padded with zeros to common shapes and told
apart by a one-hot group id behind the padded observation, as `envs.sb3_vec_env` lays them out.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from agents.policy import BasePolicy, GroupLike, Space, Tensors
from agents.schema import Between, OneOf
from agents.stochastic import Decision, gaussian_log_density

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu}
Width = Annotated[int, Between(1, 100_000)]


@dataclass(frozen=True)
class RowSettings:
    """observation_size, action_size: padded widths; identified: append the one-hot group id;

    hidden: widths of the perceptron's hidden layers; clip: bound of standardised observations.
    """

    hidden: tuple[Width, ...]
    activation: Annotated[str, OneOf(tuple(ACTIVATIONS))]
    observation_size: Width
    action_size: Width
    identified: bool
    standardised: bool
    clip: Annotated[float, Between(0.1, 1e6)]


Laws = dict[str, tuple[Tensor, Tensor]]
"""Group -> mean [B, n, A] and standard deviation ([B, n, A] or [A]) of a normal law."""


class RowPolicy(BasePolicy):
    """Levers drawn from normal laws whose means are a perceptron of each (standardised) row.

    Weights: `layers.<i>.weight` [out, in], `layers.<i>.bias` [out], and where `standardised`:
    `observation.mean`, `observation.variance` [observation_size + ids].
    """

    Settings = RowSettings

    def __init__(
        self, spaces: Sequence[GroupLike], settings: RowSettings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.depth = len(settings.hidden) + 1

    @classmethod
    def space_problems(cls, spaces: Sequence[Space], settings: RowSettings) -> list[str]:
        return [
            f"group {space.name!r} is wider than the network"
            for space in spaces
            if len(space.observation_names) > settings.observation_size
            or len(space.action_names) > settings.action_size
        ]

    @classmethod
    def inputs(cls, spaces: Sequence[Space], settings: RowSettings) -> int:
        """Length of a row."""
        return settings.observation_size + (len(spaces) if settings.identified else 0)

    @classmethod
    def layer_shapes(cls, widths: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """Shapes of a perceptron's weights, from the widths of its input, layers and output."""
        shapes: dict[str, tuple[int, ...]] = {}
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            shapes[f"layers.{i}.weight"] = (fan_out, fan_in)
            shapes[f"layers.{i}.bias"] = (fan_out,)
        return shapes

    @classmethod
    def moment_shapes(
        cls, spaces: Sequence[Space], settings: RowSettings
    ) -> dict[str, tuple[int, ...]]:
        """Shapes of the moments by which rows are standardised."""
        if not settings.standardised:
            return {}
        inputs = cls.inputs(spaces, settings)
        return {"observation.mean": (inputs,), "observation.variance": (inputs,)}

    @abstractmethod
    def laws(self, observations: Tensors) -> Laws:
        """Laws of each group's levers before they are bounded; one step of a policy's memory."""

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        return {
            name: self._bounded(mean if deterministic else mean + torch.randn_like(mean) * wide).to(
                observations[name].dtype
            )
            for name, (mean, wide) in self.laws(observations).items()
        }

    def decide(self, observations: Tensors, generator: torch.Generator) -> dict[str, Decision]:
        """See `agents.stochastic.Stochastic`."""
        chosen = self.draw(observations, generator)
        return {name: Decision(drawn, chances.sum(-1)) for name, (drawn, chances) in chosen.items()}

    def log_probability(self, observations: Tensors, drawn: Tensors) -> dict[str, Tensor]:
        """See `agents.stochastic.Stochastic`."""
        chances = self.log_densities(observations, drawn)
        return {name: chance.sum(-1) for name, chance in chances.items()}

    def draw(
        self, observations: Tensors, generator: torch.Generator
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Group -> draws [B, n, A] and the log-density of each lever's draw [B, n, A]."""
        chosen = {}
        for name, (mean, deviation) in self.laws(observations).items():
            noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype).to(mean.device)
            drawn = self._drawn(mean + noise * deviation)
            chosen[name] = (drawn, self._log_density(drawn, mean, deviation))
        return chosen

    def log_densities(self, observations: Tensors, drawn: Tensors) -> dict[str, Tensor]:
        """Log-density of each lever's draw [B, n, A], as `draw` gives them."""
        return {
            name: self._log_density(drawn[name], mean, deviation)
            for name, (mean, deviation) in self.laws(observations).items()
        }

    def _bounded(self, values: Tensor) -> Tensor:
        """Levers in [-1, 1] from values of the normal law."""
        return values.clamp(-1.0, 1.0)

    def _drawn(self, values: Tensor) -> Tensor:
        """What counts as the draw: the value itself, before it is clipped."""
        return values

    def _log_density(self, drawn: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        return gaussian_log_density(drawn, mean, deviation)

    def _rows(self, observations: Tensors) -> dict[str, Tensor]:
        """What the network sees [B, n, inputs], of each group."""
        return {
            space.name: self._standardise(
                self._pad(index, observations[space.name].to(torch.float32))
            )
            for index, space in enumerate(self.spaces)
        }

    def _own_levers(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Without the levers that only other groups have."""
        return {s.name: values[s.name][..., : len(s.action_names)] for s in self.spaces}

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

    def _linear(self, layer: str, rows: Tensor) -> Tensor:
        weight, bias = self.tensors[f"{layer}.weight"], self.tensors[f"{layer}.bias"]
        return functional.linear(rows, weight.to(rows), bias.to(rows))

    def _hidden(self, rows: Tensor) -> Tensor:
        """Values of the last hidden layer."""
        activate = ACTIVATIONS[self.options.activation]
        for layer in range(self.depth - 1):
            rows = activate(self._linear(f"layers.{layer}", rows))
        return rows

    def _perceptron(self, rows: Tensor) -> Tensor:
        return self._linear(f"layers.{self.depth - 1}", self._hidden(rows))


class GaussianPolicy(RowPolicy):
    """One deviation for each lever, wherever the agent is; draws are clipped to [-1, 1].

    Weights besides the perceptron's: `log_std` [action_size].
    """

    def _with_spread(self, means: Mapping[str, Tensor]) -> Laws:
        """Laws of the levers that each group has, from means [B, n, action_size]."""
        own = self._own_levers(means)
        spread = self.tensors["log_std"]
        return {name: (x, spread.to(x).exp()[: x.shape[-1]]) for name, x in own.items()}


class NetworkPolicy(GaussianPolicy):
    """Gaussian policy whose mean is the perceptron of the row."""

    kind = "network"

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: RowSettings
    ) -> dict[str, tuple[int, ...]]:
        widths = (cls.inputs(spaces, settings), *settings.hidden, settings.action_size)
        shapes: dict[str, tuple[int, ...]] = {"log_std": (settings.action_size,)}
        return shapes | cls.layer_shapes(widths) | cls.moment_shapes(spaces, settings)

    def laws(self, observations: Tensors) -> Laws:
        rows = self._rows(observations)
        return self._with_spread({name: self._perceptron(row) for name, row in rows.items()})
