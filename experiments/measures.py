"""The measures of the eight concepts on a city that runs: its first month and its last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.city.dynamics import Dynamics
from envs.city.measures.concepts import CONCEPTS, measure
from envs.city.measures.disturbance import port_coupling
from envs.city.measures.flows import Communities, Percolation, communities, percolation
from envs.city.measures.month import Month
from envs.city.model import City
from envs.city.wiring import BLOCKS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Readings:
    """What a run showed.

    first, last: measure -> value in the first and in the last month. coupling: ``[5, 5]`` from
    the ports of one block to the state of another. month: the last month; towns, clusters: its
    communities and percolation.
    """

    first: Mapping[str, float]
    last: Mapping[str, float]
    coupling: Floats
    month: Month
    towns: Communities
    clusters: Percolation

    def records(self) -> list[dict[str, Any]]:
        """One record a measure; None where it is not defined."""
        return [
            {
                "concept": concept.name,
                "chinese": concept.chinese,
                "measure": row.name,
                "unit": row.unit,
                "meaning": row.meaning,
                "first": _defined(self.first[row.name]),
                "last": _defined(self.last[row.name]),
            }
            for concept in CONCEPTS
            for row in concept.measures
        ]

    def matrix(self) -> dict[str, dict[str, float | None]]:
        """The coupling of blocks: from -> to."""
        return {
            source: {block: _defined(self.coupling[i, j]) for j, block in enumerate(BLOCKS)}
            for i, source in enumerate(BLOCKS)
        }


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def read(
    city: City,
    policy: Mapping[str, Tensor],
    months: int,
    dynamics: str,
    seed: int,
    tick: Callable[[], None],
) -> Readings:
    """Run a one-row city under a policy and take its measures.

    Args:
        policy: levers in physical units ``[1, *lever shape]``; months: at least one.
        dynamics: preset of the shocks; seed: theirs. tick: called after each month.
    """
    state = city.initial()
    like = state.planning.home_rent
    weather = Dynamics(dynamics, 1, city.districts, months, like, city.drift)
    weather.seed(0, seed)
    weather.reset([0])
    taken: list[Month] = []
    with torch.no_grad():
        for index in range(months):
            before = state
            state, flows = city.step(before, policy, weather.advance())
            if index in (0, months - 1):
                taken.append(Month(city, before, flows, state))
            tick()
    first, last = taken[0], taken[-1]
    found = [{k: float(v) for k, v in measure(m).items()} for m in (first, last)]
    commuting = last.trips.sum(2)[0].numpy()
    return Readings(
        first=found[0],
        last=found[1],
        coupling=port_coupling(city, state).numpy(),
        month=last,
        towns=communities(commuting),
        clusters=percolation(commuting),
    )
