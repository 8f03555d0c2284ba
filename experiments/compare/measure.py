"""What policies are compared by: welfare of the city, or what its governors were paid.

Shapes: P policies, C held-out cities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.schema import closest
from experiments.errors import InputError
from experiments.statistics import Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """A score of policies, where it is found and how people read it.

    Attributes:
        name: as `--score` says it, and in sentences.
        path: of the scores [P, C] in an evaluation and in `evaluation.json` alike.
        unit: of the scores. shown: of the numbers that people read. axis: of pictures.
        scale, digits, suffix: of those numbers: scores times `scale`, decimals, what follows.
        ignores: scenario options that change nothing of the scores.
        common: the unit is the same in all worlds, so that they can be ranked together.
        climbed: plans that know the future are made for it.
    """

    name: str
    path: tuple[str, ...]
    unit: str
    shown: str
    axis: str
    scale: float
    digits: int
    suffix: str
    ignores: tuple[str, ...]
    common: bool
    climbed: bool

    def of(self, evaluation: Mapping[str, Any]) -> Floats:
        """Scores [P, C] in the fields of an evaluation or in `evaluation.json`."""
        found: Any = evaluation
        for key in self.path:
            found = found[key]
        return np.asarray(found, dtype=np.float64)

    def number(self, score: float) -> str:
        """A signed score as people read it, without a minus before nothing."""
        return f"{round(self.scale * score, self.digits) + 0.0:+.{self.digits}f}"

    def span(self, ends: Interval) -> str:
        """The two ends of an interval as people read them."""
        return f"{self.number(ends.low)} to {self.number(ends.high)}"


WELFARE = Measure(
    name="welfare",
    path=("welfare", "overall"),
    unit="share of baseline income, discounted mean over the episode",
    shown="percent of baseline income",
    axis="welfare over today's policy, % of income",
    scale=100,
    digits=3,
    suffix=" %",
    ignores=("local_weight", "terminal"),
    common=True,
    climbed=True,
)
#: `terminal` is no part of a held-out city, where a tail run values the stocks of all.
REWARD = Measure(
    name="reward",
    path=("returns",),
    unit="reward of a step, mean over agents and the episode",
    shown="reward of a step, mean over agents",
    axis="reward of a step, mean over agents",
    scale=1,
    digits=4,
    suffix=" a step",
    ignores=("terminal",),
    common=False,
    climbed=False,
)
MEASURES = {measure.name: measure for measure in (WELFARE, REWARD)}


def measure_of(name: str) -> Measure:
    """A measure by its name.

    Raises:
        InputError: an unknown name.
    """
    if name not in MEASURES:
        raise InputError(f"--score {name}: {closest(name, MEASURES)}")
    return MEASURES[name]
