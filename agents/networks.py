"""A trained policy with a network of its own for each group, or for each agent.

Shapes: B environments (rows), n agents of a group, K networks of a group (1 or n), O
observations, A levers.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from agents.network import ACTIVATIONS, Width
from agents.policy import BasePolicy, GroupLike, Space, Tensors
from agents.schema import Between, OneOf


class NetworksPolicy(BasePolicy):
    """Gaussian policies whose means are perceptrons of the (standardised) observation.

    Weights of each group, behind its name and a point: `layers.<i>.weight` [K, out, in],
    `layers.<i>.bias` [K, out], `log_std` [K, A], and where `standardised`: `observation.mean`,
    `observation.variance` [O].
    """

    kind = "networks"

    @dataclass(frozen=True)
    class Settings:
        """networks: group -> K; with K > 1 the group must have as many agents, in that order;

        clip: bound of standardised observations.
        """

        hidden: tuple[Width, ...]
        activation: Annotated[str, OneOf(tuple(ACTIVATIONS))]
        networks: dict[str, Width]
        standardised: bool
        clip: Annotated[float, Between(0.1, 1e6)]

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.sizes = {name: many for name, many in settings.networks.items() if many > 1}

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: Settings
    ) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for space in spaces:
            many = settings.networks.get(space.name, 1)
            seen, moved = len(space.observation_names), len(space.action_names)
            widths = (seen, *settings.hidden, moved)
            shapes[f"{space.name}.log_std"] = (many, moved)
            for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
                shapes[f"{space.name}.layers.{i}.weight"] = (many, fan_out, fan_in)
                shapes[f"{space.name}.layers.{i}.bias"] = (many, fan_out)
            if settings.standardised:
                for moment in ("mean", "variance"):
                    shapes[f"{space.name}.observation.{moment}"] = (seen,)
        return shapes

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        return {
            space.name: self._act(space.name, observations[space.name], deterministic)
            for space in self.spaces
        }

    def _act(self, group: str, observed: Tensor, deterministic: bool) -> Tensor:
        rows = self._standardise(group, observed.to(torch.float32)).transpose(0, 1)
        activate, depth = ACTIVATIONS[self.options.activation], len(self.options.hidden) + 1
        for layer in range(depth):
            weight = self.tensors[f"{group}.layers.{layer}.weight"].to(rows)
            bias = self.tensors[f"{group}.layers.{layer}.bias"].to(rows)
            rows = rows @ weight.transpose(1, 2) + bias.unsqueeze(1)
            if layer < depth - 1:
                rows = activate(rows)
        if not deterministic:
            spread = self.tensors[f"{group}.log_std"].to(rows).exp().unsqueeze(1)
            rows = rows + torch.randn_like(rows) * spread
        return rows.transpose(0, 1).clamp(-1.0, 1.0).to(observed.dtype)

    def _standardise(self, group: str, rows: Tensor) -> Tensor:
        if not self.options.standardised:
            return rows
        mean = self.tensors[f"{group}.observation.mean"].to(rows.device)
        variance = self.tensors[f"{group}.observation.variance"].to(rows.device)
        bound = self.options.clip
        standard = (rows - mean) / (variance + 1e-8).sqrt()
        return standard.clamp(-bound, bound).to(torch.float32)
