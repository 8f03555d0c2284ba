"""Exogenous dynamics: trends, shocks and crises (MODEL sections 16 and 22.7).

Every row owns its random stream, so that what happens to a row depends on its seed alone.
The world knows nothing of policy: the same seed gives the same weather to any governor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs.city.ports import Shocks

CITY_SERIES = ("productivity", "outside", "demand", "floor_cost")


@dataclass(frozen=True)
class Preset:
    """Strength of the exogenous processes, all assumed.

    trend_productivity, trend_outside: mean drift, log points a year; trend_spread: standard
    deviation of the drifts over rows; city, district: standard deviation of the monthly
    innovations of the city-wide and district processes; persistence: monthly AR(1)
    coefficient; crisis: whether one large event happens.
    """

    trend_productivity: float = 0.0
    trend_outside: float = 0.0
    trend_spread: float = 0.0
    city: float = 0.0
    district: float = 0.0
    persistence: float = 0.97
    crisis: bool = False


PRESETS: dict[str, Preset] = {
    "steady": Preset(),
    "trend": Preset(0.005, -0.004, 0.004),
    "shocks": Preset(0.005, -0.004, 0.004, city=0.004, district=0.004),
    "crisis": Preset(0.005, -0.004, 0.004, city=0.004, district=0.004, crisis=True),
}


class Dynamics:
    """Exogenous processes of a batch of rows.

    Innovations of an episode are drawn row by row when the row is reset; ``advance`` moves
    all rows one month and returns the shocks in force.
    """

    def __init__(
        self,
        preset: str,
        rows: int,
        districts: int,
        months: int,
        like: Tensor,
        drift: Tensor | None = None,
    ) -> None:
        """Args: months: length of an episode; like: gives dtype and device; drift: yearly
        drifts of a twin's rows ``[rows, width]``, in place of the preset's own (a preset
        without trend ignores them).

        Raises:
            ValueError: unknown preset.
        """
        if preset not in PRESETS:
            raise ValueError(f"dynamics={preset!r}: expected one of {', '.join(PRESETS)}")
        self.preset = PRESETS[preset]
        self.districts = districts
        self.months = months
        self.width = len(CITY_SERIES) + 2 * districts
        self._like = like
        self._learnt = drift if preset != "steady" else None
        self._streams = [np.random.default_rng(row) for row in range(rows)]
        self._noise = like.new_zeros(months, rows, self.width)
        self._drift = like.new_zeros(rows, self.width)
        self._level = like.new_zeros(rows, self.width)
        self._trend = like.new_zeros(rows, self.width)
        self._month = torch.zeros(rows, dtype=torch.long, device=like.device)

    def seed(self, row: int, seed: int) -> None:
        """Give a row a fresh random stream."""
        self._streams[row] = np.random.default_rng(np.random.SeedSequence(seed))

    def reset(self, rows: Sequence[int]) -> None:
        """Start new episodes: draw trends, innovations and the crisis of each row."""
        if not rows:
            return
        p = self.preset
        scale = np.full(self.width, p.district)
        scale[: len(CITY_SERIES)] = p.city
        noise = np.empty((self.months, len(rows), self.width))
        drift = np.zeros((len(rows), self.width))
        for k, row in enumerate(rows):
            rng = self._streams[row]
            drift[k, 0] = p.trend_productivity + p.trend_spread * rng.standard_normal()
            drift[k, 1] = p.trend_outside + p.trend_spread * rng.standard_normal()
            noise[:, k] = rng.standard_normal((self.months, self.width)) * scale
            if p.crisis:
                self._strike(rng, noise[:, k])
        index = torch.as_tensor(rows, device=self._like.device)
        self._noise[:, index] = torch.as_tensor(noise).to(self._like)
        yearly = torch.as_tensor(drift).to(self._like)
        self._drift[index] = (yearly if self._learnt is None else self._learnt[index]) / 12
        self._level[index] = 0
        self._trend[index] = 0
        self._month[index] = 0

    def _strike(self, rng: np.random.Generator, noise: np.ndarray) -> None:
        """Add one large event to the innovations ``[months, width]`` of a row."""
        month = int(rng.integers(12, max(13, self.months // 2)))
        kind = rng.integers(3)
        city, districts = len(CITY_SERIES), self.districts
        if kind == 0:
            noise[month, city + int(rng.integers(districts))] -= 0.35
        elif kind == 1:
            noise[month, 1] -= 0.10
        else:
            noise[month, 2] -= 0.08
            noise[month, city + districts :] -= 0.03

    def advance(self) -> Shocks:
        """Shocks of the next month, one row each."""
        rows = torch.arange(self._level.shape[0], device=self._level.device)
        draw = self._noise[self._month.clamp_max(self.months - 1), rows]
        self._level = self.preset.persistence * self._level + draw
        self._trend = self._trend + self._drift
        self._month = self._month + 1
        now = self._level + self._trend
        city = len(CITY_SERIES)
        return Shocks(
            productivity=now[:, :1] + now[:, city : city + self.districts],
            amenity=now[:, city + self.districts :],
            outside=now[:, 1],
            demand=now[:, 2],
            floor_cost=now[:, 3],
        )
