"""Rows of dots with intervals on one common axis: geometry in per cent of the track."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.dossier import scales
from experiments.dossier.content import Effect
from experiments.dossier.formats import figure, percent, signed_percent
from experiments.gate import Check


@dataclass(frozen=True)
class Row:
    """One row; positions in per cent from the left end of the track."""

    label: str
    text: str
    at: float
    low: float
    high: float
    tone: str  # gain, loss, unsure, pass, fail, untested
    note: str = ""
    band: tuple[float, float] | None = None  # range that the dot has to lie in


@dataclass(frozen=True)
class Chart:
    """Rows on one axis with its tick marks and, where it is in view, the zero line."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float | None


def effect_chart(effects: Sequence[Effect]) -> Chart:
    """Welfare effects, in per cent of baseline income, around zero."""
    low, high = _padded([v for e in effects for v in (e.estimate, e.low, e.high)] + [0.0])
    rows = tuple(
        Row(
            label=effect.name,
            text=_interval_text(effect),
            at=_at(effect.estimate, low, high),
            low=_at(effect.low, low, high),
            high=_at(effect.high, low, high),
            tone=_tone(effect.low, effect.high),
            note=effect.note,
        )
        for effect in effects
    )
    digits = 1 if high - low >= 0.02 else 2
    return _chart(rows, low, high, lambda value: signed_percent(value, digits))


def check_chart(check: Check) -> Chart:
    """The figures behind a check, each with the range that it has to lie in."""
    shown = [
        value
        for m in check.measures
        for value in (m.value, m.low, m.high, m.least, m.most)
        if value is not None
    ]
    low, high = _padded([*shown, 0.0] if check.unit == "number" else shown)
    write: Callable[[float], str] = figure
    if check.unit == "share":
        digits = 2 if high - low < 0.03 else (1 if high - low < 0.2 else 0)

        def write(value: float) -> str:
            return percent(value, digits)

    rows = []
    for measure in check.measures:
        ends = (
            measure.value if measure.low is None else measure.low,
            measure.value if measure.high is None else measure.high,
        )
        band = None
        if measure.least is not None or measure.most is not None:
            least = low if measure.least is None else measure.least
            most = high if measure.most is None else measure.most
            band = (_at(least, low, high), _at(most, low, high))
        rows.append(
            Row(
                label=measure.label,
                text=write(measure.value),
                at=_at(measure.value, low, high),
                low=_at(ends[0], low, high),
                high=_at(ends[1], low, high),
                tone=measure.status,
                band=band,
            )
        )
    return _chart(tuple(rows), low, high, write)


def _chart(rows: tuple[Row, ...], low: float, high: float, write: Callable[[float], str]) -> Chart:
    marks = tuple(
        (100 * scales.position(value, low, high), write(value)) for value in scales.ticks(low, high)
    )
    zero = 100 * scales.position(0.0, low, high) if low <= 0 <= high else None
    return Chart(rows, marks, zero)


def _at(value: float, low: float, high: float) -> float:
    return round(100 * scales.position(value, low, high), 2)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = scales.finite_range(values)
    pad = 0.06 * (high - low)
    return low - pad, high + pad


def _tone(low: float, high: float) -> str:
    if low > 0:
        return "gain"
    return "loss" if high < 0 else "unsure"


def _interval_text(effect: Effect) -> str:
    if effect.low == effect.high:
        return signed_percent(effect.estimate)
    low = signed_percent(effect.low).removesuffix(" %")
    return f"{signed_percent(effect.estimate)} ({low} to {signed_percent(effect.high)})"
