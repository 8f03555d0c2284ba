"""Synthetic cities by the name of their setting: the usual one, and that of the reference figures.

A preset is a file ``configs/city/<name>.yaml``: ``districts`` and ``spread`` of its cities,
``parameters`` that hold before the first year is inverted, and ``values``, the neutral prior,
that hold after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import configs
from envs.city.cities import synthetic_cities, with_parameters
from envs.city.model import City
from envs.city.parameters import Value, parse_values

SYNTHETIC = "synthetic"
STUDY = "study"
NAMES = (SYNTHETIC, STUDY)


@dataclass(frozen=True)
class Preset:
    """Setting of synthetic cities.

    districts: unless asked for others; spread: distances over the usual; parameters: before
    the inversion; values: after it (they leave the first year alone).
    """

    districts: int = 9
    spread: float = 1.0
    parameters: dict[str, Value] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)


def file(name: str) -> Path:
    """Where a preset is kept.

    Raises:
        ValueError: unknown preset.
    """
    if name not in NAMES:
        raise ValueError(f"preset {name!r} is unknown; known: {', '.join(NAMES)}")
    return configs.root() / "city" / f"{name}.yaml"


def read(name: str) -> Preset:
    """A preset by name.

    Raises:
        ValueError: unknown preset.
    """
    raw: dict[str, Any] = yaml.safe_load(file(name).read_text(encoding="utf-8"))
    usual = Preset()
    return Preset(
        districts=raw.get("districts", usual.districts),
        spread=raw.get("spread", usual.spread),
        parameters=parse_values(raw.get("parameters", {})),
        values=parse_values(raw.get("values", {})),
    )


def cities(
    name: str,
    seeds: Sequence[int],
    districts: int | None = None,
    overrides: Mapping[str, Value] | None = None,
) -> City:
    """Calibrated synthetic cities of a preset in float64, one row a seed.

    Args:
        overrides: parameters that replace the preset's before the inversion.

    Raises:
        ValueError: unknown preset, unknown parameters, or values out of their range.
    """
    preset = read(name)
    changed = {**preset.parameters, **(overrides or {})}
    kept = {k: v for k, v in preset.values.items() if k not in changed}
    built = synthetic_cities(seeds, districts or preset.districts, changed, spread=preset.spread)
    return with_parameters(built, kept)
