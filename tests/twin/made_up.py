"""City packages whose truth is known: the model itself makes their figures."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from envs import priors
from envs.city.panel import Panel
from envs.city.synthetic import synthetic_panel
from envs.twin.ensemble import Members, advance_year, base_quantities, found
from envs.twin.settings import TwinSettings, load_settings
from tests.twin.packages_at_hand import write

MEMBERS = 64
DISTRICTS = 6
FIRST = 2001
LEVELS = {
    "population": ("person", "planning"),
    "dwellings": ("dwelling", "planning"),
    "house_price": ("GBP", "planning"),
    "jobs": ("job", "industry"),
    "gva_per_job": ("GBP/year", "industry"),
}
SERIES = tuple(LEVELS)


def settings() -> TwinSettings:
    """The twin's settings with the fewest members allowed."""
    return load_settings(members=MEMBERS)


@dataclass(frozen=True)
class World:
    """A truth: its panel, its ensembles year by year (a row is one possible city), and the log
    series against the first year ``[T, N, V, D]`` without error of observation."""

    panel: Panel
    years: tuple[Members, ...]
    series: Tensor


def worlds(seed: int, years: int) -> World:
    """Cities that the twin's own prior deems possible, with another seed than the twin's."""
    chosen = load_settings(members=MEMBERS, seed=seed)
    panel = synthetic_panel([4], DISTRICTS)
    members = found(panel, FIRST, chosen, priors.read(priors.SYNTHETIC), SERIES)
    base = base_quantities(members, SERIES)
    generator = torch.Generator().manual_seed(seed)
    steps, series = [members], []
    for _ in range(years):
        members, logs = advance_year(members, chosen, SERIES, generator)
        steps.append(members)
        series.append(logs - base)
    return World(panel, tuple(steps), torch.stack(series))


def texts(world: World, row: int, seed: int = 0) -> dict[str, str]:
    """A package of one row's figures, with errors of observation."""
    rng = np.random.default_rng(seed)
    panel = world.panel
    people = panel.people[0].sum(-1).numpy()
    start = {
        "population": people,
        "dwellings": people / 2.4,
        "house_price": np.full(DISTRICTS, 200_000.0),
        "jobs": panel.jobs[0].numpy(),
        "gva_per_job": np.full(DISTRICTS, 60_000.0),
    }
    errors = settings().series
    lines = ["time,district,variable,value,sd,available"]
    for v, name in enumerate(SERIES):
        for year in range(len(world.series) + 1):
            log = np.zeros(DISTRICTS) if year == 0 else world.series[year - 1, row, v].numpy()
            noise = errors[name].error * rng.standard_normal(DISTRICTS) * (year > 0)
            for d, value in enumerate(start[name] * np.exp(log + noise)):
                lines.append(f"{FIRST + year},D{d},{name},{value:.6f},,")
    places = zip(panel.xy[0].tolist(), panel.land[0].tolist(), strict=True)
    return {
        "datapackage.json": json.dumps(
            {
                "name": "made-up",
                "title": "A made-up city",
                "licenses": [{"name": "CC0-1.0"}],
                "sources": [{"title": "The model"}],
                "resources": [
                    {"name": name, "path": f"{name}.csv"}
                    for name in ("districts", "variables", "observations")
                ],
            }
        ),
        "districts.csv": "code,name,area_km2,x_km,y_km\n"
        + "".join(f"D{d},Place {d},{a},{x},{y}\n" for d, ((x, y), a) in enumerate(places)),
        "variables.csv": "name,kind,unit,subsystem,interval,lag_months\n"
        + "".join(f"{n},observation,{unit},{block},year,\n" for n, (unit, block) in LEVELS.items()),
        "observations.csv": "\n".join(lines) + "\n",
    }


def package(folder: Path, content: dict[str, str]) -> Path:
    """Write a package; its neutral prior is that of synthetic cities, so none is solved."""
    write(folder, dict(content))
    shutil.copy(priors.SYNTHETIC, folder / priors.FILE)
    return folder
