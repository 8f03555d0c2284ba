"""Perceptrons of one shape, evaluated and trained side by side.

Shapes: K networks, a agents (K = a, or K = 1 for all of them), N rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agents.network import ACTIVATIONS


class Bank(nn.Module):
    """K perceptrons.

    Weights start orthogonal with gain sqrt(2), those of the last layer with `last_gain`; biases
    start at zero (as in Stable-Baselines3).
    """

    def __init__(
        self,
        networks: int,
        widths: Sequence[int],
        activation: str,
        last_gain: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.networks = networks
        self.activate = ACTIVATIONS[activation]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        pairs = list(itertools.pairwise(widths))
        for layer, (fan_in, fan_out) in enumerate(pairs):
            gain = math.sqrt(2) if layer < len(pairs) - 1 else last_gain
            weight = torch.empty(networks, fan_out, fan_in)
            for one in weight:
                nn.init.orthogonal_(one, gain, generator)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(networks, fan_out)))
        # a list of the same parameters, which is quicker to walk
        self._layers = list(zip(self.weights, self.biases, strict=True))

    def forward(self, rows: Tensor) -> Tensor:
        """Outputs `[N, a, out]` of inputs `[N, a, in]`."""
        if self.networks == 1:
            return self._shared(rows)
        hidden, last = rows.transpose(0, 1), len(self._layers) - 1
        for layer, (weight, bias) in enumerate(self._layers):
            hidden = torch.baddbmm(bias.unsqueeze(1), hidden, weight.transpose(1, 2))
            if layer < last:
                hidden = self.activate(hidden)
        return hidden.transpose(0, 1)

    def _shared(self, rows: Tensor) -> Tensor:
        """One network for all agents: flat, since views cost as much as small products."""
        hidden, last = rows.flatten(0, -2), len(self._layers) - 1
        for layer, (weight, bias) in enumerate(self._layers):
            hidden = torch.addmm(bias, hidden, weight.squeeze(0).t())
            if layer < last:
                hidden = self.activate(hidden)
        return hidden.reshape(*rows.shape[:-1], -1)

    def layers(self) -> dict[str, Tensor]:
        """Copies named `layers.<i>.weight` [K, out, in] and `layers.<i>.bias` [K, out]."""
        named: dict[str, Tensor] = {}
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            named[f"layers.{layer}.weight"] = weight.detach().clone()
            named[f"layers.{layer}.bias"] = bias.detach().clone()
        return named


def clip_gradients(parameters: Sequence[nn.Parameter], bound: float) -> None:
    """Bound the gradient's norm of each network by itself.

    Args:
        parameters: each `[K, ...]`, the same K networks.
    """
    if all(parameter.shape[0] == 1 for parameter in parameters):
        nn.utils.clip_grad_norm_(parameters, bound)
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    squares = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0)
    scale = (bound / (squares.sqrt() + 1e-6)).clamp_max(1.0)
    for gradient in gradients:
        gradient.mul_(scale.reshape(-1, *(1,) * (gradient.dim() - 1)))
