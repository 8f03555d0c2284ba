"""The first year of a city package as a panel for inversion (MODEL sections 21 and 23)."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from envs.city.panel import Panel
from envs.city.parameters import Parameters
from envs.city.synthetic import type_mix
from envs.twin.packages import CityPackage, PackageError, year_table

REQUIRED = ("population", "jobs")
_BISECTIONS = 60
_TILT = 2.0


@dataclass(frozen=True)
class FirstYear:
    """The panel, the year it describes, and where each series came from.

    ``origin``: series -> "2001", a later year ("2004: later than the first year"), or
    "default" where the package has none.
    """

    year: int
    panel: Panel
    origin: dict[str, str]


def first_year(package: CityPackage) -> FirstYear:
    """Invertible panel of the package's first year.

    Only population, jobs, area and coordinates are required. A series that starts later
    takes its first figure, district by district; one that is missing takes the model's
    default, and ``origin`` says so. Figures count as first published: a later revision leaves
    the start of a twin, and so all its past forecasts, as they were.

    Raises:
        PackageError: a required series is missing, or a district has no figure of it.
    """
    problems = []
    tables = {name: _published(package, name) for name in REQUIRED if _has(package, name)}
    for name in REQUIRED:
        if name not in tables:
            problems.append(f"observations.csv: no series {name!r}; a city needs it")
        elif tables[name].bfill().iloc[0].isna().any():
            lacking = tables[name].columns[tables[name].isna().all()].tolist()
            problems.append(f"observations.csv: {name!r} has no figure for {', '.join(lacking)}")
    if problems:
        raise PackageError(problems)
    year = int(tables["population"].index.min())
    origin: dict[str, str] = {}

    def read(name: str) -> Tensor | None:
        if not _has(package, name):
            origin[name] = "default"
            return None
        table = _published(package, name)
        filled = table.bfill()
        start = filled.iloc[0]
        first = int(table.index[table.notna().any(axis=1)][0])
        origin[name] = str(year) if first == year else f"{first}: later than the first year"
        start = start.fillna(start.mean())
        return torch.as_tensor(start.to_numpy(dtype=float, copy=True))[None]

    population, jobs = read("population"), read("jobs")
    assert population is not None
    assert jobs is not None
    output, salary = read("gva_per_job"), read("median_salary")
    house, dwellings = read("house_price"), read("dwellings")
    price = None
    if house is not None and dwellings is not None:
        price = house / 1000 * dwellings / population
    places = package.districts
    tilt = torch.zeros_like(population)
    if salary is not None:
        tilt = _tilts(salary / salary.mean())
    return FirstYear(
        year=year,
        panel=Panel(
            xy=torch.as_tensor(places[["x_km", "y_km"]].to_numpy(dtype=float, copy=True))[None],
            land=torch.as_tensor(places["area_km2"].to_numpy(dtype=float, copy=True))[None],
            people=population.unsqueeze(-1) * type_mix(tilt),
            jobs=jobs,
            output_per_job=None if output is None else output / 12 / 1000,
            home_price=price,
        ),
        origin=origin,
    )


def _has(package: CityPackage, name: str) -> bool:
    return bool((package.observations["variable"] == name).any())


def _published(package: CityPackage, name: str) -> pd.DataFrame:
    """A series by year and district, each figure as it was first published."""
    rows = package.observations[package.observations["variable"] == name]
    rows = rows.sort_values("available", kind="stable")
    return year_table(rows.drop_duplicates(["time", "district"]), package.districts["code"])


def _tilts(relative: Tensor) -> Tensor:
    """Tilt of the type mix at which mean efficiency over its city value equals ``relative``."""
    efficiency = Parameters.default().values["efficiency"][0]
    level = float((type_mix(torch.zeros(1, dtype=torch.float64)) * efficiency).sum())
    low, high = torch.full_like(relative, -_TILT), torch.full_like(relative, _TILT)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        short = (type_mix(middle) * efficiency).sum(-1) / level < relative
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return (low + high) / 2


__all__ = ["REQUIRED", "FirstYear", "first_year"]
