"""Learning curves of a group: what its seeds logged, with the middle and its interval.

Shapes: S seeds, X points along training.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.statistics import Band, interquartile_mean, stratified_bootstrap

Floats = NDArray[np.float64]
STEPS = ("env_steps", "iteration", "rollout")
"""Columns of `metrics.csv` that count training, the first that a run has is taken."""
VALUES = ("reward", "return", "welfare")
"""Columns that say how good the policy is while it learns."""
POINTS = 200


@dataclass(frozen=True)
class Curve:
    """Learning curve of several seeds.

    x: [X], in units of `step`; band: interquartile mean over seeds with the bootstrap interval.
    """

    name: str
    step: str
    value: str
    x: Floats
    band: Band


def curve(name: str, folders: Sequence[str | Path]) -> Curve | None:
    """Curve of run folders; None where nothing was logged."""
    tables = [table for folder in folders if (table := read(Path(folder) / "metrics.csv"))]
    if not tables:
        return None
    step = _first(STEPS, tables)
    value = _first(VALUES, tables)
    if step is None or value is None:
        return None
    lines = [_finite(table[step], table[value]) for table in tables]
    lines = [(x, y) for x, y in lines if x.size]
    if not lines:
        return None
    low, high = max(x[0] for x, _ in lines), min(x[-1] for x, _ in lines)
    every = np.unique(np.concatenate([x for x, _ in lines]))
    grid = every[(every >= low) & (every <= high)]
    grid = grid[np.unique(np.linspace(0, len(grid) - 1, POINTS).astype(int))]
    values = np.stack([np.interp(grid, x, y) for x, y in lines])
    draws = stratified_bootstrap(
        values,
        np.random.default_rng(0),
        lambda drawn: interquartile_mean(drawn, axis=-2),
        500,
        "seeds",
    )
    ends = np.quantile(draws, [0.025, 0.975], axis=0)
    return Curve(name, step, value, grid, Band(interquartile_mean(values, axis=0), *ends))


def read(path: Path) -> dict[str, Floats]:
    """Columns of a `metrics.csv`; empty where there is none. Missing cells are NaN."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return {}
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def _first(names: Sequence[str], tables: Sequence[dict[str, Floats]]) -> str | None:
    return next((name for name in names if all(name in table for table in tables)), None)


def _finite(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    kept = np.isfinite(x) & np.isfinite(y)
    return x[kept], y[kept]
