"""Reference forecasts that a twin must beat before its numbers mean anything.

A panel is an array [T, D]: T equally spaced periods up to and including the origin, D districts,
on the scale of `envs.twin.scores.transformed` (logs or logits); NaN is missing. A forecast maps
(panel, horizon) to the values [D] `horizon` periods after the panel's last row. It sees nothing
else, so it cannot look ahead. A district whose last figures are missing is forecast from its last
figure over a horizon that much longer. Listed with their published scores in TWIN.md section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Forecast = Callable[[Array, int], Array]

WINDOW = 5
"""Periods over which drift, own trend and momentum average past growth."""

POOLING = 4.0
"""Weight of the sd pooled over districts against a district's own, in past errors: a district
has few of its own, yet outliers (a City of London) must not widen everybody's fan."""


def idiosyncratic(values: ArrayLike) -> Array:
    """`values` [..., D] less their mean over the districts that have one."""
    array = np.asarray(values, dtype=np.float64)
    return array - _nanmean(array, axis=-1)[..., None]


def persistence(panel: Array, horizon: int) -> Array:
    """The last figure of each district."""
    return _last(panel)[0]


def climatology(panel: Array, horizon: int) -> Array:
    """The mean of all past figures of each district."""
    return _nanmean(panel, axis=0)


def seasonal_naive(panel: Array, horizon: int, period: int = 1) -> Array:
    """The last figure of the same season; `period` is 12 for monthly, 1 for yearly panels.

    Without a figure in that season yet, the last figure.
    """
    rows = np.arange(panel.shape[0])
    target = panel.shape[0] - 1 + horizon
    same, _ = _last(panel[(target - rows) % period == 0])
    return np.where(np.isfinite(same), same, persistence(panel, horizon))


def own_trend(panel: Array, horizon: int) -> Array:
    """Each district's last figure plus its own mean growth over the last `WINDOW` periods."""
    last, age = _last(panel)
    return last + (horizon + age) * _growth(panel)


def drift(panel: Array, horizon: int) -> Array:
    """Each district's last figure plus the districts' common mean growth over the window."""
    last, age = _last(panel)
    return last + (horizon + age) * _nanmean(_growth(panel), axis=0)


def pooled_momentum(panel: Array, horizon: int) -> Array:
    """Damped common momentum plus a pooled autoregression of the idiosyncratic growth.

    Common growth returns to its mean over the past, damped by its fitted autocorrelation kept in
    [0, 1]; the idiosyncratic growth is regressed, pooled over districts, on its last value and its
    mean over the window. Both are fitted on the panel alone and iterated to the horizon.
    """
    growth = np.diff(_filled(panel), axis=0)
    common = _nanmean(growth, axis=1)
    own = np.nan_to_num(growth - common[:, None])[np.isfinite(common)]
    common = common[np.isfinite(common)]
    usual = common.mean() if len(common) else 0.0
    surprise = common - usual
    damping = _slopes(surprise[:-1, None], surprise[1:])[0] if len(common) > 1 else 0.0
    damping = float(np.clip(damping, 0.0, 1.0))
    slopes = _own_slopes(own)
    total = np.zeros(panel.shape[1])
    for ahead in range(1, horizon + 1):
        following = _own_regressors(own) @ slopes if len(own) else 0.0
        own = np.concatenate([own, np.broadcast_to(following, (1, panel.shape[1]))])
        momentum = surprise[-1] * damping**ahead if len(common) else 0.0
        total += usual + momentum + own[-1]
    return _last(panel)[0] + total


REFERENCES: dict[str, Forecast] = {
    "persistence": persistence,
    "drift": drift,
    "own_trend": own_trend,
    "seasonal_naive": seasonal_naive,
    "climatology": climatology,
    "pooled_momentum": pooled_momentum,
}
"""Every reference by name."""


@dataclass(frozen=True)
class PastErrors:
    """A forecast's own errors known at an origin, as sd of two independent parts."""

    count: int  # past origins whose outcome is known
    common: float  # sd of the error shared by all districts
    own: Array  # [D] sd of each district's remaining error


def past_errors(forecast: Forecast, panel: Array, horizon: int, first: int = 2) -> PastErrors:
    """Errors `forecast` would have made from every earlier origin with a known outcome.

    `first` is the fewest rows an origin's panel must have. Raises ValueError if no origin is left.
    """
    origins = range(max(first, 1), panel.shape[0] - horizon + 1)
    errors = np.array(
        [panel[rows + horizon - 1] - forecast(panel[:rows], horizon) for rows in origins]
    ).reshape(len(origins), panel.shape[1])
    errors = errors[np.isfinite(errors).any(axis=1)]
    if not len(errors):
        raise ValueError(
            f"no past error at horizon {horizon} in {panel.shape[0]} periods: "
            f"at least {first + horizon} with figures are needed"
        )
    shared = _nanmean(errors, axis=1)
    squares = (errors - shared[:, None]) ** 2
    known = np.isfinite(squares).sum(axis=0)
    each = np.where(known > 0, _nanmean(squares, axis=0), 0.0)
    own = (known * each + POOLING * np.nanmean(squares)) / (known + POOLING)
    return PastErrors(
        count=len(errors), common=float(np.sqrt(np.mean(shared**2))), own=np.sqrt(own)
    )


def ensemble(
    forecast: Forecast,
    panel: Array,
    horizon: int,
    members: int,
    generator: Generator,
    first: int = 2,
) -> Array:
    """Predictive ensemble [N, D] of a reference, its spread from its own past errors only.

    Centre: the forecast. Each member adds one error common to all districts (Student t with as
    many degrees of freedom as past origins: few origins, wide tails) and one per district
    (normal, its sd shrunk towards the districts' pooled one). Raises ValueError where no past error
    is known at the origin.
    """
    errors = past_errors(forecast, panel, horizon, first)
    common = errors.common * generator.standard_t(errors.count, size=(members, 1))
    own = errors.own * generator.standard_normal((members, panel.shape[1]))
    fan: Array = forecast(panel, horizon) + common + own
    return fan


def _last(panel: Array) -> tuple[Array, Array]:
    """Last finite figure [D] of each district (NaN if none) and its age in periods [D]."""
    districts = panel.shape[1]
    if not panel.shape[0]:
        return np.full(districts, np.nan), np.zeros(districts)
    age = np.argmax(np.isfinite(panel[::-1]), axis=0)
    return panel[panel.shape[0] - 1 - age, np.arange(districts)], age.astype(np.float64)


def _growth(panel: Array) -> Array:
    """Mean growth per period [D] from the first figure inside the window to the last; 0 if one."""
    window = panel[-(WINDOW + 1) :]
    last, age = _last(window)
    first, start = _last(window[::-1])
    span = window.shape[0] - 1 - age - start
    growth: Array = np.where(span > 0, last - first, 0.0) / np.maximum(span, 1.0)
    return growth


def _filled(panel: Array) -> Array:
    """Panel with gaps between two figures filled by straight lines; the ends stay missing."""
    rows = np.arange(panel.shape[0])
    filled = np.full(panel.shape, np.nan)
    for district, series in enumerate(panel.T):
        there = np.isfinite(series)
        if there.any():
            filled[:, district] = np.interp(
                rows, rows[there], series[there], left=np.nan, right=np.nan
            )
    return filled


def _own_regressors(own: Array) -> Array:
    """Last growth and mean growth over the window [D, 2]."""
    return np.stack([own[-1], own[-WINDOW:].mean(axis=0)], axis=-1)


def _own_slopes(own: Array) -> Array:
    """Pooled least squares of growth on its regressors; one regressor while history is short."""
    if len(own) < 2:
        return np.zeros(2)
    rows = [(_own_regressors(own[:end]), own[end]) for end in range(1, len(own))]
    return _slopes(np.concatenate([x for x, _ in rows]), np.concatenate([y for _, y in rows]))


def _slopes(regressors: Array, target: Array) -> Array:
    """Least-squares slopes without intercept, of least norm where they are not determined."""
    return np.asarray(np.linalg.lstsq(regressors, target, rcond=None)[0], dtype=np.float64)


def _nanmean(values: Array, axis: int) -> Array:
    """Mean over the finite values, NaN where there are none, without a warning."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
