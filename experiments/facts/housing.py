"""Boom and bust of house prices: expectations that extrapolate, and building that takes time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from envs import presets
from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.histories import Month, history, policies

#: Largest change of the user cost through expectations.
MOMENTA = (0.0, 0.25, 0.5)
_GAIN = 0.05
_YEARS = 60
_NOISE = 6


@dataclass(frozen=True)
class Boom:
    """Log house price over its first ``[months, momenta]`` after a lasting rise of demand."""

    price: NDArray[np.float64]
    starts: NDArray[np.float64]

    def turns(self, column: int) -> list[int]:
        """Months at which the price turns, ripples of under half a year left out."""
        rising = np.sign(np.diff(self.price[:, column]))
        found: list[int] = []
        for month in np.flatnonzero(rising[1:] * rising[:-1] < 0) + 1:
            if not found or month - found[-1] > _NOISE:
                found.append(int(month))
        return found

    def overshoot(self, column: int) -> float:
        """Highest price over the last, both as logs from the start."""
        path = self.price[:, column]
        return float(path.max() / path[-1])

    def second(self, column: int) -> float:
        """Second peak over the trough before it, log points, 0 where there is no second."""
        turns = self.turns(column)
        path = self.price[:, column]
        return float(path[turns[2]] - path[turns[1]]) if len(turns) > 2 else 0.0

    def period(self, column: int) -> float:
        """Years from the first peak to the next, 0 where there is no second."""
        turns = self.turns(column)
        return (turns[2] - turns[0]) / 12 if len(turns) > 2 else 0.0


def boom(size: Size, tick: Tick) -> Boom:
    """What a lasting rise of productivity does to prices and building."""
    momenta = torch.tensor(MOMENTA, dtype=torch.float64)
    seeds = [0] * len(MOMENTA)
    city = presets.cities(presets.SYNTHETIC, seeds, size.districts, {"momentum": momenta})
    city = city.to(torch.float32)

    def richer(now: Month) -> None:
        now.shocks["productivity"][:] = _GAIN

    prices, starts = [], []
    quo = policies(city, [{}] * len(MOMENTA))
    for _, state, flows in history(city, quo, size.horizon(_YEARS), rule=richer):
        floor = flows.residents.home_floor + flows.residents.work_floor
        prices.append(flows.value.property_value.sum(-1) / floor.sum(-1))
        starts.append(state.planning.home_pipe[..., 0].sum(-1))
    tick()
    price, start = (torch.log(torch.stack(x) / x[0]).double().numpy() for x in (prices, starts))
    return Boom(price, start)


def fact(size: Size, tick: Tick) -> Fact:
    """Boom, bust and cycle of house prices."""
    found = boom(size, tick)
    default, strong = MOMENTA.index(0.25), MOMENTA.index(0.5)
    return Fact(
        key="housing",
        title="Boom and bust of housing",
        question="House prices overshoot and swing: buyers extrapolate, builders are late.",
        experiment=(
            f"Productivity {100 * _GAIN:.0f} % higher for ever from month 2; synthetic city of "
            f"{size.districts} districts, building lag 18 months, expectations that may move the "
            f"user cost by 0, 25 (default) or 50 %."
        ),
        measures=(
            Measure(
                "expectations 50 %: years from peak to peak",
                found.period(strong),
                8.0,
                15.0,
                digits=1,
            ),
            Measure(
                "expectations 50 %: highest price over the price in the end",
                found.overshoot(strong),
                low=1.1,
                digits=1,
                source="a boom beyond the new rest",
            ),
            Measure(
                "expectations 50 %: second peak over the trough before it",
                100 * found.second(strong),
                unit="%",
                digits=1,
            ),
            Measure(
                "default, 25 %: years from peak to peak (0: one boom, no cycle)",
                found.period(default),
                8.0,
                15.0,
                digits=1,
                why=(
                    "The default's expectations are half as strong: prices overshoot once and then "
                    "come down without a second peak. The band speaks of momentum .5."
                ),
            ),
            Measure(
                "default, 25 %: highest price over the price in the end",
                found.overshoot(default),
                low=1.1,
                digits=1,
                source="a boom beyond the new rest",
            ),
            Measure(
                "no extrapolation: highest price over the price in the end",
                found.overshoot(0),
                digits=1,
            ),
        ),
        remarks=(
            "Section 14's momentum .5 may be read as half of a cap of 3 points on a user cost of 6 "
            "%, which is the default here, or as half of the user cost; both are shown.",
        ),
        picture=_picture(found),
        caption="Percent over the first year; building starts in progress to the right.",
    )


def _picture(found: Boom) -> bytes:
    figure, panels = plots.canvas()
    years = np.arange(1, len(found.price) + 1) / 12
    pairs = ((panels[0], found.price, "house price"), (panels[1], found.starts, "building begun"))
    for panel, paths, title in pairs:
        for column, momentum in enumerate(MOMENTA):
            words = f"expectations {100 * momentum:.0f} %"
            colour = plots.COLOURS[column]
            panel.plot(years, 100 * paths[:, column], color=colour, label=words)
        panel.axhline(0, color=plots.GREY, linewidth=0.8)
        panel.set_xlim(0, min(40, years[-1]))
        plots.label(panel, title, "years", "%")
    plots.legend(panels[0])
    return plots.png(figure)
