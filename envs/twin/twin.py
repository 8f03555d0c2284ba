"""The mirrored twin of a city: fitted year by year, saved as numbers, forecast from any origin."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from envs.city.dynamics import CITY_SERIES, DISTRICT_SERIES
from envs.city.model import City
from envs.city.parameters import Value
from envs.loading import LoadedCity, load_city
from envs.twin.assimilation import assimilate
from envs.twin.ensemble import Members, advance_year, base_quantities, found
from envs.twin.interventions import Logged, logged, requested
from envs.twin.ledger import Ledger
from envs.twin.operators import OPERATORS
from envs.twin.packages import CityPackage, find_city, read_package
from envs.twin.settings import TwinSettings, load_settings

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]


def december(year: int) -> int:
    """Month index of the end of a year."""
    return 12 * year + 11


@dataclass(frozen=True)
class Innovation:
    """How one year's figures fell: normalised innovation squared over its expectation, and
    expected over realised spread, of the city means."""

    year: int
    normalised: float
    spread_to_rmse: float


@dataclass(frozen=True)
class Data:
    """Yearly figures of a package as log series against their first year.

    first: ``[V, D]`` first figures; panel: ``[T, V, D]`` log ratios, NaN where missing.
    """

    series: tuple[str, ...]
    years: tuple[int, ...]
    first: Array
    panel: Array


@dataclass(frozen=True)
class Twin:
    """A fitted twin.

    Attributes:
        name: city; settings; series; data up to ``known_until``.
        members: the ensemble at the end of its last assimilated year.
        base: log model quantities ``[N, V, D]`` at the first figure of each series.
        seen: year -> log series ``[T, V, D]`` up to it as they were known at its end.
        analyses: ensemble at the end of every year, for forecasts from earlier origins.
        innovations: statistics of every update.
        log: logged levers.
    """

    name: str
    settings: TwinSettings
    data: Data
    base: Tensor
    seen: Mapping[int, Array]
    analyses: Mapping[int, Members]
    innovations: tuple[Innovation, ...]
    log: Logged
    codes: tuple[str, ...]

    @property
    def last_year(self) -> int:
        """Last assimilated year."""
        return max(self.analyses)

    @property
    def members(self) -> Members:
        """The ensemble today."""
        return self.analyses[self.last_year]


def observable(package: CityPackage) -> tuple[str, ...]:
    """Series of a package that the model has an observation operator for."""
    there = set(package.observations["variable"].astype(str))
    return tuple(name for name in OPERATORS if name in there)


def read_data(
    ledger: Ledger,
    city: str,
    as_known_at: int,
    codes: tuple[str, ...],
    series: tuple[str, ...],
    years: range,
) -> Data:
    """Series of a city as known at the end of a month; a series not yet published is missing."""
    first, panel = [], []
    for name in series:
        table = ledger.yearly_panel(name, as_known_at, city=city).reindex(columns=list(codes))
        table = table.reindex(list(years))
        first.append(table.bfill().iloc[0].to_numpy(dtype=float))
        values = table.to_numpy(dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(values / first[-1])
        panel.append(np.where(np.isfinite(ratio), ratio, np.nan))
    return Data(series, tuple(years), np.stack(first), np.stack(panel, 1))


def fit(
    city: str | os.PathLike[str],
    settings: TwinSettings | None = None,
    known_until: int | None = None,
    progress: Progress | None = None,
) -> Twin:
    """Fit the twin of a city package.

    Every member starts in its own steady state of the first year; each further year is
    forecast and then updated by what was available at its end.

    Args:
        city: name or folder of a package.
        known_until: last year whose figures may be used (default: all).
    """
    chosen = settings or load_settings()
    loaded = load_city(os.fspath(city))
    package = read_package(find_city(os.fspath(city)))
    with Ledger() as ledger:
        ledger.ingest(package)
        newest = int(package.observations["year"].max())
        last = newest if known_until is None else min(known_until, newest)
        return _fit(loaded, package, ledger, chosen, last, progress)


def _fit(
    loaded: LoadedCity,
    package: CityPackage,
    ledger: Ledger,
    settings: TwinSettings,
    last: int,
    progress: Progress | None,
) -> Twin:
    first = loaded.first
    if first is None:
        raise ValueError(f"city {loaded.name!r} has no package: a twin needs data")
    if last < first.year:
        raise ValueError(f"no figures up to {last}: those of {loaded.name} begin in {first.year}")
    names = observable(package)

    def known_at(year: int) -> Data:
        years = range(first.year, year + 1)
        return read_data(ledger, package.name, december(year), loaded.codes, names, years)

    log = logged(package)
    centre = neutral_centre(loaded.city)
    members = found(first.panel, first.year, settings, centre, names)
    base = base_quantities(members, names)
    distance = members.city.geography.distance[0]
    generator = Generator().manual_seed(settings.seed + 1)
    analyses = {first.year: members}
    seen = {first.year: known_at(first.year).panel}
    innovations = []
    years = range(first.year + 1, last + 1)
    for done, year in enumerate(years):
        if progress:
            progress("assimilating", done, len(years))
        policy = requested(log, year, year, members, analyses)
        members, series = advance_year(members, settings, names, generator, policy)
        seen[year] = known_at(year).panel
        base = torch.where(_begins(seen[year]), series, base)
        observed = torch.as_tensor(seen[year][-1])
        update = assimilate(members, series - base, observed, settings, names, distance)
        members = update.members
        analyses[year] = members
        if update.city.count > 0:
            normalised = float(update.city.normalised / update.city.count)
            innovations.append(Innovation(year, normalised, float(update.city.spread_to_rmse)))
    return Twin(
        name=loaded.name,
        settings=settings,
        data=known_at(last),
        base=base,
        seen=seen,
        analyses=analyses,
        innovations=tuple(innovations),
        log=log,
        codes=loaded.codes,
    )


def neutral_centre(city: City) -> dict[str, Value]:
    """Parameter values of a one-row city, as overrides."""
    return {
        name: tuple(value[0].tolist()) if value.dim() == 2 else float(value[0])
        for name, value in city.parameters.values.items()
    }


def _begins(panel: Array) -> Tensor:
    """Where the last year of a panel holds the first figure of a series ``[V, D]``.

    Figures are ratios to it, so the members' own level of that year is what it compares with.
    """
    there = np.isfinite(panel)
    return torch.as_tensor(there[-1] & ~there[:-1].any(0))


def forecast(twin: Twin, origin: int, years: int, seed: int = 0) -> Tensor:
    """Forecast of the log series from the analysis of an origin ``[years, N, V, D]``.

    Observation error is included, so that the ensemble is comparable with figures to come.
    Levers stay as last logged at the origin.
    """
    members = twin.analyses[origin]
    settings, names = twin.settings, twin.data.series
    generator = Generator().manual_seed(hash_seed(settings.seed, origin, seed))
    error = torch.tensor([settings.series[name].error for name in names], dtype=torch.float64)
    result = []
    for step in range(1, years + 1):
        policy = requested(twin.log, origin + step, origin, members, twin.analyses)
        members, series = advance_year(members, settings, names, generator, policy)
        noise = torch.randn(series.shape, dtype=series.dtype, generator=generator)
        result.append(series - twin.base + error.unsqueeze(-1) * noise)
    return torch.stack(result)


def hash_seed(*parts: int) -> int:
    """One seed from several numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def posterior_city(twin: Twin, members: Members | None = None) -> City:
    """Today's ensemble as a calibrated city, one row a member.

    The drifted world becomes part of the fundamentals, and its drifts continue as the trends
    of the rows, so that environments start where the data end.
    """
    now = members or twin.members
    world, city = now.world, now.city
    f = city.fundamentals
    lift = world.productivity.unsqueeze(-1)
    cost = torch.exp(world.floor_cost).unsqueeze(-1)
    fundamentals = replace(
        f,
        industry=replace(f.industry, productivity=f.industry.productivity + lift),
        planning=replace(
            f.planning,
            amenity=f.planning.amenity + world.amenity.unsqueeze(-1),
            outside=f.planning.outside + world.outside.unsqueeze(-1),
            home_cost=f.planning.home_cost * cost,
            work_cost=f.planning.work_cost * cost,
        ),
    )
    learnt = {"outside": world.outside_drift, "floor_cost": world.floor_cost_drift}
    local = {"productivity": world.productivity_drift, "amenity": world.amenity_drift}
    still, everywhere = torch.zeros_like(world.outside), torch.zeros_like(world.amenity_drift)
    columns = [learnt.get(name, still).unsqueeze(-1) for name in CITY_SERIES]
    columns += [local.get(name, everywhere) for name in DISTRICT_SERIES]
    return replace(city, fundamentals=fundamentals, start=now.state, drift=torch.cat(columns, -1))


def summary(twin: Twin) -> dict[str, Any]:
    """What a fit did, for people and machines."""
    world = twin.members.world
    return {
        "city": twin.name,
        "years": [min(twin.analyses), twin.last_year],
        "members": twin.members.count,
        "series": [
            name
            for v, name in enumerate(twin.data.series)
            if np.isfinite(twin.data.panel[:, v]).any()
        ],
        "levers": list(twin.log.levers),
        "innovations": [asdict(row) for row in twin.innovations],
        "drifts": {
            "productivity": _interval(world.productivity_drift.mean(-1)),
            "outside": _interval(world.outside_drift),
            "price_level": _interval(world.price_level_drift),
        },
    }


def _interval(x: Tensor) -> dict[str, float]:
    low, mid, high = torch.quantile(x, torch.tensor([0.05, 0.5, 0.95], dtype=x.dtype)).tolist()
    return {"low": low, "median": mid, "high": high}


def save_summary(twin: Twin, path: Path) -> None:
    """Write ``summary`` as JSON, atomically."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(summary(twin), indent=2), encoding="utf-8")
    os.replace(draft, path)


__all__ = [
    "Data",
    "Innovation",
    "Twin",
    "fit",
    "forecast",
    "observable",
    "posterior_city",
    "read_data",
    "save_summary",
    "summary",
]
