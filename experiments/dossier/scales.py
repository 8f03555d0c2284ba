"""Scales of pictures: round tick marks, positions, and colours for gains and losses."""

from __future__ import annotations

import math
from collections.abc import Iterable

GAIN, NEUTRAL, LOSS = (33, 102, 172), (244, 244, 241), (179, 88, 6)  # blue, paper, orange


def finite_range(values: Iterable[float], least_span: float = 1e-9) -> tuple[float, float]:
    """Smallest and largest finite value, never equal."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    if high - low < least_span:
        pad = max(abs(high) * 0.05, least_span)
        low, high = low - pad, high + pad
    return low, high


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers inside a range."""
    raw = (high - low) / max(1, count)
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def position(value: float, low: float, high: float) -> float:
    """Where a value lies between two ends, clipped to 0..1."""
    if math.isnan(value):
        return 0.0
    return min(1.0, max(0.0, (value - low) / (high - low)))


def round_up(value: float) -> float:
    """The next round number at or above a positive value."""
    if value <= 0:
        return 1.0
    size = 10 ** math.floor(math.log10(value))
    return float(
        next(size * m for m in (1, 1.5, 2, 3, 5, 7.5, 10) if size * m >= value * (1 - 1e-9))
    )


def diverging(value: float, limit: float) -> str:
    """Colour of a gain (blue) or loss (orange) on a scale from -limit to limit."""
    strength = min(1.0, abs(value) / limit) ** 0.8
    end = GAIN if value >= 0 else LOSS
    mixed = (round(n + (e - n) * strength) for n, e in zip(NEUTRAL, end, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def ink(value: float, limit: float) -> str:
    """Colour of text that can be read on ``diverging(value, limit)``."""
    return "#ffffff" if abs(value) / limit > 0.6 else "#22282e"
