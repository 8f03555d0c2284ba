"""What levers do, without learning: fixed settings against the status quo under one weather.

Shapes: T months, D districts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.pairs import match
from agents.schema import closest
from envs.city import tree, welfare
from envs.city.capital import CAPITAL
from envs.city.dynamics import Dynamics
from envs.city.indicators import INDICATORS, city_values
from envs.city.levers import LEVERS, PARTS, SHAPES, Lever, baseline_policy
from envs.city.lifecycle import life_cycle, stages
from envs.city.model import City
from experiments.errors import InputError

Floats = NDArray[np.float64]
QUO, SET = 0, 1


@dataclass(frozen=True)
class Simulation:
    """Two runs of one city: indicators [2, T] (row 0 status quo, row 1 with the settings), and

    welfare [T]: gain over the status quo in each month, share of the first year's income;
    life_cycle: stock -> stage -> [2, T] over the first year, where it was asked for.
    """

    indicators: Mapping[str, Floats]
    welfare: Floats
    life_cycle: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)

    def changes(self, currency: str = "$") -> list[dict[str, Any]]:
        """One record an indicator: both values in the last month, and the change.

        Money is in thousands of the city's `currency`.
        "relative" tells whether the change is a share of the status quo or a difference;
        "notable" is the change in units of a notable change.
        """
        records = []
        for name, series in self.indicators.items():
            row = INDICATORS[name]
            quo, with_levers = float(series[QUO, -1]), float(series[SET, -1])
            change = with_levers / quo - 1 if row.log else with_levers - quo
            records.append(
                {
                    "indicator": name,
                    "subsystem": row.subsystem,
                    "unit": row.unit.replace("$", currency),
                    "status_quo": quo,
                    "with_levers": with_levers,
                    "change": change,
                    "relative": row.log,
                    "notable": change / row.scale,
                    "better": row.better,
                }
            )
        return records


def simulate(
    city: City,
    requested: Mapping[str, Tensor],
    months: int,
    dynamics: str,
    seed: int,
    tick: Callable[[], None],
    stocks: Sequence[str] = (),
) -> Simulation:
    """Run a one-row city with fixed settings beside its status quo.

    Args:
        requested: lever -> setting in physical units, shape of the lever; others stay.
        months: T; dynamics: preset of the shocks, the same for both runs.
        tick: called after each month.
        stocks: rows of ``CAPITAL`` whose life cycle is kept.
    """
    like = city.start.planning.home_rent
    weather = Dynamics(dynamics, 1, city.districts, months, like, city.drift)
    weather.seed(0, seed)
    weather.reset([0])
    policy = baseline_policy(2, city.districts, like.dtype)
    for name, setting in requested.items():
        policy[name][SET] = setting
    reference, state = welfare.reference(city), city.initial(2)
    series: dict[str, list[Floats]] = {name: [] for name in INDICATORS}
    kept: dict[str, dict[str, list[Floats]]] = {name: {} for name in stocks}
    gains = []
    with torch.inference_mode():
        for _ in range(months):
            shocks = tree.tree_map(lambda x: torch.cat([x, x]), weather.advance())
            before = state
            state, flows = city.step(state, policy, shocks)
            if kept:
                found = stages(city, life_cycle(city, before, state, flows))
                for name, lines in kept.items():
                    for stage, value in found[name].items():
                        lines.setdefault(stage, []).append(value.expand(2).numpy())
            for name, value in city_values(city, state, flows).items():
                series[name].append(value.expand(2).numpy())
            total = welfare.evaluate(city, reference, flows).total
            gains.append(float(total[SET] - total[QUO]))
            tick()
    return Simulation(
        {name: np.stack(path, axis=1) for name, path in series.items()},
        np.array(gains),
        {
            name: {stage: np.stack(path, axis=1) for stage, path in lines.items()}
            for name, lines in kept.items()
        },
    )


def driven(levers: Collection[str]) -> tuple[str, ...]:
    """Stocks that some of the levers drive; all stocks where none does."""
    found = tuple(name for name, row in CAPITAL.items() if set(row.levers) & set(levers))
    return found or tuple(CAPITAL)


def milestones(months: int, most: int = 8) -> list[int]:
    """Months to show of a long run: the first, the last, and others evenly between."""
    picked = np.linspace(1, months, min(most, months))
    return sorted({round(float(month)) for month in picked})


def parse_settings(texts: Sequence[str], codes: Sequence[str]) -> dict[str, Tensor]:
    """Lever settings from `toll=0.002`, `staff[education]=1.2`, `toll[E09000001]=0.005`.

    Args:
        texts: later ones overrule earlier ones where they meet.
        codes: the city's districts.

    Raises:
        InputError: naming every unknown lever or cell and every value out of bounds.
    """
    settings: dict[str, Tensor] = {}
    problems = []
    for text in texts:
        try:
            _apply(text, codes, settings)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return settings


def _apply(text: str, codes: Sequence[str], settings: dict[str, Tensor]) -> None:
    key, _, number = text.partition("=")
    name, cells = match("*[*]", key.strip()) or (key.strip(), "")
    if name not in LEVERS:
        raise InputError(f"--set {text}: unknown lever {name!r}; {closest(name, LEVERS)}")
    lever = LEVERS[name]
    try:
        value = float(number)
    except ValueError:
        raise InputError(f"--set {text}: expected {name}=NUMBER") from None
    if not lever.low <= value <= lever.high:
        raise InputError(f"--set {text}: outside {lever.low:g} to {lever.high:g} {lever.unit}")
    place = _place(text, lever, [cell.strip() for cell in cells.split(",") if cell], codes)
    held = settings.setdefault(
        name, torch.full(lever.size(len(codes)), lever.default, dtype=torch.float64)
    )
    held[place] = value


def _place(
    text: str, lever: Lever, cells: Sequence[str], codes: Sequence[str]
) -> tuple[slice | int, ...]:
    """Index of the named cells in the lever's shape; all of an axis where none is named."""
    axes = [tuple(codes) if axis == "D" else PARTS[axis] for axis in SHAPES[lever.shape]]
    known = list(itertools.chain.from_iterable(axes))
    for cell in cells:
        if cell not in known:
            hint = closest(cell, known) if known else "it has one setting for the whole city"
            raise InputError(f"--set {text}: {lever.name} has no {cell!r}; {hint}")
    named = [[axis.index(cell) for cell in cells if cell in axis] for axis in axes]
    if any(len(found) > 1 for found in named):
        raise InputError(f"--set {text}: name one district, service, sector or type at a time")
    return tuple(found[0] if found else slice(None) for found in named)
