"""Braess: a new link that makes everybody later (the link network, MODEL section 15.5)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from envs.city.assignment import assign, system_optimum
from envs.city.network import marginal_tolls
from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.verify.roads import Roads, braess_network

_TRIP = (0, 3)
_DEMAND = 6.0
_DEMANDS = np.linspace(1.0, 12.0, 23)


def minutes(roads: Roads, demand: float, tolled: bool = False) -> float:
    """Mean minutes of drivers who each take their fastest route, tolls left out."""
    trips = {_TRIP: demand}
    toll = None
    if tolled:
        best = system_optimum(roads.links, roads.graph, trips).flow
        toll = marginal_tolls(roads.links, torch.as_tensor(best)[None])[0].numpy()
    return assign(roads.links, roads.graph, trips, toll).total_time / demand


def fact(size: Size, tick: Tick) -> Fact:
    """The bridge of Braess, at the demand of the textbook and at others."""
    shut, opened = braess_network(False), braess_network(True)
    curves = {
        "without the bridge": np.array([minutes(shut, x) for x in _DEMANDS]),
        "with the bridge": np.array([minutes(opened, x) for x in _DEMANDS]),
        "with the bridge and tolls": np.array([minutes(opened, x, True) for x in _DEMANDS]),
    }
    tick()
    gap = curves["with the bridge"] - curves["without the bridge"]
    worse = _DEMANDS[gap > 1e-6]
    source = "MODEL section 15.5"
    return Fact(
        key="braess",
        title="Braess paradox",
        question="A new road can make every trip longer.",
        experiment=(
            "User equilibria on the four-node network with links 10 f, 50 + f, 50 + f, 10 f and a "
            "bridge 10 + f, demand 6; marginal-cost tolls are those of the system optimum."
        ),
        measures=(
            Measure(
                "minutes without the bridge", minutes(shut, _DEMAND), 82.99, 83.01, source=source
            ),
            Measure(
                "minutes with the bridge", minutes(opened, _DEMAND), 91.99, 92.01, source=source
            ),
            Measure(
                "with the bridge and marginal-cost tolls, tolls left out",
                minutes(opened, _DEMAND, True),
                82.99,
                83.01,
                source=source,
            ),
        ),
        remarks=(
            f"The bridge hurts for demands between {worse.min():.1f} and {worse.max():.1f}; below, "
            "it is a gift, and above, nobody uses it.",
        ),
        picture=_picture(curves),
        caption="Minutes of a driver in equilibrium.",
    )


def _picture(curves: dict[str, NDArray[np.float64]]) -> bytes:
    figure, panels = plots.canvas(1)
    styles = ((plots.GREY, "-"), (plots.RED, "-"), (plots.GREEN, "--"))
    for (name, curve), (colour, line) in zip(curves.items(), styles, strict=True):
        panels[0].plot(_DEMANDS, curve, line, color=colour, label=name)
    panels[0].axvline(_DEMAND, color=plots.GREY, linewidth=0.8, linestyle=":")
    plots.label(panels[0], "the bridge of Braess", "demand", "minutes")
    plots.legend(panels[0])
    return plots.png(figure)
