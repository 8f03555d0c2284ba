"""Forecast fans as inline SVG: observed points, median, 50 and 90 % bands."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from experiments.dossier import scales
from experiments.dossier.content import Fan
from experiments.dossier.formats import compact, unit_words

WIDTH, HEIGHT = 340, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 24


def fan_svg(fan: Fan) -> Markup:
    """One small picture; hovering over a point shows its year and value."""
    x0, x1 = scales.finite_range([*fan.time, *fan.observed_time])
    low, high = scales.finite_range([*fan.low90, *fan.high90, *fan.observed])
    pad = 0.06 * (high - low)
    y0, y1 = low - pad, high + pad

    def x(time: float) -> float:
        return LEFT + scales.position(time, x0, x1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - scales.position(value, y0, y1) * (HEIGHT - TOP - BOTTOM)

    def line(values: Sequence[float]) -> str:
        return " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in zip(fan.time, values, strict=True))

    def band(lower: Sequence[float], upper: Sequence[float]) -> str:
        back = reversed(list(zip(fan.time, lower, strict=True)))
        return line(upper) + " " + " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in back)

    label = f"{fan.variable.replace('_', ' ')} in {unit_words(fan.unit)}"
    parts = [
        f'<svg class="fan" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Forecast and observations: {escape(label)}">'
    ]
    for value in scales.ticks(y0, y1, 4):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" '
            f'y2="{y(value):.1f}"/><text class="tick" x="{LEFT - 6}" y="{y(value) + 3.5:.1f}" '
            f'text-anchor="end">{compact(value)}</text>'
        )
    for year in _years(x0, x1):
        parts.append(
            f'<text class="tick" x="{x(year):.1f}" y="{HEIGHT - 7}" '
            f'text-anchor="middle">{year}</text>'
        )
    parts.append(f'<polygon class="band90" points="{band(fan.low90, fan.high90)}"/>')
    parts.append(f'<polygon class="band50" points="{band(fan.low50, fan.high50)}"/>')
    parts.append(f'<polyline class="median" points="{line(fan.median)}"/>')
    for time, value in zip(fan.observed_time, fan.observed, strict=True):
        parts.append(
            f'<circle class="seen" cx="{x(time):.1f}" cy="{y(value):.1f}" r="2.6">'
            f"<title>{time:.0f}: {compact(value)}</title></circle>"
        )
    parts.append("</svg>")
    return Markup("".join(parts))


def _years(first: float, last: float) -> list[int]:
    span = int(last) - int(first)
    step = next((s for s in (1, 2, 3, 4, 5, 10, 20) if span / s <= 5), 50)
    return [year for year in range(int(first), int(last) + 1, step) if first <= year <= last]
