"""A trained policy with a memory: a long short-term memory before the perceptron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.network import GaussianPolicy, Laws, RowSettings, Width
from agents.policy import GroupLike, Space, Tensors


class RecurrentPolicy(GaussianPolicy):
    """Gaussian policy whose mean is the perceptron of what each agent remembers.

    Weights besides the perceptron's and `log_std`: `memory.weight_ih` [4 M, inputs],
    `memory.weight_hh` [4 M, M], `memory.bias_ih`, `memory.bias_hh` [4 M], gates in the order of
    `torch.nn.LSTM` (Hochreiter and Schmidhuber 1997). Every agent of every row has a memory of
    its own; `reset` clears all of them.
    """

    kind = "recurrent"

    @dataclass(frozen=True)
    class Settings(RowSettings):
        """memory: width M of what is remembered; the others as for every network."""

        memory: Width

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.memories: dict[str, tuple[Tensor, Tensor]] = {}

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: RowSettings
    ) -> dict[str, tuple[int, ...]]:
        assert isinstance(settings, cls.Settings)
        inputs, width = cls.inputs(spaces, settings), settings.memory
        shapes: dict[str, tuple[int, ...]] = {
            "log_std": (settings.action_size,),
            "memory.weight_ih": (4 * width, inputs),
            "memory.weight_hh": (4 * width, width),
            "memory.bias_ih": (4 * width,),
            "memory.bias_hh": (4 * width,),
        }
        widths = (width, *settings.hidden, settings.action_size)
        return shapes | cls.layer_shapes(widths) | cls.moment_shapes(spaces, settings)

    def reset(self, num_envs: int) -> None:
        self.memories = {}

    def laws(self, observations: Tensors) -> Laws:
        rows = self._rows(observations)
        recalled = {name: self._remember(name, row) for name, row in rows.items()}
        return self._with_spread({name: self._perceptron(x) for name, x in recalled.items()})

    def _remember(self, group: str, rows: Tensor) -> Tensor:
        """What the agents of a group remember after seeing their rows: [B, n, M]."""
        flat = rows.flatten(0, 1)
        if group not in self.memories:
            blank = flat.new_zeros(len(flat), self.options.memory)
            self.memories[group] = (blank, blank)
        gates = [
            self.tensors[f"memory.{name}"].to(flat)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        hidden, cell = torch.lstm_cell(flat, self.memories[group], *gates)
        self.memories[group] = (hidden, cell)
        return hidden.reshape(*rows.shape[:2], -1)
