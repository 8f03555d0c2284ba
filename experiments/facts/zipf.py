"""Zipf's law over a system of cities: what it takes, and why it is not claimed."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.facts.systems import settle, sized_cities
from experiments.histories import Month

#: Standard deviation of a city's productivity shocks, log points a year.
SHOCKS = (0.02, 0.06)
_YEARS = 80
_DISTRICTS = 3

Floats = NDArray[np.float64]


def sizes(size: Size, tick: Tick) -> list[Floats]:
    """People of every city, largest first, one array a strength of shocks."""
    count = size.cities
    rows = count * len(SHOCKS)
    equal = torch.ones(rows, dtype=torch.float64)
    city = sized_cities([*range(count)] * len(SHOCKS), equal, _DISTRICTS).to(torch.float32)
    spread = np.repeat(SHOCKS, count) / math.sqrt(12)
    rng = np.random.default_rng(0)

    def wander(now: Month) -> None:
        step = torch.as_tensor(rng.normal(0, spread)).to(torch.float32)
        level = now.shocks["productivity"] + step.unsqueeze(-1)
        common = level.reshape(len(SHOCKS), count, _DISTRICTS).mean(1, keepdim=True)
        level = level.reshape(len(SHOCKS), count, _DISTRICTS) - common
        now.shocks["productivity"] = level.reshape(rows, _DISTRICTS)

    systems = torch.arange(len(SHOCKS)).repeat_interleave(count)
    _, flows = settle(city, size.horizon(_YEARS), systems, wander)
    tick()
    people = flows.residents.people.sum((1, 2)).reshape(-1, count).double().numpy()
    return [np.sort(row)[::-1] for row in people]


def rank_size_slope(people: Floats) -> float:
    """Slope of log rank on log size over the larger half, rank less a half (Gabaix & Ibragimov
    2011); -1 is Zipf's law."""
    half = len(people) // 2
    ranks = np.arange(1, half + 1) - 0.5
    return float(np.polyfit(np.log(people[:half]), np.log(ranks), 1)[0])


def fact(size: Size, tick: Tick) -> Fact:
    """Rank and size."""
    found = sizes(size, tick)
    return Fact(
        key="zipf",
        title="Zipf's law: not claimed",
        question="The sizes of cities follow a power law with a slope of -1.",
        experiment=(
            f"Systems of {size.cities} cities of {_DISTRICTS} districts that start equal and "
            "exchange people (what a type finds elsewhere is the mean of its system); productivity "
            f"of each city is a random walk, {size.horizon(_YEARS) // 12} years."
        ),
        measures=tuple(
            Measure(
                f"shocks of {100 * shock:g} % a year: slope of rank on size", rank_size_slope(x)
            )
            for shock, x in zip(SHOCKS, found, strict=True)
        ),
        remarks=(
            "The slope is what the assumed shocks make it, and it goes on flattening with time. A "
            "slope of -1 that stays needs proportional growth with a lower bound on sizes (Gabaix "
            "1999), which nothing in this model supplies. No band is applied.",
        ),
        picture=_picture(found),
        caption="Log rank on log size; dotted: slope -1.",
    )


def _picture(found: list[Floats]) -> bytes:
    figure, panels = plots.canvas(1)
    panel = panels[0]
    for shock, people, colour in zip(SHOCKS, found, plots.COLOURS, strict=False):
        relative = people / people.mean()
        ranks = np.arange(1, len(people) + 1)
        words = f"shocks {100 * shock:g} % a year: slope {rank_size_slope(people):.1f}"
        panel.plot(relative, ranks, "o", markersize=3, color=colour, label=words)
    across = np.array([0.5, len(found[0]) / 3])
    panel.plot(across, 0.5 * len(found[0]) / across, ":", color=plots.GREY)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_ylim(0.7, 4 * len(found[0]))
    plots.label(panel, "rank and size of cities", "people over the mean", "rank")
    plots.legend(panel, loc="upper right")
    return plots.png(figure)
