"""Cities by name: synthetic ones from seeds, and packages turned into first-year panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from envs.city.inversion import invert
from envs.city.model import City
from envs.city.panel import Panel
from envs.city.parameters import Parameters, Value
from envs.city.synthetic import PEOPLE_PER_DISTRICT, synthetic_panel


def synthetic_cities(
    seeds: Sequence[int],
    districts: int,
    overrides: Mapping[str, Value] | None = None,
    people: float | Sequence[float] = PEOPLE_PER_DISTRICT,
    spread: float | Sequence[float] = 1.0,
) -> City:
    """Calibrated synthetic cities in float64, one row a seed (see ``synthetic_panel``)."""
    panel = synthetic_panel(seeds, districts, people=people, spread=spread)
    return build(panel, overrides)


def build(panel: Panel, overrides: Mapping[str, Value] | None = None) -> City:
    """Invert a panel with parameter overrides (by name, see ``parameter_table``)."""
    with torch.no_grad():
        return invert(panel, Parameters.default(overrides))


def with_parameters(city: City, overrides: Mapping[str, Value]) -> City:
    """The same calibration with other values of parameters that leave the baseline alone.

    The solved parameters of the neutral prior are of this kind: they act on changes only.
    """
    return replace(city, parameters=city.parameters.replace(overrides))
