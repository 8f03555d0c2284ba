"""Draws of the future: the shocks of every month, known before anyone governs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.dynamics import Dynamics
from envs.city.model import City
from envs.city.shocks import SHOCKS, Shocks


@dataclass(frozen=True)
class Futures:
    """Shocks of ``draws`` futures: name -> ``[months, draws, ...]``."""

    shocks: Shocks
    months: int
    draws: int

    def month(self, month: int, draws: Tensor) -> Shocks:
        """Shocks of one month in the futures ``draws`` ``[R]``.

        After the last month levels stay where they are, events have passed and there is no
        noise.
        """
        if month < self.months:
            return {name: x[month, draws] for name, x in self.shocks.items()}
        stays = {name for name, shock in SHOCKS.items() if shock.kind == "level"}
        last = {name: x[-1, draws] for name, x in self.shocks.items()}
        return {name: x if name in stays else torch.zeros_like(x) for name, x in last.items()}

    @property
    def certain(self) -> bool:
        """Every draw is the same future."""
        return all(bool((x == x[:, :1]).all()) for x in self.shocks.values())

    def first(self, draws: int) -> Futures:
        """The first few draws."""
        kept = {name: x[:, :draws] for name, x in self.shocks.items()}
        return Futures(kept, self.months, draws)

    @staticmethod
    def joined(parts: Sequence[Futures]) -> Futures:
        """The draws of several sets, one after the other."""
        shocks = {
            name: torch.cat([part.shocks[name] for part in parts], 1) for name in parts[0].shocks
        }
        return Futures(shocks, parts[0].months, sum(part.draws for part in parts))


def draw_futures(city: City, preset: str, seeds: Sequence[int], months: int) -> Futures:
    """One future a seed under a dynamics preset; one in all where nothing is random.

    Raises:
        ValueError: unknown preset.
    """
    like = city.start.planning.home_rent
    drift = None if city.drift is None else city.drift.expand(len(seeds), -1)
    dynamics = Dynamics(preset, len(seeds), city.districts, months, like, drift)
    for row, seed in enumerate(seeds):
        dynamics.seed(row, seed)
    dynamics.reset(range(len(seeds)))
    every = [dynamics.advance() for _ in range(months)]
    shocks = {name: torch.stack([now[name] for now in every]) for name in every[0]}
    drawn = Futures(shocks, months, len(seeds))
    return drawn.first(1) if drawn.certain else drawn
