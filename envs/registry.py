"""Scenarios and cities by name: the front door of the worlds."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import torch

from envs import presets
from envs.city.model import City
from envs.compiled.env import CompiledEnv
from envs.errors import CompileError, ScenarioError
from envs.governance import GovernanceEnv
from envs.loading import load_city
from envs.regional import RegionalEnv, RegionalScenario
from envs.scenario import Scenario
from envs.scenario import build as build_scenario
from envs.scenarios import ENTRY_POINTS, SCENARIOS
from envs.twin import posterior

DEFAULT_DISTRICTS = presets.Preset.districts
DEFAULT_CITIES = 16
#: Seeds of different blocks of this size lead to different synthetic cities: evaluation seeds
#: start at a block that training does not reach.
BLOCK = 10_000_000

CityLike = str | os.PathLike[str] | City
Environment = GovernanceEnv | RegionalEnv


def scenarios() -> dict[str, type[Scenario]]:
    """Scenarios of this package and of installed packages that offer some.

    Raises:
        ScenarioError: what a package offers does not load, is no scenario, or takes a name of
            this package; all in one message.
    """
    found: dict[str, type[Scenario]] = {
        name: getattr(import_module(f"envs.scenarios.{name}"), kind)
        for name, kind in SCENARIOS.items()
    }
    problems = []
    for point in entry_points(group=ENTRY_POINTS):
        where = f"entry point {ENTRY_POINTS}: {point.name} = {point.value}"
        try:
            offered = point.load()
        except Exception as error:  # whatever a package of others does when it is imported
            problems.append(f"{where}: {type(error).__name__}: {error}")
            continue
        if point.name in SCENARIOS:
            problems.append(f"{where}: the name is taken")
        elif not (isinstance(offered, type) and issubclass(offered, Scenario)):
            problems.append(f"{where}: expected a subclass of envs.scenario.Scenario")
        else:
            found[point.name] = offered
    if problems:
        raise ScenarioError("; ".join(problems))
    return found


def scenario_ids() -> tuple[str, ...]:
    """Names of all scenarios."""
    return tuple(sorted(scenarios()))


@lru_cache(maxsize=8)
def synthetic(
    block: int, cities: int, districts: int | None, preset: str = presets.SYNTHETIC
) -> City:
    """``cities`` synthetic cities of a preset; blocks never share a city."""
    first = block * BLOCK
    return presets.cities(preset, range(first, first + cities), districts)


def make(
    scenario: str,
    city: CityLike = "synthetic",
    num_envs: int = 1,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    districts: int | None = None,
    cities: int | None = None,
    compiled: bool = False,
    **options: Any,
) -> Environment:
    """A batched environment; of regions, where the scenario is a regional one.

    Args:
        scenario: name, see ``scenario_ids``.
        city: a preset of synthetic cities ("synthetic", or "study", the setting of the reference
            figures), a package's name or folder, the folder of a fitted twin (each row a
            training draw of its posterior), or a calibrated ``City``.
        districts: size of a synthetic city (default 9, of the study's 33).
        cities: number of different synthetic cities, or draws of a twin (default 16); row i
            is city ``(seed + i) % cities`` of the block of ``seed``.
        compiled: make every step one compiled program, several times faster and without gradients
            (``envs.compiled``); it takes half a minute at the first step.
        options: options of the scenario.

    Raises:
        ScenarioError: options that do not go together, not with this city's agents, or not with
            ``compiled``.
        ValueError: unknown scenario, or option values out of range.
        TypeError: unknown options.
        PackageError: a package with problems.
    """
    known = scenarios()
    if scenario not in known:
        raise ValueError(f"scenario {scenario!r} is unknown; known: {', '.join(sorted(known))}")
    if num_envs < 1:
        raise ValueError(f"num_envs={num_envs}: expected at least 1")
    built = build_scenario(known[scenario], options)
    calibrated = resolve(city, seed, districts, cities)
    if isinstance(built, RegionalScenario):
        if compiled:
            raise CompileError(f"scenario {scenario!r} cannot be compiled: cities of a region meet")
        return RegionalEnv(scenario, built, calibrated, num_envs, seed, dtype, device)
    kind = CompiledEnv if compiled else GovernanceEnv
    return kind(scenario, built, calibrated, num_envs, seed, dtype, device)


def resolve(city: CityLike, seed: int, districts: int | None, cities: int | None) -> City:
    """The calibration that ``make`` builds on."""
    count = cities or DEFAULT_CITIES
    if isinstance(city, str) and city in presets.NAMES:
        return synthetic(seed // BLOCK, count, districts, city)
    if districts is not None:
        raise ValueError(f"districts={districts} only applies to synthetic cities")
    if isinstance(city, City):
        return city
    if posterior.is_twin(city):
        return twin_draws(os.fspath(city), count)
    return load_city(os.fspath(city)).city


@lru_cache(maxsize=4)
def twin_draws(folder: str, count: int) -> City:
    """The first ``count`` training draws of a fitted twin."""
    draws = posterior.load(folder).city(posterior.TRAINING)
    return draws.select(torch.arange(min(count, draws.rows)))
