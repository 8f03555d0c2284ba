"""Scores of forecasts: accuracy, calibration, joint scores, skill with its uncertainty.

An ensemble is an array [N, ...] of members, `observed` an array [...]; scores come back as [...]
unless a reduction is named. Everything is on the scale of `transformed` (log or logit), so an
error of 0.01 is about one percent. NaN in what was observed gives a NaN score, which the means
skip: a missing figure is never scored. All randomness comes from an explicit generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

Array = NDArray[np.float64]


def _log(values: Array) -> Array:
    return np.log(np.where(values > 0, values, np.nan))


def _logit(values: Array) -> Array:
    inside = np.where((values > 0) & (values < 1), values, np.nan)
    return np.log(inside) - np.log1p(-inside)


SCALES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "log": (_log, np.exp),
    "logit": (_logit, lambda values: 1 / (1 + np.exp(-values))),
    "level": (np.copy, np.copy),
}
"""Scale name -> (to the scale, back). Values outside a scale's domain are missing (NaN)."""


def transformed(values: ArrayLike, scale: str) -> Array:
    """`values` on a scale of `SCALES`; a zero has no log and becomes NaN."""
    return SCALES[scale][0](np.asarray(values, dtype=np.float64))


def restored(values: ArrayLike, scale: str) -> Array:
    """Inverse of `transformed`."""
    return SCALES[scale][1](np.asarray(values, dtype=np.float64))


def absolute_error(forecast: ArrayLike, observed: ArrayLike) -> Array:
    """Absolute error [...] of a point forecast; of a fan, pass its median."""
    return np.abs(_float(forecast) - _float(observed))


def fair_crps(ensemble: ArrayLike, observed: ArrayLike) -> Array:
    """Fair continuous ranked probability score [...] of an ensemble [N, ...]; 0 is best.

    mean |x - y| - sum_ij |x_i - x_j| / (2 N (N - 1)), the double sum from the sorted members in
    O(N log N). Fair: its expectation does not depend on N, so ensembles of unequal size compare.
    With one member it is the absolute error. Source: Ferro 2014, Q. J. R. Meteorol. Soc. 140.
    """
    members = np.sort(_float(ensemble), axis=0)
    size = members.shape[0]
    error = np.abs(members - _float(observed)).mean(axis=0)
    if size == 1:
        return _array(error)
    rank = 2 * np.arange(1, size + 1) - size - 1
    return _array(error - np.tensordot(rank, members, axes=(0, 0)) / (size * (size - 1)))


def central_interval(ensemble: ArrayLike, level: float) -> tuple[Array, Array]:
    """Lower and upper end [...] of the central interval of an ensemble [N, ...].

    Quantiles sit at rank / (N + 1), so an observation drawn like the members falls inside with
    probability `level` for any N that is large enough to have members beyond both ends.
    """
    tail = (1 - level) / 2
    ends = np.quantile(_float(ensemble), (tail, 1 - tail), axis=0, method="weibull")
    return _array(ends[0]), _array(ends[1])


def covered(ensemble: ArrayLike, observed: ArrayLike, level: float) -> Array:
    """1 where the central interval holds the observation, else 0; NaN where it is missing."""
    lower, upper = central_interval(ensemble, level)
    seen = _float(observed)
    inside = ((lower <= seen) & (seen <= upper)).astype(np.float64)
    return np.where(np.isnan(seen), np.nan, inside)


def coverage(ensemble: ArrayLike, observed: ArrayLike, level: float) -> float:
    """Share of the observations inside their central interval."""
    return float(np.nanmean(covered(ensemble, observed, level)))


def binomial_band(count: int, level: float, confidence: float = 0.95) -> tuple[float, float]:
    """Coverage shares between which `count` independent intervals of `level` should fall.

    Forecasts of neighbours and of overlapping years depend on each other: pass the number of
    independent ones (for instance origins), not of all figures, or the band is too narrow.
    """
    tail = (1 - confidence) / 2
    reached = special.bdtr(np.arange(count + 1), count, level)  # P(at most k inside)
    low, high = np.searchsorted(reached, (tail, 1 - tail))
    return float(low) / count, float(high) / count


def ranks(ensemble: ArrayLike, observed: ArrayLike, generator: Generator) -> NDArray[np.int64]:
    """Rank 0..N of each observation [...] among its members; -1 = missing; ties fall at random."""
    members, seen = _float(ensemble), _float(observed)
    below = (members < seen).sum(axis=0)
    ties = (members == seen).sum(axis=0)
    rank = below + generator.integers(0, ties + 1)
    return np.where(np.isnan(seen), -1, rank).astype(np.int64)


def rank_histogram(
    ensemble: ArrayLike, observed: ArrayLike, generator: Generator, bins: int | None = None
) -> NDArray[np.int64]:
    """Counts of the observations' ranks in N + 1 cells, or in `bins` (a divisor of N + 1)."""
    cells = _float(ensemble).shape[0] + 1
    if bins is not None and cells % bins:
        raise ValueError(f"bins must divide the {cells} possible ranks, got {bins}")
    rank = ranks(ensemble, observed, generator)
    counts = np.bincount(rank[rank >= 0], minlength=cells)
    histogram: NDArray[np.int64] = counts.reshape(bins or cells, -1).sum(axis=1)
    return histogram


def pit(ensemble: ArrayLike, observed: ArrayLike, generator: Generator) -> Array:
    """Randomised probability integral transform [...]: uniform on (0, 1) if calibrated."""
    rank = ranks(ensemble, observed, generator)
    uniform = (rank + generator.random(rank.shape)) / (_float(ensemble).shape[0] + 1)
    return np.where(rank < 0, np.nan, uniform)


def uniformity_p_value(values: ArrayLike) -> float:
    """Kolmogorov-Smirnov p-value that PIT `values` are uniform; assumes independence."""
    flat = _float(values).ravel()
    return float(stats.kstest(flat[np.isfinite(flat)], "uniform").pvalue)


def energy_score(ensemble: ArrayLike, observed: ArrayLike) -> Array:
    """Fair energy score [...] of a joint forecast [N, ..., D] of `observed` [..., D].

    The CRPS with Euclidean distance over the last axis (Gneiting and Raftery 2007, equation 22).
    Components that were not observed are left out of the distance.
    """
    members, seen = _float(ensemble), _float(observed)
    there = np.isfinite(seen)
    members, seen = np.where(there, members, 0.0), np.where(there, seen, 0.0)
    size = members.shape[0]
    error = np.linalg.norm(members - seen, axis=-1).mean(axis=0)
    if size == 1:
        return _array(error)
    between = sum(
        np.linalg.norm(members[i + 1 :] - members[i], axis=-1).sum(axis=0) for i in range(size)
    )
    return _array(error - between / (size * (size - 1)))


def variogram_score(ensemble: ArrayLike, observed: ArrayLike, order: float = 0.5) -> Array:
    """Variogram score [...] of a joint forecast [N, ..., D]: are the differences right?

    Sum over all ordered pairs of (|y_i - y_j|^order - mean_n |x_ni - x_nj|^order)^2; pairs with a
    missing component count zero. Source: Scheuerer and Hamill 2015, Mon. Wea. Rev. 143.
    """
    members, seen = _float(ensemble), _float(observed)
    expected = np.zeros((*seen.shape, seen.shape[-1]))
    for member in members:
        expected += _variogram(member, order) / members.shape[0]
    return _array(np.nansum((_variogram(seen, order) - expected) ** 2, axis=(-2, -1)))


@dataclass(frozen=True)
class Skill:
    """1 - score / reference with a bootstrap interval; positive is better than the reference."""

    value: float
    lower: float
    upper: float
    blocks: int


def skill(
    scores: ArrayLike,
    reference: ArrayLike,
    blocks: ArrayLike,
    generator: Generator,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Skill:
    """Skill of `scores` [...] against paired scores of a `reference` [...], block-bootstrapped.

    `blocks` (broadcast to [...]) labels what is resampled whole, for instance the origin or the
    district of each score: scores inside a block depend on each other, blocks hardly do. Pairs
    with a missing score are left out. Percentile interval. Raises ValueError without any pair.
    """
    ours, theirs = np.broadcast_arrays(_float(scores), _float(reference))
    labels = np.broadcast_to(np.asarray(blocks), ours.shape)
    kept = np.isfinite(ours) & np.isfinite(theirs)
    if not kept.any():
        raise ValueError("skill needs at least one pair of finite scores")
    _, block = np.unique(labels[kept], return_inverse=True)
    sums = np.stack([np.bincount(block, ours[kept]), np.bincount(block, theirs[kept])])
    number = sums.shape[1]
    drawn = generator.multinomial(number, np.full(number, 1 / number), size=resamples)
    resampled = drawn @ sums.T  # [resamples, 2]
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(_skill(resampled[:, 0], resampled[:, 1]), (tail, 1 - tail))
    total = sums.sum(axis=1)
    return Skill(float(_skill(total[0], total[1])), float(lower), float(upper), number)


def _skill(score: Any, reference: Any) -> Any:
    return 1 - score / reference


def _variogram(values: Array, order: float) -> Array:
    gap: Array = np.abs(values[..., :, None] - values[..., None, :]) ** order
    return gap


def _float(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)


def _array(values: Any) -> Array:
    return np.asarray(values, dtype=np.float64)
