"""Estimates of a comparison: robust means, paired differences, who beats whom, profiles.

Shapes: N entries, S seeds, C held-out cities, K thresholds.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.compare.measure import WELFARE, Measure
from experiments.statistics import (
    Band,
    GainTest,
    Interval,
    holm,
    improvement_interval,
    profile_band,
    student_test,
)

Floats = NDArray[np.float64]
STATUS_QUO, RANDOM, BEST_RULE = "status_quo", "random", "best rule"
CLAIRVOYANT, INFORMED = "clairvoyant", "informed"
THRESHOLDS = 301


@dataclass(frozen=True)
class Entry:
    """One row of a comparison.

    scores: [S, C] by the measure of the comparison; one row for what has no seeds.
    world: label of its world, empty where there is one world. role: of a reference row. blind:
    a plan made in advance, which answers to nothing.
    """

    name: str
    world: str
    scores: Floats
    hash: str = ""
    seeds: tuple[int, ...] = ()
    runs: tuple[str, ...] = ()
    role: str = ""
    blind: bool = False


@dataclass(frozen=True)
class Row:
    """Estimates of one entry, in the unit of its scores; differences are paired city by city.

    here: of `over_quo` for new seeds on the same cities, None with less than two.
    p_value: of "above the status quo", Holm-adjusted over all entries that are not references.
    """

    entry: Entry
    iqm: Interval
    mean: float
    over_quo: Interval
    here: Interval | None
    over_rule: Interval
    p_value: float | None
    beats_rule: Interval


@dataclass(frozen=True)
class Comparison:
    """Scored entries and what follows from them.

    worlds: label and keys of each world; warnings: for the reader; measure: of the scores.
    Intervals take seeds and cities as drawn: they hold for new seeds on new cities, but where it
    is said that the cities stay.
    """

    entries: tuple[Entry, ...]
    worlds: tuple[tuple[str, Mapping[str, Any]], ...]
    warnings: tuple[str, ...]
    measure: Measure = WELFARE

    @cached_property
    def rows(self) -> list[Row]:
        """All entries, the best first."""
        over = [entry.scores - self._of(entry, STATUS_QUO) for entry in self.entries]
        tests = [_test(scores) for scores in over]
        judged = [index for index, entry in enumerate(self.entries) if not entry.role]
        adjusted = dict(zip(judged, holm([tests[i].p_value for i in judged]), strict=True))
        rows = [
            Row(
                entry=entry,
                iqm=_test(entry.scores).interval,
                mean=float(entry.scores.mean()),
                over_quo=tests[index].interval,
                here=_here(over[index]),
                over_rule=_test(entry.scores - self._of(entry, BEST_RULE)).interval,
                p_value=float(adjusted[index]) if index in adjusted else None,
                beats_rule=self._improvement(entry, self._entry(entry.world, BEST_RULE)),
            )
            for index, entry in enumerate(self.entries)
        ]
        return sorted(rows, key=lambda row: -row.iqm.estimate)

    @cached_property
    def improvements(self) -> list[list[Interval]]:
        """Probability that a run of the row beats one of the column, in the order of `rows`."""
        entries = [row.entry for row in self.rows]
        table = [[Interval(0.5, 0.5, 0.5)] * len(entries) for _ in entries]
        for i, j in itertools.combinations(range(len(entries)), 2):
            found = self._improvement(entries[i], entries[j])
            table[i][j] = found
            ends = (1 - found.estimate, 1 - found.high, 1 - found.low)
            table[j][i] = Interval(*(max(end, 0.0) for end in ends))  # rounding may pass 0
        return table

    @cached_property
    def thresholds(self) -> Floats:
        """Scores at which profiles are drawn: [K], over the range of all scores."""
        every = np.concatenate([entry.scores.ravel() for entry in self.entries])
        low, high = float(every.min()), float(every.max())
        margin = 0.02 * (high - low) or 1e-6
        return np.linspace(low - margin, high + margin, THRESHOLDS)

    @cached_property
    def profiles(self) -> list[Band]:
        """Share of runs and cities above each threshold, in the order of `rows`."""
        return [profile_band(row.entry.scores, self.thresholds, _generator()) for row in self.rows]

    def content(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "unit": self.measure.unit,
            "intervals": "95 %, for new seeds on new cities (both are drawn anew)",
            "intervals_same_cities": "95 %, for new seeds on the same cities",
            "worlds": [{"label": label, **keys} for label, keys in self.worlds],
            "warnings": list(self.warnings),
            "rows": [_row(row) for row in self.rows],
            "improvement": {
                "names": [row.entry.name for row in self.rows],
                "probability": [
                    [interval_content(cell) for cell in line] for line in self.improvements
                ],
            },
            "profiles": {
                "thresholds": self.thresholds.tolist(),
                "above": {
                    row.entry.name: {
                        "share": band.estimate.tolist(),
                        "low": band.low.tolist(),
                        "high": band.high.tolist(),
                    }
                    for row, band in zip(self.rows, self.profiles, strict=True)
                },
            },
            "scores": {entry.name: entry.scores.tolist() for entry in self.entries},
        }

    def _entry(self, world: str, role: str) -> Entry:
        return next(e for e in self.entries if e.role == role and e.world == world)

    def _of(self, entry: Entry, role: str) -> Floats:
        """Scores [1, C] of a reference in the world of an entry."""
        return self._entry(entry.world, role).scores

    def _improvement(self, one: Entry, other: Entry) -> Interval:
        """Runs of different worlds share no cities: their means are compared."""
        first, second = one.scores, other.scores
        if one.world != other.world:
            first, second = first.mean(1, keepdims=True), second.mean(1, keepdims=True)
        return improvement_interval(first, second, _generator())


def _test(scores: Floats) -> GainTest:
    return student_test(scores, _generator())


def _here(scores: Floats) -> Interval | None:
    if len(scores) < 2:
        return None
    return student_test(scores, _generator(), resample="seeds").interval


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)


def _row(row: Row) -> dict[str, Any]:
    entry = row.entry
    return {
        "name": entry.name,
        "role": entry.role or "compared",
        "world": entry.world,
        "hash": entry.hash,
        "seeds": list(entry.seeds),
        "runs": list(entry.runs),
        "iqm": interval_content(row.iqm),
        "mean": row.mean,
        "over_status_quo": interval_content(row.over_quo),
        "over_status_quo_same_cities": None if row.here is None else interval_content(row.here),
        "p_value": row.p_value,
        "over_best_rule": interval_content(row.over_rule),
        "beats_best_rule": interval_content(row.beats_rule),
    }


def interval_content(found: Interval) -> dict[str, float | None]:
    """An interval as plain values; without ends where it has none."""
    ends = {"estimate": found.estimate, "low": found.low, "high": found.high}
    return {name: value if np.isfinite(value) else None for name, value in ends.items()}
