"""Statistics of comparisons: robust means, bootstrap intervals, multiple testing, tails.

Everything is vectorised NumPy with an explicit generator. Scores come as ``[S, T]``: S training
seeds (the unit that a claim about learning rests on) by T strata (posterior draws, tasks or held
-out cities). Interquartile mean, stratified bootstrap and probability of improvement follow
Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]  # [R, S, T] -> [R]
Resampling = Literal["runs", "seeds", "crossed"]

stats: Any = scipy.stats  # its distributions are made at import and invisible to type checkers

_CHUNK_CELLS = 4_000_000  # resampled cells held at once: 32 MB


@dataclass(frozen=True)
class Interval:
    """An estimate with the two ends of its interval, in the unit of the data."""

    estimate: float
    low: float
    high: float


def interquartile_mean(values: ArrayLike, axis: int | None = None) -> Floats:
    """Mean of the middle half: the lowest and highest quarter are cut (rounded down).

    Robust like a median, precise like a mean. Equals ``scipy.stats.trim_mean(values, 0.25)``.
    """
    array = np.asarray(values, dtype=np.float64)
    if axis is None:
        array, axis = array.reshape(-1), 0
    count = array.shape[axis]
    if count == 0:
        raise ValueError("interquartile_mean needs at least one value")
    cut = count // 4
    ordered = np.sort(array, axis=axis)
    kept = np.take(ordered, np.arange(cut, count - cut), axis=axis)
    return np.asarray(kept.mean(axis=axis))


def pooled_interquartile_mean(values: Floats) -> Floats:
    """Interquartile mean over seeds and strata together: ``[..., S, T] -> [...]``."""
    return interquartile_mean(values.reshape(*values.shape[:-2], -1), axis=-1)


def pooled_mean(values: Floats) -> Floats:
    """Plain mean over seeds and strata together: ``[..., S, T] -> [...]``."""
    return np.asarray(values.mean(axis=(-2, -1)))


def stratified_bootstrap(
    values: ArrayLike,
    generator: np.random.Generator,
    statistic: Statistic = pooled_interquartile_mean,
    replications: int = 2000,
    resample: Resampling = "runs",
) -> Floats:
    """Bootstrap distribution ``[R]`` of a statistic of scores ``[S, T]``.

    ``resample`` names what is drawn anew with replacement:

    - ``"runs"``: seeds, independently within each stratum; every cell is a training run of its
      own (one run a seed and task).
    - ``"seeds"``: whole seeds, the strata stay; one training run is scored on every stratum.
    - ``"crossed"``: whole seeds and whole strata, both are samples. The pigeonhole bootstrap of
      Owen 2007, whose variance is never too small on average.
    """
    scores = _matrix(values)
    seeds, strata = scores.shape
    chunk = max(1, _CHUNK_CELLS // scores.size)
    parts = []
    for start in range(0, replications, chunk):
        size = min(chunk, replications - start)
        if resample == "runs":
            rows = generator.integers(seeds, size=(size, seeds, strata))
            columns = np.arange(strata)[None, None, :]
        else:
            rows = generator.integers(seeds, size=(size, seeds, 1))
            columns = (
                generator.integers(strata, size=(size, 1, strata))
                if resample == "crossed"
                else np.arange(strata)[None, None, :]
            )
        parts.append(statistic(scores[rows, columns]))
    return np.concatenate(parts)


def percentile_interval(
    values: ArrayLike,
    generator: np.random.Generator,
    statistic: Statistic = pooled_interquartile_mean,
    level: float = 0.95,
    replications: int = 2000,
    resample: Resampling = "runs",
) -> Interval:
    """Two-sided percentile interval of a stratified bootstrap."""
    scores = _matrix(values)
    draws = stratified_bootstrap(scores, generator, statistic, replications, resample)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(statistic(scores[None])[0]), float(low), float(high))


@dataclass(frozen=True)
class GainTest:
    """A bootstrap test of "gain above zero": interval and one-sided p-value."""

    interval: Interval
    p_value: float


def student_test(
    values: ArrayLike,
    generator: np.random.Generator,
    statistic: Statistic = pooled_interquartile_mean,
    level: float = 0.95,
    replications: int = 2000,
    resample: Resampling = "crossed",
) -> GainTest:
    """Interval and p-value from a bootstrap standard error and a Student quantile.

    A percentile interval of ten seeds is too short and cannot reach the far tail that a
    correction for many comparisons asks for. Here the standard error comes from the bootstrap,
    widened by n / (n - 1) for what few seeds and strata hide, and the quantile from Student's t
    with Satterthwaite's degrees of freedom for a variance of two sources. A single seed leaves
    the strata as the only source; where they stay (``"seeds"``) it says nothing.
    """
    scores = _matrix(values)
    estimate = float(statistic(scores[None])[0])
    units = len(scores) if resample == "seeds" else scores.size
    if units < 2:
        return GainTest(Interval(estimate, -np.inf, np.inf), 1.0)
    draws = stratified_bootstrap(scores, generator, statistic, replications, resample)
    widening, freedom = _sources(scores, (1,) if resample == "seeds" else (1, 0))
    error = float(draws.std(ddof=1)) * np.sqrt(widening)
    reach = error * float(stats.t.ppf((1 + level) / 2, freedom))
    if error == 0.0:
        p_value = 0.0 if estimate > 0 else 1.0
    else:
        p_value = float(stats.t.sf(estimate / error, freedom))
    return GainTest(Interval(estimate, estimate - reach, estimate + reach), p_value)


def probability_of_improvement(treated: ArrayLike, reference: ArrayLike) -> float:
    """P(a run of ``treated [S, T]`` beats a run of ``reference [S', T]``), ties count half.

    Computed within each stratum over all pairs, then averaged over strata.
    """
    first, second = _matrix(treated), _matrix(reference)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"strata differ: {first.shape[1]} and {second.shape[1]}")
    return float(_wins(first, second).mean())


def improvement_interval(
    treated: ArrayLike,
    reference: ArrayLike,
    generator: np.random.Generator,
    level: float = 0.95,
    replications: int = 2000,
    resample: Resampling = "crossed",
) -> Interval:
    """Probability of improvement with a bootstrap percentile interval.

    Seeds of both sides are drawn apart, strata (which the sides share) together; ``"seeds"``
    leaves the strata as they are. A bootstrap of runs that all win never draws a loss; the bound
    is then the exact (Clopper-Pearson) one of as many wins as the side with fewer seeds has.
    """
    first, second = _matrix(treated), _matrix(reference)
    estimate = probability_of_improvement(first, second)
    rows, columns, strata = len(first), len(second), first.shape[1]
    if estimate in (0.0, 1.0):
        units = min((count for count in (rows, columns) if count > 1), default=strata)
        exact = binomial_interval(units if estimate else 0, units, level)
        return Interval(estimate, exact.low, exact.high)
    draws = [_shares(generator, count, replications) for count in (rows, columns)]
    draws.append(
        _shares(generator, strata, replications)
        if resample == "crossed"
        else np.full((replications, strata), 1 / strata)
    )
    spread = np.einsum("rs,sut->rut", draws[0], _wins(first, second))
    drawn = np.einsum("ru,rt,rut->r", draws[1], draws[2], spread)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high))


@dataclass(frozen=True)
class Band:
    """A curve with the two ends of its pointwise interval, arrays ``[K]``."""

    estimate: Floats
    low: Floats
    high: Floats


def performance_profile(values: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Share of all scores ``[S, T]`` above each threshold ``[K]``: ``[K]``.

    Where one curve lies above another everywhere, its algorithm is better whatever counts as
    good. The area under it is the mean (of scores that are not negative).
    """
    cuts = np.asarray(thresholds, dtype=np.float64)
    return np.asarray(_exceeding(_matrix(values)[None], cuts)[0])


def profile_band(
    values: ArrayLike,
    thresholds: ArrayLike,
    generator: np.random.Generator,
    level: float = 0.95,
    replications: int = 1000,
    resample: Resampling = "crossed",
) -> Band:
    """Performance profile with a pointwise bootstrap percentile interval."""
    scores, cuts = _matrix(values), np.asarray(thresholds, dtype=np.float64)
    draws = stratified_bootstrap(
        scores, generator, lambda drawn: _exceeding(drawn, cuts), replications, resample
    )
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Band(_exceeding(scores[None], cuts)[0], low, high)


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down adjusted p-values, in the order given; valid under any dependence."""
    raw = np.asarray(p_values, dtype=np.float64).reshape(-1)
    if raw.size and not ((raw >= 0) & (raw <= 1)).all():
        raise ValueError("p-values must lie in [0, 1]")
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def cvar(values: ArrayLike, share: float = 0.1, axis: int | None = None) -> Floats:
    """Conditional value at risk: mean of the lowest ``share`` of outcomes (higher is better).

    The empirical distribution is cut exactly at ``share``: an outcome on the border counts with
    the fraction of it that belongs to the tail.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], got {share}")
    array = np.asarray(values, dtype=np.float64)
    if axis is None:
        array, axis = array.reshape(-1), 0
    ordered = np.moveaxis(np.sort(array, axis=axis), axis, -1)
    count = ordered.shape[-1]
    weights = np.clip(share * count - np.arange(count), 0.0, 1.0)
    return np.asarray(ordered @ weights / weights.sum())


def binomial_interval(successes: int, count: int, level: float = 0.95) -> Interval:
    """Exact (Clopper-Pearson) interval of a rate."""
    if not 0 <= successes <= count or count < 1:
        raise ValueError(f"need 0 <= successes <= count, got {successes} of {count}")
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, successes, count - successes + 1)) if successes else 0.0
    failures = count - successes
    high = float(stats.beta.ppf(1 - tail, successes + 1, failures)) if failures else 1.0
    return Interval(successes / count, low, high)


def _wins(first: Floats, second: Floats) -> Floats:
    """1 where a run beats another, 1/2 where they tie: ``[S, T], [S', T] -> [S, S', T]``."""
    difference = first[:, None, :] - second[None, :, :]
    return np.asarray((difference > 0) + 0.5 * (difference == 0))


def _shares(generator: np.random.Generator, count: int, replications: int) -> Floats:
    """Share of each of ``count`` units in samples drawn with replacement: ``[R, count]``."""
    return np.asarray(generator.multinomial(count, [1 / count] * count, replications) / count)


def _exceeding(values: Floats, thresholds: Floats) -> Floats:
    """Share of cells above each threshold: ``[R, S, T], [K] -> [R, K]``."""
    return np.stack([(values > cut).mean(axis=(-2, -1)) for cut in thresholds], axis=-1)


def _sources(scores: Floats, averaged: tuple[int, ...]) -> tuple[float, float]:
    """Small-sample widening of the variance and degrees of freedom of a sample.

    The variance of the grand mean has a part from the seeds (means along axis 1) and, where they
    are drawn too, one from the strata (along axis 0); each is known with n - 1 degrees of freedom.
    """
    parts, counts = [], []
    for axis in averaged:
        means = scores.mean(axis=axis)
        if means.size > 1:
            parts.append(float(means.var()) / means.size)
            counts.append(means.size)
    total = sum(parts)
    if total <= 0:
        return 1.0, float(max(counts) - 1)
    shares = [part / total for part in parts]
    pairs = list(zip(shares, counts, strict=True))
    widening = sum(share * n / (n - 1) for share, n in pairs)
    return widening, 1 / sum(share**2 / (n - 1) for share, n in pairs)


def _matrix(values: ArrayLike) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim == 1:
        scores = scores[:, None]
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"scores must be [seeds, strata] and not empty, got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    return scores
