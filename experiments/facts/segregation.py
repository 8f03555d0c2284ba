"""Segregation sets in at a threshold of homophily (Schelling 1971; MODEL section 15.3).

Two districts and two household types that differ in nothing but their tag: any imbalance feeds
on the wish to live among one's own kind once that wish is stronger than ``2 / mu``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from envs import presets
from envs.city.cities import build, with_parameters
from envs.city.measures.segregation import dissimilarity
from envs.city.model import City, CityState
from envs.city.panel import Panel
from envs.city.parameters import Parameters
from envs.city.sizes import SECTORS, TYPES
from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.histories import history, policies

#: Homophily over the threshold.
STRENGTHS = (0.5, 0.7, 0.85, 0.92, 0.96, 1.0, 1.024, 1.05, 1.093, 1.17, 1.25, 1.366, 1.5, 1.6)
_PAIR = (2, 3)
_YEARS = 100
_IMBALANCE = 0.3
#: Dissimilarity of pairs that have parted, and are not so far apart that the last digit decides.
_APART, _APART_AT_MOST = 0.05, 0.99
#: Faster moves and beliefs reach the same rest sooner.
_FAST = {"mobility": 0.2, "gain_v": 0.3}
_ALIKE = {
    "efficiency": (1.0,) * TYPES,
    "affinity_low": (1.0,) * SECTORS,
    "affinity_high": (1.0,) * SECTORS,
    "birth_rate": (0.0,) * TYPES,
    "death_rate": (0.0,) * TYPES,
    "rise": (0.0,) * TYPES,
    "fall": (0.0,) * TYPES,
}


@dataclass(frozen=True)
class Split:
    """Dissimilarity of the two types by strength ``[n]``, and the threshold 2 / mu."""

    strengths: NDArray[np.float64]
    measured: NDArray[np.float64]
    theory: NDArray[np.float64]
    threshold: float


def pitchfork(strength: float) -> float:
    """Dissimilarity at rest: the ``m >= 0`` that solves ``m = tanh(strength m)``."""
    low, high = (1e-9, 1.0) if strength > 1 else (0.0, 0.0)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.tanh(strength * middle) > middle else (low, middle)
    return low


def twins(strengths: Sequence[float]) -> tuple[City, CityState]:
    """Two equal districts with two equal types, one row a strength, and an uneven start."""
    rows = len(strengths)
    xy = torch.tensor([[-3.0, 0.0], [3.0, 0.0]], dtype=torch.float64).expand(rows, 2, 2)
    people = torch.full((rows, 2, TYPES), 1e-3, dtype=torch.float64)
    people[..., list(_PAIR)] = 15_000.0
    ones = torch.ones(rows, 2, dtype=torch.float64)
    panel = Panel(xy=xy.clone(), land=28 * ones, people=people, jobs=14_000 * ones)
    scale = float(Parameters.default().b.mu_r)
    wish = torch.tensor(strengths, dtype=torch.float64) * 2 / scale
    calibrated = build(panel, {"homophily": wish, **_FAST, **_ALIKE})
    prior = presets.read(presets.SYNTHETIC).values
    city = with_parameters(calibrated, {k: v for k, v in prior.items() if k not in _ALIKE})
    tilted = city.start.planning.people.clone()
    tilt = _IMBALANCE * torch.tensor([1.0, -1.0], dtype=torch.float64)
    tilted[..., _PAIR[0]] *= 1 + tilt
    tilted[..., _PAIR[1]] *= 1 - tilt
    start = replace(city.start, planning=replace(city.start.planning, people=tilted))
    return city, start


def split(strengths: Sequence[float], months: int, tick: Tick) -> Split:
    """How far apart the types live in the end, beside the closed form."""
    city, start = twins(strengths)
    *_, (_, state, _) = history(city, policies(city, [{}] * len(strengths)), months, state=start)
    tick()
    people = state.planning.people
    found = dissimilarity(people[..., _PAIR[0]], people[..., _PAIR[1]])
    return Split(
        strengths=np.array(strengths),
        measured=found.numpy(),
        theory=np.array([pitchfork(strength) for strength in strengths]),
        threshold=2 / float(city.parameters.b.mu_r),
    )


def implied_threshold(found: Split) -> float:
    """Homophily at which the types part: the median of what each split pair implies.

    ``m = tanh(h m / h*)`` gives ``h* = h m / artanh(m)``.
    """
    split_up = (found.theory > _APART) & (found.measured < _APART_AT_MOST)
    m, wish = found.measured[split_up], found.strengths[split_up] * found.threshold
    return float(np.median(wish * m / np.arctanh(m)))


def fact(size: Size, tick: Tick) -> Fact:
    """The segregation threshold."""
    found = split(STRENGTHS, size.horizon(_YEARS), tick)
    clear = np.abs(found.strengths - 1) > 0.03
    gap = float(np.abs(found.measured - found.theory)[clear].max())
    threshold = implied_threshold(found)
    return Fact(
        key="segregation",
        title="Segregation threshold",
        question="A mild wish to live among one's own does nothing; a little more tips a city.",
        experiment=(
            "The whole model with two equal districts and two equal types, which start 65 : 35; "
            f"{size.horizon(_YEARS) // 12} years for each of {len(STRENGTHS)} strengths of "
            "homophily (homes, rents, jobs, traffic and services all respond)."
        ),
        measures=(
            Measure(
                "homophily at which the types part",
                threshold,
                0.99 * found.threshold,
                1.01 * found.threshold,
                "log points",
                4,
                f"MODEL section 15.3: 2/mu = {found.threshold:.4f}, 1 % either way",
            ),
            Measure(
                "largest distance from the pitchfork",
                gap,
                None,
                0.01,
                "of dissimilarity",
                4,
                "MODEL section 15.3: three digits",
            ),
        ),
        remarks=(
            "At the threshold itself the start is forgotten ever more slowly (critical slowing "
            "down); strengths within 3 % of it are shown but not counted in the distance.",
        ),
        picture=_picture(found),
        caption="Dots: the model. Line: m = tanh(h m / h*).",
    )


def _picture(found: Split) -> bytes:
    figure, panels = plots.canvas(1)
    panel = panels[0]
    fine = np.linspace(found.strengths.min(), found.strengths.max(), 400)
    curve = [pitchfork(strength) for strength in fine]
    panel.plot(fine * found.threshold, curve, color=plots.GREY, label="closed form")
    across = found.strengths * found.threshold
    panel.plot(across, found.measured, "o", color=plots.BLUE, markersize=5, label="model")
    panel.axvline(found.threshold, color=plots.GREY, linewidth=0.8, linestyle=":")
    panel.text(found.threshold, 0.8, "2/μ ", fontsize=9, color=plots.GREY, ha="right")
    plots.label(panel, "two types apart", "homophily, log points", "index of dissimilarity")
    plots.legend(panel, loc="center left")
    return plots.png(figure)
