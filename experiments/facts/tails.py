"""Shapes of distributions: long tails of commutes, incomes near log-normal (qualitative)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from envs import presets
from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.histories import history, policies

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Values with how many people have each, ``[n]``."""

    value: Floats
    weight: Floats

    def quantile(self, share: float) -> float:
        """Value that ``share`` of all stay below."""
        order = np.argsort(self.value)
        below = np.cumsum(self.weight[order]) / self.weight.sum()
        return float(self.value[order][np.searchsorted(below, share)])

    def log_moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the logarithms."""
        x = np.log(self.value)
        mean = float(np.average(x, weights=self.weight))
        return mean, float(np.sqrt(np.average((x - mean) ** 2, weights=self.weight)))

    def skewness(self, log: bool = False) -> float:
        """Third standardised moment of the values or their logarithms."""
        x = np.log(self.value) if log else self.value
        mean = np.average(x, weights=self.weight)
        spread = np.sqrt(np.average((x - mean) ** 2, weights=self.weight))
        return float(np.average(((x - mean) / spread) ** 3, weights=self.weight))


def samples(size: Size, tick: Tick) -> tuple[Sample, Sample]:
    """Commutes in minutes and earnings in k$ a month, over all workers of the first month."""
    city = presets.cities(presets.SYNTHETIC, [0], size.places)
    _, _, flows = next(history(city, policies(city, [{}]), 1))
    tick()
    commute, roads, people = flows.commute, flows.roads, flows.residents.people
    minutes = torch.cat([roads.car_time, roads.transit_time, city.geography.active_time], -1)
    chosen = commute.kernel.unsqueeze(2) * commute.weight.unsqueeze(1)
    workers = people * city.fundamentals.travel.participation.reshape(-1, 1, 1)
    going = chosen * (workers / commute.phi).unsqueeze(-1)
    pay = flows.market.pay.transpose(1, 2) * city.parameters.bd.efficiency.unsqueeze(-1)
    where = torch.stack(going.chunk(3, -1)).sum((0, 2))
    return _sample(minutes.unsqueeze(2).expand_as(going), going), _sample(pay, where)


def _sample(values: Tensor, weight: Tensor) -> Sample:
    return Sample(values.double().flatten().numpy(), weight.double().flatten().numpy())


def fact(size: Size, tick: Tick) -> Fact:
    """Tails of commutes and incomes."""
    commutes, pay = samples(size, tick)
    source = "MODEL section 14, qualitative"
    return Fact(
        key="tails",
        title="Tails of commutes and incomes",
        question="Most commutes are short and a few very long; incomes are near log-normal.",
        experiment=(
            f"All workers of a synthetic city of {size.places} districts in its first year, by "
            "home, workplace, mode and type."
        ),
        measures=(
            Measure("commutes: skewness", commutes.skewness(), low=0.0, source=source),
            Measure(
                "commutes: longest hundredth over the median",
                commutes.quantile(0.99) / commutes.quantile(0.5),
                low=2.0,
                unit="x",
                source="qualitative: a normal spread of a third gives 1.8",
            ),
            Measure("earnings: skewness", pay.skewness(), low=0.0, source=source),
            Measure(
                "earnings: skewness of the logarithm",
                pay.skewness(log=True),
                -0.5,
                0.5,
                source="qualitative: 0 for log-normal",
            ),
        ),
        remarks=(
            "Earnings come from six efficiency levels that are put in (assumed) times wages that "
            "differ little over districts: the shape is mostly assumption.",
            "The tail of commutes is a straight line on a log scale: exponential, as a logit on "
            "minutes makes it, longer than a normal's and shorter than a power law's, which is not "
            "claimed.",
        ),
        picture=_picture(commutes, pay),
        caption="Left: share of commutes that take longer. Right: earnings beside a log-normal.",
    )


def _picture(commutes: Sample, pay: Sample) -> bytes:
    figure, panels = plots.canvas()
    order = np.argsort(commutes.value)
    weight = commutes.weight[order] / commutes.weight.sum()
    longer = 1 - np.cumsum(weight) + weight
    panels[0].plot(commutes.value[order], longer, color=plots.BLUE)
    panels[0].set_yscale("log")
    panels[0].set_ylim(1e-4, 1)
    panels[0].set_xlim(0, commutes.quantile(0.9999))
    plots.label(panels[0], "commutes", "minutes", "share that takes longer")
    order = np.argsort(pay.value)
    below = np.cumsum(pay.weight[order]) / pay.weight.sum()
    panels[1].plot(pay.value[order], below, color=plots.GREEN, label="model")
    centre, spread = pay.log_moments()
    fine = np.geomspace(pay.value.min() / 1.3, 1.3 * pay.value.max(), 200)
    normal = ndtr((np.log(fine) - centre) / spread)
    panels[1].plot(fine, normal, "--", color=plots.GREY, label="log-normal")
    panels[1].set_xscale("log")
    ticks = [2, 3, 4, 5, 6, 8]
    panels[1].set_xticks(ticks, [str(x) for x in ticks])
    panels[1].minorticks_off()
    plots.label(panels[1], "earnings", "k$ a month", "share that earns less")
    plots.legend(panels[1])
    return plots.png(figure)
