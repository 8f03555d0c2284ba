"""Settings of the twin: read from ``configs/twin``, checked as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import configs
from envs.city.parameters import TABLE
from envs.twin.operators import OPERATORS

DEFAULT = configs.root() / "twin" / "default.yaml"
CITY_PROCESSES = ("productivity", "outside", "floor_cost", "price_level")
LEAST_MEMBERS = 64


@dataclass(frozen=True)
class Process:
    """A random walk with trend: mean and spread of the yearly drift, walk per square root of
    a year."""

    trend: float
    spread: float
    walk: float


@dataclass(frozen=True)
class Series:
    """Unexplained variation of a series: common walk and trend, local walk, observation error."""

    common: float
    trend: float
    local: float
    error: float


@dataclass(frozen=True)
class TwinSettings:
    """Ensemble, uncertainty and filter."""

    members: int
    seed: int
    inflation: float
    half_width_km: float
    spread: float
    neutral_spread: float
    dynamic: tuple[str, ...]
    city: dict[str, Process]
    district_productivity: Process
    district_amenity: Process
    series: dict[str, Series]

    def widths(self, strength: float = 1.0) -> dict[str, float]:
        """Parameters that are drawn, in the order of the table: ``strength`` times the standard
        deviation of their logs, ``neutral_spread`` for those of the neutral prior."""
        return {
            name: strength * (self.neutral_spread if row.solved else self.spread)
            for name, row in TABLE.items()
            if row.solved or name in self.dynamic
        }


def load_settings(path: Path = DEFAULT, **overrides: Any) -> TwinSettings:
    """Settings of a file, with top-level values overridden.

    Raises:
        ValueError: all problems at once.
    """
    raw: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    raw.update({k: v for k, v in overrides.items() if v is not None})
    parameters = raw["parameters"]
    problems = [
        f"parameters.dynamic: {name!r} is no model parameter"
        for name in parameters["dynamic"]
        if name not in TABLE
    ]
    problems += [
        f"series: no observation operator for {name!r}"
        for name in raw["series"]
        if name not in OPERATORS
    ]
    problems += [f"city: no process {name!r}" for name in raw["city"] if name not in CITY_PROCESSES]
    if raw["members"] < LEAST_MEMBERS:
        problems.append(f"members={raw['members']}: expected at least {LEAST_MEMBERS}")
    if problems:
        raise ValueError(f"{path}: " + "; ".join(problems))
    district = raw["district"]
    return TwinSettings(
        members=raw["members"],
        seed=raw["seed"],
        inflation=raw["inflation"],
        half_width_km=raw["half_width_km"],
        spread=parameters["spread"],
        neutral_spread=parameters["neutral_spread"],
        dynamic=tuple(parameters["dynamic"]),
        city={name: Process(**row) for name, row in raw["city"].items()},
        district_productivity=Process(trend=0.0, **district["productivity"]),
        district_amenity=Process(trend=0.0, **district["amenity"]),
        series={name: Series(**row) for name, row in raw["series"].items()},
    )
