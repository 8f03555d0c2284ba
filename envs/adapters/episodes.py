"""Sums over the running episodes of a batch: returns, lengths, welfare, costs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.adapters.layout import Layout
from envs.groups import StepResult


class Episodes:
    """Statistics of the running episode of each environment of a batch.

    returns: [B, A] sum of rewards; lengths: [B] steps since the reset
    """

    def __init__(self, layout: Layout, num_envs: int) -> None:
        self.returns = np.zeros((num_envs, len(layout.agents)), dtype=np.float64)
        self.lengths = np.zeros(num_envs, dtype=np.int64)
        self._layout = layout
        self._places = layout.slices()
        self._welfare: dict[str, Tensor] = {}
        self._costs: dict[str, Tensor] = {}
        self._start = time.time()

    def add(self, result: StepResult, rewards: NDArray[np.float32]) -> None:
        """Count one step; rewards [B, A]."""
        self.returns += rewards
        self.lengths += 1
        costs = {group.name: result.costs[group.name] for group in self._layout.groups}
        self._welfare = added(self._welfare, result.info.get("welfare", {}))
        self._costs = added(self._costs, costs)

    def summaries(self, environments: NDArray[np.intp]) -> Iterator[dict[str, Any]]:
        """For every agent of each of some environments: "episode" (r, l, t), mean "welfare" and
        "costs"."""
        which, seconds = torch.as_tensor(environments), round(time.time() - self._start, 6)
        lengths = torch.as_tensor(self.lengths[environments])

        def means(total: Tensor) -> list[Any]:
            chosen = total.detach().cpu()[which]
            return (chosen / lengths.reshape(-1, *(1,) * (chosen.dim() - 1))).tolist()

        welfare = {name: means(total) for name, total in self._welfare.items()}
        costs = {name: means(total) for name, total in self._costs.items()}
        returns = self.returns[environments].tolist()
        for k, length in enumerate(lengths.tolist()):
            well = {name: values[k] for name, values in welfare.items()}
            for group in self._layout.groups:
                totals = returns[k][self._places[group.name]]
                for total, mean in zip(totals, costs[group.name][k], strict=True):
                    yield {
                        "episode": {"r": total, "l": length, "t": seconds},
                        "welfare": dict(well),
                        "costs": dict(zip(group.cost_names, mean, strict=True)),
                    }

    def clear(self, environments: NDArray[np.intp] | None = None) -> None:
        """Forget the running episode of the given environments (None: of all)."""
        which: Any = slice(None) if environments is None else environments
        self.returns[which] = 0.0
        self.lengths[which] = 0
        index = slice(None) if environments is None else torch.as_tensor(environments)
        for table in (self._welfare, self._costs):
            for total in table.values():
                total[index] = 0.0


def added(sums: dict[str, Tensor], values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sums with values added; the first values start them."""
    return {name: sums[name] + v if name in sums else v.clone() for name, v in values.items()}
