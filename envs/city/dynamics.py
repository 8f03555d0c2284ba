"""Exogenous dynamics: trends, shocks, crises and chance (MODEL sections 16 and 22.7).

Every row owns its random stream, so that what happens to a row depends on its seed alone.
The world knows nothing of policy: the same seed gives the same weather to any governor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs.city.shocks import EVENTS, SHOCKS, Shocks

_LEVELS = [shock for shock in SHOCKS.values() if shock.kind == "level"]
#: Levels of the whole city, then those of districts: the order of a row's series.
CITY_SERIES = tuple(shock.name for shock in _LEVELS if not shock.axis or shock.shared)
DISTRICT_SERIES = tuple(shock.name for shock in _LEVELS if shock.axis == "district")


#: What has come about in a month, by row: all levels under one name, events and noise by theirs.
Moved = dict[str, Tensor]
LEVELS = "levels"


@dataclass(frozen=True)
class Preset:
    """Strength of the exogenous processes, all assumed.

    trend_productivity, trend_outside: mean drift, log points a year; trend_spread: standard
    deviation of the drifts over rows; city, district: standard deviation of the monthly
    innovations of the city-wide and district processes; persistence: monthly AR(1)
    coefficient; crises: how many events of ``EVENTS`` strike in an episode.
    """

    trend_productivity: float = 0.0
    trend_outside: float = 0.0
    trend_spread: float = 0.0
    city: float = 0.0
    district: float = 0.0
    persistence: float = 0.97
    crises: int = 0


PRESETS: dict[str, Preset] = {
    "steady": Preset(),
    "trend": Preset(0.005, -0.004, 0.004),
    "shocks": Preset(0.005, -0.004, 0.004, city=0.004, district=0.004),
    "crisis": Preset(0.005, -0.004, 0.004, city=0.004, district=0.004, crises=2),
}


@dataclass(frozen=True)
class Position:
    """How far all rows have come: levels and trends ``[rows, width]``, month ``[rows]``."""

    level: Tensor
    trend: Tensor
    month: Tensor


@dataclass(frozen=True)
class Crisis:
    """An event that is set to strike a row: its name, month, and district where it is local."""

    event: str
    month: int
    district: int


class Dynamics:
    """Exogenous processes of a batch of rows.

    Innovations of an episode are drawn row by row when the row is reset; ``advance`` moves
    all rows one month and returns the shocks in force. ``strength`` scales levels, trends and
    events of all rows: 1 as the preset says, 0 a steady world.
    """

    def __init__(
        self,
        preset: str,
        rows: int,
        districts: int,
        months: int,
        like: Tensor,
        drift: Tensor | None = None,
        chance: float = 0.0,
    ) -> None:
        """Args: months: length of an episode; like: gives dtype and device; drift: yearly
        drifts of a twin's rows ``[rows, width]``, in place of the preset's own (a preset
        without trend ignores them); chance: strength of demographic and market noise, 1 for
        the noise of a city of this size (the stochastic mode), 0 for the mean field.

        Raises:
            ValueError: unknown preset.
        """
        if preset not in PRESETS:
            raise ValueError(f"dynamics={preset!r}: expected one of {', '.join(PRESETS)}")
        self.preset = PRESETS[preset]
        self.districts = districts
        self.months = months
        self.width = len(CITY_SERIES) + len(DISTRICT_SERIES) * districts
        self.crises: list[tuple[Crisis, ...]] = [()] * rows
        self.strength = 1.0
        self._chance = chance
        self._like = like
        self._learnt = drift if preset != "steady" else None
        self._streams = [np.random.default_rng(row) for row in range(rows)]
        self._noise = like.new_zeros(months, rows, self.width)
        self._drift = like.new_zeros(rows, self.width)
        self._level = like.new_zeros(rows, self.width)
        self._trend = like.new_zeros(rows, self.width)
        self._events = {
            name: like.new_zeros(months, rows, *shock.size(districts))
            for name, shock in SHOCKS.items()
            if self.preset.crises and name in {event.shock for event in EVENTS.values()}
        }
        self._quiet = {
            name: like.new_zeros(rows, *shock.size(districts)) for name, shock in SHOCKS.items()
        }
        self._month = torch.zeros(rows, dtype=torch.long, device=like.device)
        self._every = torch.arange(rows, device=like.device)

    def seed(self, row: int, seed: int) -> None:
        """Give a row a fresh random stream."""
        self._streams[row] = np.random.default_rng(np.random.SeedSequence(seed))

    def reset(self, rows: Sequence[int]) -> None:
        """Start new episodes: draw trends, innovations and the crises of each row."""
        if not rows:
            return
        p = self.preset
        scale = np.full(self.width, p.district)
        scale[: len(CITY_SERIES)] = p.city
        trends = {"productivity": p.trend_productivity, "outside": p.trend_outside}
        noise = np.empty((len(rows), self.months, self.width))
        drift = np.zeros((len(rows), self.width))
        for k, row in enumerate(rows):
            rng = self._streams[row]
            for name, trend in trends.items():
                column = CITY_SERIES.index(name)
                drift[k, column] = trend + p.trend_spread * rng.standard_normal()
            rng.standard_normal(out=noise[k])
            if p.crises:
                self._strike(row, rng)
        index = torch.as_tensor(rows, device=self._like.device)
        self._noise[:, index] = torch.as_tensor(noise * scale).to(self._like).transpose(0, 1)
        yearly = torch.as_tensor(drift).to(self._like)
        self._drift[index] = (yearly if self._learnt is None else self._learnt[index]) / 12
        self._level[index] = 0
        self._trend[index] = 0
        self._month[index] = 0

    @property
    def levels(self) -> Tensor:
        """Levels with their trends before ``strength`` ``[rows, width]``, log points."""
        return self._level + self._trend

    def position(self) -> Position:
        """How far all rows have come."""
        return Position(self._level.clone(), self._trend.clone(), self._month.clone())

    def go_back(self, position: Position) -> None:
        """Put all rows back to a position; innovations, trends and streams stay as they are."""
        self._level, self._trend = position.level.clone(), position.trend.clone()
        self._month = position.month.clone()

    def expect(self, levels: Tensor) -> None:
        """Until rows are reset: mean trends, no innovations, no crises, from ``levels`` on."""
        self._noise = torch.zeros_like(self._noise)
        self._events = {name: torch.zeros_like(x) for name, x in self._events.items()}
        self._drift = self._mean_drift() / 12
        self._trend = self._drift * self._month.unsqueeze(-1)
        self._level = levels.to(self._like) - self._trend

    def _mean_drift(self) -> Tensor:
        """Expected drift a year ``[rows, width]``."""
        if self._learnt is not None:
            return self._learnt.to(self._like)
        mean = torch.zeros_like(self._drift)
        mean[:, CITY_SERIES.index("productivity")] = self.preset.trend_productivity
        mean[:, CITY_SERIES.index("outside")] = self.preset.trend_outside
        return mean

    def _strike(self, row: int, rng: np.random.Generator) -> None:
        """Draw the crises of a row: different events, each in its month and place."""
        names = rng.choice(list(EVENTS), min(self.preset.crises, len(EVENTS)), replace=False)
        last = max(min(12, self.months - 1) + 1, self.months // 2)
        for series in self._events.values():
            series[:, row] = 0
        drawn = []
        for name in names:
            event = EVENTS[str(name)]
            crisis = Crisis(
                event.name,
                int(rng.integers(min(12, self.months - 1), last)),
                int(rng.integers(self.districts)) if event.local else 0,
            )
            after = torch.arange(self.months - crisis.month).to(self._like)
            course = torch.exp(-after / event.fade) if event.fade else (after == 0).to(self._like)
            path = self._events[event.shock][crisis.month :, row]
            if path.dim() > 1:
                path = path[:, crisis.district] if event.local else path.T
            path += event.size * course
            drawn.append(crisis)
        self.crises[row] = tuple(drawn)

    def advance(self) -> Shocks:
        """Shocks of the next month, one row each."""
        return self.shocks(self.move())

    def move(self) -> Moved:
        """Move all rows one month: what has come about there, before it is told by shock."""
        month = self._month.clamp_max(self.months - 1)
        self._level = self.preset.persistence * self._level + self._noise[month, self._every]
        self._trend = self._trend + self._drift
        self._month = self._month + 1
        moved = {LEVELS: self.strength * (self._level + self._trend)}
        for name, series in self._events.items():
            moved[name] = self.strength * series[month, self._every]
        if self._chance:
            moved |= self._draw()
        return moved

    def shocks(self, moved: Moved) -> Shocks:
        """Shocks of a month in which some rows have moved."""
        city, local = moved[LEVELS].tensor_split([len(CITY_SERIES)], -1)
        shocks = self._quiet | dict(zip(CITY_SERIES, city.unbind(-1), strict=True))
        by_district = local.reshape(-1, len(DISTRICT_SERIES), self.districts).unbind(1)
        for name, series in zip(DISTRICT_SERIES, by_district, strict=True):
            common = shocks[name].unsqueeze(-1) if SHOCKS[name].shared else 0.0
            shocks[name] = common + series
        for name, series in moved.items():
            if name != LEVELS:
                shocks[name] = shocks[name] + series if name in self._events else series
        return shocks

    def _draw(self) -> Moved:
        """This month's noise, from each row's own stream."""
        drawn = {}
        for name, shock in SHOCKS.items():
            if shock.kind == "noise":
                size = shock.size(self.districts)
                noise = np.stack([rng.standard_normal(size) for rng in self._streams])
                drawn[name] = self._chance * torch.as_tensor(noise).to(self._like)
        return drawn
