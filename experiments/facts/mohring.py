"""Downs-Thomson: wider roads can make everybody slower where buses follow their passengers.

The operator's rule acts on a lever of the model, transit frequency: it runs in proportion to
ridership (a fixed load per vehicle), by its square root (Mohring 1972), or not at all. Waiting
then grows as passengers leave. With logit choice of scale ``ke`` per minute and a mean wait of
``W`` minutes (weighted), the cost of a trip rises with road capacity where ``ke W m > 1``, with
``m`` the elasticity of frequency to ridership, for any share of transit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs import presets
from envs.city.levers import LEVERS
from envs.city.model import City, Flows
from envs.city.parameters import Value
from envs.city.wiring import Held
from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.histories import Month, history, widened

#: Elasticity of frequency to ridership.
RULES: dict[str, float] = {"fixed": 0.0, "square root": 0.5, "proportional": 1.0}
FREQUENCIES = (2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)
_WIDER = 1.2
_YEARS = 20
_LOAD = 1.3
#: A city that uses transit: constants of car, transit, active.
_CONSTANTS = (0.0, 1.5, -0.2)


@dataclass(frozen=True)
class Widening:
    """Effects of wider roads ``[frequencies, rules]``: cost of a trip, minutes (generalised);
    ridership, share; transit's share of trips before ``[frequencies]``."""

    cost: NDArray[np.float64]
    ridership: NDArray[np.float64]
    share: NDArray[np.float64]


def trip_cost(city: City, flows: Flows, weight: Tensor, people: Tensor) -> Tensor:
    """Mean generalised minutes ``[B]`` of a trip to the workplaces as they were at first.

    The logsum over modes and workplaces at their first pull ``weight``, over first residents.
    """
    reach = torch.matmul(flows.commute.kernel, weight.transpose(1, 2))
    minutes = -torch.log(reach) / city.parameters.bdk.ke
    return (minutes * people).sum((1, 2)) / people.sum((1, 2))


def widening(size: Size, tick: Tick) -> Widening:
    """Twenty per cent more road, for every first frequency and rule."""
    cells = [(f, m) for f in FREQUENCIES for m in RULES.values()]
    column = torch.tensor(cells, dtype=torch.float64).repeat_interleave(2, 0)
    overrides: dict[str, Value] = {
        "frequency": column[:, 0],
        "vc": _LOAD,
        "mode_constant": _CONSTANTS,
    }
    city = presets.cities(presets.SYNTHETIC, [0] * len(column), size.districts, overrides)
    city = city.to(torch.float32)
    follow, lever = column[:, 1].to(torch.float32), LEVERS["transit"]
    usual = city.fundamentals.infrastructure.ridership

    def run_as_used(now: Month) -> None:
        wanted = (now.flows.traffic.ridership / usual) ** follow
        now.policy["transit"] = wanted.clamp(lever.low, lever.high)

    state, policy = widened(city, [1.0, _WIDER] * len(cells))
    _, _, first = next(history(city, policy, 1, state=state))
    held = {"residents": Held(first.residents), "offers": Held(first.offers)}
    months = size.horizon(_YEARS)
    *_, (_, _, flows) = history(city, policy, months, state=state, rule=run_as_used, held=held)
    tick()
    people = first.residents.people
    workers = people.sum((1, 2)) * city.fundamentals.travel.participation
    share = first.commute.transit.sum((1, 2)) / workers

    def table(values: Tensor) -> NDArray[np.float64]:
        return values.reshape(len(FREQUENCIES), len(RULES)).double().numpy()

    quo, wider = trip_cost(city, flows, first.commute.weight, people).reshape(-1, 2).unbind(-1)
    before, after = flows.commute.transit.sum((1, 2)).reshape(-1, 2).unbind(-1)
    return Widening(
        cost=table(wider - quo),
        ridership=table(after / before - 1),
        share=table(share[::2])[:, 0],
    )


def threshold(elasticity: float) -> float:
    """Frequency per hour below which the closed form says that trips get dearer."""
    p = presets.cities(presets.SYNTHETIC, [0], 3).parameters.b
    return float(p.ke * p.wait_weight * 60 / 2) * elasticity


def crossing(cost: NDArray[np.float64]) -> float:
    """First frequency at which wider roads stop making trips dearer."""
    frequencies = np.array(FREQUENCIES)
    worse = cost > 0
    if not worse.any():
        return 0.0
    last = int(np.flatnonzero(worse).max())
    if last + 1 == len(frequencies):
        return float(frequencies[-1])
    step = cost[last] / (cost[last] - cost[last + 1])
    return float(frequencies[last] + step * (frequencies[last + 1] - frequencies[last]))


def fact(size: Size, tick: Tick) -> Fact:
    """The Downs-Thomson paradox and its region."""
    found = widening(size, tick)
    rules = list(RULES)
    three = FREQUENCIES.index(3.0)
    edge = threshold(1.0)
    return Fact(
        key="downs-thomson",
        title="Downs-Thomson paradox",
        question="Widening a road slows everybody where transit thins out as its passengers leave.",
        experiment=(
            f"20 % more road for {size.horizon(_YEARS) // 12} years in a synthetic city of "
            f"{size.districts} districts at v/c {_LOAD:g} that uses transit (constant "
            f"{_CONSTANTS[1]:+g}). A rule holds the lever transit at (ridership over its first)^m "
            "each month: m = 0, .5 (Mohring's square root) or 1 (a fixed load per vehicle). Homes "
            "and jobs are held (ports frozen), so that what is seen is transport alone. Cost: "
            "generalised minutes of a trip over all modes, waiting weighted by 2, to the "
            "workplaces as they were."
        ),
        measures=(
            Measure(
                "3 vehicles an hour, proportional: change of the cost of a trip",
                float(found.cost[three, 2]),
                low=0.0,
                unit="min",
            ),
            Measure(
                "3 vehicles an hour, fixed: change of the cost of a trip",
                float(found.cost[three, 0]),
                high=0.0,
                unit="min",
                source="no paradox without the rule",
            ),
            Measure(
                "proportional: dearer below, vehicles an hour",
                crossing(found.cost[:, 2]),
                0.8 * edge,
                1.2 * edge,
                digits=1,
                source=f"closed form ke W m = 1: {edge:.1f}, a fifth either way",
            ),
        ),
        remarks=(
            f"Region: {rules[2]} frequency and fewer than about {crossing(found.cost[:, 2]):.1f} "
            "vehicles an hour at first. The square-root rule would need fewer than "
            f"{threshold(0.5):.1f} and never shows it here; fixed frequency never does. At 3 "
            f"vehicles an hour transit carries {100 * found.share[three]:.0f} % of workers at "
            f"first and loses {-100 * found.ridership[three, 2]:.0f} % of them.",
            "Far inside the region transit does not settle at a worse service, it dies out: the "
            "spiral that the paradox is the mild form of.",
        ),
        picture=_picture(found, edge),
        caption="Above zero, wider roads make trips dearer. Dotted: closed form for m = 1.",
    )


def _picture(found: Widening, edge: float) -> bytes:
    figure, panels = plots.canvas()
    for column, (name, elasticity) in enumerate(RULES.items()):
        words = f"{name} (m = {elasticity:g})"
        colour = plots.COLOURS[column]
        panels[0].plot(FREQUENCIES, found.cost[:, column], "o-", color=colour, label=words)
        panels[1].plot(FREQUENCIES, 100 * found.ridership[:, column], "o-", color=colour)
    panels[0].axhline(0, color=plots.GREY, linewidth=0.8)
    panels[0].axvline(edge, color=plots.GREY, linewidth=0.8, linestyle=":")
    across = "vehicles an hour before the widening"
    plots.label(panels[0], "cost of a trip after widening", across, "minutes, generalised")
    plots.label(panels[1], "ridership after widening", across, "%")
    plots.legend(panels[0])
    return plots.png(figure)
