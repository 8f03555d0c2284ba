"""A trained policy whose levers are squashed into their bounds: the actors of SAC and TQC."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from agents.network import Laws, RowPolicy, RowSettings
from agents.policy import Space, Tensors
from agents.stochastic import gaussian_log_density

LOG_STD_BOUNDS = (-20.0, 2.0)
"""Of the log standard deviation before squashing (stable_baselines3.sac.policies)."""
EDGE = 1e-6
"""Draws keep this distance from the bounds, where their density would be infinite."""


class SquashedPolicy(RowPolicy):
    """Hyperbolic tangent of a Gaussian whose mean and deviation depend on the row.

    The perceptron gives the mean; weights besides: `log_std.weight` [action_size, last hidden
    width], `log_std.bias` [action_size] (Haarnoja et al. 2018, appendix C).
    """

    kind = "squashed"

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: RowSettings
    ) -> dict[str, tuple[int, ...]]:
        widths = (cls.inputs(spaces, settings), *settings.hidden, settings.action_size)
        shapes: dict[str, tuple[int, ...]] = {
            "log_std.weight": (settings.action_size, widths[-2]),
            "log_std.bias": (settings.action_size,),
        }
        return shapes | cls.layer_shapes(widths) | cls.moment_shapes(spaces, settings)

    def laws(self, observations: Tensors) -> Laws:
        hidden = {name: self._hidden(row) for name, row in self._rows(observations).items()}
        last = f"layers.{self.depth - 1}"
        means = self._own_levers({name: self._linear(last, x) for name, x in hidden.items()})
        logs = self._own_levers({name: self._linear("log_std", x) for name, x in hidden.items()})
        return {name: (means[name], logs[name].clamp(*LOG_STD_BOUNDS).exp()) for name in means}

    def _bounded(self, values: Tensor) -> Tensor:
        return torch.tanh(values)

    def _drawn(self, values: Tensor) -> Tensor:
        """The draw is the lever itself, never at a bound."""
        return torch.tanh(values).clamp(EDGE - 1.0, 1.0 - EDGE)

    def _log_density(self, drawn: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        """The Gaussian's at the value that was squashed, less the slope of the squashing."""
        wide = drawn.double()
        normal = gaussian_log_density(torch.atanh(wide), mean, deviation)
        return normal - torch.log1p(-wide.square())
