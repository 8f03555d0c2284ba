"""City packages as calibrated cities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from envs import priors
from envs.city.cities import build, with_parameters
from envs.city.model import City
from envs.city.parameters import Value, parse_values
from envs.twin.first_year import FirstYear, first_year
from envs.twin.packages import find_city, read_package

MODEL_FILE = "model.yaml"


@dataclass(frozen=True)
class LoadedCity:
    """A calibrated one-row city in float64 with its neutral prior, and where it came from."""

    name: str
    city: City
    first: FirstYear | None
    codes: tuple[str, ...]
    currency: str


def model_overrides(folder: Path) -> dict[str, Value]:
    """Parameter values that a package sets for its own city (``model.yaml``).

    Raises:
        ValueError: unknown parameters or entries, naming the file.
    """
    path = folder / MODEL_FILE
    if not path.is_file():
        return {}
    raw: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    try:
        return parse_values(raw)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


@lru_cache(maxsize=8)
def load_city(name: str) -> LoadedCity:
    """Invert a city package, by name or folder, and give it its neutral prior.

    Raises:
        PackageError: the package has problems; all are listed.
    """
    folder = find_city(name)
    package = read_package(folder)
    first = first_year(package)
    city = build(first.panel, model_overrides(folder))
    values = priors.neutral_values(city, folder / priors.FILE)
    return LoadedCity(
        name=package.name,
        city=with_parameters(city, values),
        first=first,
        codes=tuple(package.districts["code"]),
        currency=package.currency,
    )
