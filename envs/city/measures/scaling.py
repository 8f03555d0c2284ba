"""Scaling exponents: how a quantity grows with the size of a city or district."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit
from scipy.stats import linregress


@dataclass(frozen=True)
class Exponent:
    """Slope of ``ln quantity`` on ``ln size`` over n places by ordinary least squares.

    error: standard error; low, high: 95 % interval of Student's t; r_squared: share of the
    variance explained.
    """

    exponent: float
    error: float
    low: float
    high: float
    r_squared: float
    places: int


def scaling_exponent(size: ArrayLike, quantity: ArrayLike) -> Exponent:
    """Exponent of a power law ``quantity ~ size^exponent`` (Bettencourt et al. 2007).

    Args:
        size, quantity: ``[n]``, above zero.

    Raises:
        ValueError: fewer than three places, or a value that has no logarithm.
    """
    x, y = np.asarray(size, dtype=float), np.asarray(quantity, dtype=float)
    if x.size < 3:
        raise ValueError(f"{x.size} places: an exponent with an error needs at least three")
    if min(x.min(), y.min()) <= 0:
        raise ValueError("sizes and quantities must be above zero")
    fit = linregress(np.log(x), np.log(y))
    half = float(stdtrit(x.size - 2, 0.975)) * float(fit.stderr)
    slope = float(fit.slope)
    return Exponent(slope, float(fit.stderr), slope - half, slope + half, fit.rvalue**2, x.size)
