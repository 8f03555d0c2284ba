"""Induced demand: traffic fills what is built (Duranton & Turner 2011)."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from envs import presets
from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.histories import history, widened

_LOADS = (0.9, 1.3, 1.6)
_YEARS = (1, 5, 20, 50)
_WIDER = 1.2
_SHORT, _LONG = (0.3, 0.6), (0.7, 1.0)


def elasticities(size: Size, tick: Tick) -> NDArray[np.float64]:
    """Elasticity of vehicle-km to capacity ``[months, loads]``."""
    loads = torch.tensor(_LOADS, dtype=torch.float64).repeat_interleave(2)
    seeds = [0] * len(loads)
    city = presets.cities(presets.SYNTHETIC, seeds, size.districts, {"vc": loads})
    city = city.to(torch.float32)
    state, policy = widened(city, [1.0, _WIDER] * len(_LOADS))
    found = []
    for _, _, flows in history(city, policy, size.horizon(max(_YEARS)), state=state):
        quo, more = flows.traffic.vehicle_km.sum(-1).reshape(-1, 2).unbind(-1)
        found.append(torch.log(more / quo) / math.log(_WIDER))
    tick()
    return torch.stack(found).double().numpy()


def fact(size: Size, tick: Tick) -> Fact:
    """Traffic that a fifth more road brings, by year and load."""
    found = elasticities(size, tick)
    measures = []
    for column, load in enumerate(_LOADS):
        for years in _YEARS:
            low, high = _SHORT if years == 1 else _LONG
            value = float(found[min(12 * years, len(found)) - 1, column])
            measures.append(
                Measure(
                    f"v/c {load:g}, year {years}",
                    value,
                    None if years == 5 else low,
                    None if years == 5 else high,
                    why=_why(load, value, low),
                )
            )
    return Fact(
        key="induced-demand",
        title="Induced demand",
        question=(
            "Vehicle-km rise with road capacity: by .3 to .6 of it soon, by .7 to 1 of it in the "
            "long run (Duranton & Turner 2011 find proportional growth)."
        ),
        experiment=(
            "20 % more road everywhere at once, kept up for ever, soft treasury; synthetic city "
            f"of {size.districts} districts, its first-year load of the roads set to each v/c. "
            "Everything responds: destinations, modes, other trips, homes, firms, people from "
            "outside."
        ),
        measures=tuple(measures),
        remarks=(
            "Year 5 has no band of its own: it lies between the short and the long run.",
            "Where roads flow freely little is induced; where they are full most of the room is "
            "taken within a year. That is the condition which section 14 names.",
        ),
        picture=_picture(found),
        caption="Elasticity of vehicle-km to road capacity; accepted short-run and long-run bands.",
    )


def _why(load: float, value: float, low: float) -> str:
    """Why a value is outside its band."""
    if value > low:
        return (
            "At this load queues are so steep that extra room is taken up within months; the "
            "short-run band is for ordinarily congested cities."
        )
    if load < 1:
        return (
            "Roads that flow freely save little time, so little traffic follows; the band is for "
            "congested cities (section 14: v/c 1.3 or more)."
        )
    return (
        "The number of trips a head grows only through non-work traffic, and firms and freight "
        "follow roads only through wages, land, travel times and the little that roads add to "
        "output here. With public capital as in the study's setting (total stock, elasticity .10) "
        "the same rows reach .67 and .70 (reference-figures.md)."
    )


def _picture(found: NDArray[np.float64]) -> bytes:
    figure, panels = plots.canvas(1, 3.8)
    panel = panels[0]
    years = np.arange(1, len(found) + 1) / 12
    for column, load in enumerate(_LOADS):
        panel.plot(years, found[:, column], color=plots.COLOURS[column], label=f"v/c {load:g}")
    for (low, high), start, end, words in (
        (_SHORT, 0.5, 2, "accepted"),
        (_LONG, 15, max(50.0, years[-1]), ""),
    ):
        panel.fill_between(
            [start, end], low, high, color=plots.SHADE, zorder=0, label=words or None
        )
    panel.set_xscale("log")
    panel.set_xticks([0.1, 1, 5, 20, 50], ["0.1", "1", "5", "20", "50"])
    panel.minorticks_off()
    panel.set_ylim(0, 1.05)
    plots.label(panel, "traffic that new roads bring", "years after widening", "elasticity")
    plots.legend(panel, ncols=2)
    return plots.png(figure)
