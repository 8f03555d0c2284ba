"""How much of what could be earned by knowing the future a policy earns without knowing it.

The clairvoyant gap is the welfare of plans that know each city and its future minus that of the
best plan made in advance. Shapes: S seeds, C held-out cities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.compare.comparison import (
    BEST_RULE,
    CLAIRVOYANT,
    INFORMED,
    Comparison,
    Entry,
    interval_content,
)
from experiments.statistics import (
    Interval,
    interquartile_mean,
    pooled_mean,
    stratified_bootstrap,
    student_test,
)

Floats = NDArray[np.float64]
#: Evaluation intervals that a gap must span before a claim can rest on it (MODEL section 22.7).
INTERVALS = 3.0


@dataclass(frozen=True)
class Earned:
    """What one entry earns, the informed planner among them.

    over: its mean above the plan made in advance, paired city by city, a share of baseline income;
    share: of the gap, 1 all of it. role: of a reference row.
    """

    name: str
    over: Interval
    share: Interval
    role: str = ""


@dataclass(frozen=True)
class Gap:
    """The gap of one world.

    base: name of the best plan made in advance, the best rule where none is compared. size: mean
    over cities and its 95 % interval, a share of baseline income. earned: the best first, of all
    that are no plans made in advance.
    """

    world: str
    base: str
    size: Interval
    earned: tuple[Earned, ...]

    @property
    def intervals(self) -> float:
        """The gap in units of half its 95 % interval."""
        half = (self.size.high - self.size.low) / 2
        return self.size.estimate / half if half else np.inf

    @property
    def supports(self) -> bool:
        """Whether a claim that learning beats planning can rest on it."""
        return bool(self.intervals >= INTERVALS)


def gaps(found: Comparison) -> list[Gap]:
    """The gap of every world that has a clairvoyant."""
    return [_gap(found, entry) for entry in found.entries if entry.role == CLAIRVOYANT]


def content(found: Sequence[Gap]) -> list[dict[str, Any]]:
    """Gaps as plain values."""
    return [
        {
            "world": gap.world,
            "base": gap.base,
            "size": interval_content(gap.size),
            "supports": gap.supports,
            "earned": [
                {
                    "name": row.name,
                    "over": interval_content(row.over),
                    "share": interval_content(row.share),
                }
                for row in gap.earned
            ],
        }
        for gap in found
    ]


def _gap(found: Comparison, known: Entry) -> Gap:
    here = [entry for entry in found.entries if entry.world == known.world]
    blind = [entry for entry in here if entry.blind]
    blind = blind or [entry for entry in here if entry.role == BEST_RULE]
    base = max(blind, key=lambda entry: float(interquartile_mean(entry.scores)))
    floor = base.scores.mean(0, keepdims=True)
    size = student_test(known.scores - floor, _generator(), pooled_mean).interval
    judged = [e for e in here if e.role == INFORMED or not (e.role or e.blind)]
    earned = [_earned(entry, known, floor) for entry in judged]
    earned.sort(key=lambda row: -row.over.estimate)
    return Gap(known.world, base.name, size, tuple(earned))


def _earned(entry: Entry, known: Entry, floor: Floats) -> Earned:
    over, gap = entry.scores - floor, np.broadcast_to(known.scores - floor, entry.scores.shape)
    # Equal generators: both parts of the share meet the same resampled seeds and cities.
    above, below = (
        stratified_bootstrap(part, _generator(), pooled_mean, resample="crossed")
        for part in (over, gap)
    )
    low, high = np.quantile(above / below, [0.025, 0.975])
    share = Interval(float(over.mean() / gap.mean()), float(low), float(high))
    return Earned(
        entry.name, student_test(over, _generator(), pooled_mean).interval, share, entry.role
    )


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)
