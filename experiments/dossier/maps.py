"""Maps of the welfare effect by district: a tile grid, or points where they lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from experiments.dossier import scales
from experiments.dossier.content import DistrictEffect
from experiments.dossier.formats import signed_percent

TILE, GAP = 62, 4
PLANE = 500  # side of the point map


def map_svg(
    districts: Sequence[DistrictEffect], tiles: Mapping[str, tuple[int, int, str]]
) -> Markup:
    """Tile map where every district has a tile, else a map of points."""
    if not districts:
        return Markup("")
    if all(district.code in tiles for district in districts):
        return _tile_map(districts, tiles)
    return _point_map(districts)


def colour_limit(districts: Sequence[DistrictEffect]) -> float:
    """End of the colour scale, the same for gains and losses."""
    return scales.round_up(max((abs(d.estimate) for d in districts), default=0.0))


def legend_stops(limit: float) -> list[tuple[str, str]]:
    """Colours and labels of the legend, from loss to gain."""
    steps = (-1.0, -0.5, 0.0, 0.5, 1.0)
    digits = 1 if limit >= 0.01 else 2
    return [
        (scales.diverging(step * limit, limit), signed_percent(step * limit, digits))
        for step in steps
    ]


def _tile_map(
    districts: Sequence[DistrictEffect], tiles: Mapping[str, tuple[int, int, str]]
) -> Markup:
    limit = colour_limit(districts)
    places = [tiles[district.code] for district in districts]
    rows, columns = 1 + max(p[0] for p in places), 1 + max(p[1] for p in places)
    parts = [_open(columns * (TILE + GAP), rows * (TILE + GAP), "tiles")]
    for district, (row, column, short) in zip(districts, places, strict=True):
        left, top = column * (TILE + GAP) + GAP / 2, row * (TILE + GAP) + GAP / 2
        middle = left + TILE / 2
        colour = scales.ink(district.estimate, limit)
        parts.append(
            f"<g>{_tooltip(district)}"
            f'<rect x="{left}" y="{top}" width="{TILE}" height="{TILE}" rx="6" '
            f'fill="{scales.diverging(district.estimate, limit)}"{_outline(district)}/>'
            f'<text x="{middle}" y="{top + 28}" text-anchor="middle" class="code" '
            f'fill="{colour}">{escape(short)}</text>'
            f'<text x="{middle}" y="{top + 46}" text-anchor="middle" class="value" '
            f'fill="{colour}">{_short(district.estimate)}</text></g>'
        )
    return Markup("".join([*parts, "</svg>"]))


def _point_map(districts: Sequence[DistrictEffect]) -> Markup:
    limit = colour_limit(districts)
    x0, x1 = scales.finite_range(d.x_km for d in districts)
    y0, y1 = scales.finite_range(d.y_km for d in districts)
    scale = (PLANE - 120) / max(x1 - x0, y1 - y0)
    places = [(60 + (d.x_km - x0) * scale, 40 + (y1 - d.y_km) * scale) for d in districts]
    radius = _radius(places)
    parts = [_open(PLANE, 40 + (y1 - y0) * scale + 60, "points")]
    for district, (x, y) in zip(districts, places, strict=True):
        parts.append(
            f'<g>{_tooltip(district)}<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" '
            f'fill="{scales.diverging(district.estimate, limit)}"{_outline(district)}/></g>'
        )
    for index in _readable_labels([d.name for d in districts], places, radius):
        x, y = places[index]
        parts.append(
            f'<text x="{x:.1f}" y="{y + radius + 12:.1f}" text-anchor="middle" class="name">'
            f"{escape(districts[index].name)}</text>"
        )
    return Markup("".join([*parts, "</svg>"]))


def _radius(places: Sequence[tuple[float, float]]) -> float:
    """Radius at which most neighbours do not overlap."""
    if len(places) < 2:
        return 20.0
    nearest = sorted(
        min(math.dist(a, b) for k, b in enumerate(places) if k != index)
        for index, a in enumerate(places)
    )
    return min(20.0, max(5.0, 0.5 * nearest[len(nearest) // 4]))


def _readable_labels(
    names: Sequence[str], places: Sequence[tuple[float, float]], radius: float
) -> list[int]:
    """Points whose name fits without covering another name or point."""
    taken: list[tuple[float, float, float, float]] = []
    shown = []
    for index, (name, (x, y)) in enumerate(zip(names, places, strict=True)):
        half, top = 3.0 * len(name), y + radius + 2
        box = (x - half, top, x + half, top + 13)
        points = (
            (px - radius, py - radius, px + radius, py + radius)
            for k, (px, py) in enumerate(places)
            if k != index
        )
        if not any(_overlap(box, other) for other in (*taken, *points)):
            taken.append(box)
            shown.append(index)
    return shown


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _open(width: float, height: float, kind: str) -> str:
    return (
        f'<svg class="map {kind}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="Map of the welfare effect by district">'
    )


def _tooltip(district: DistrictEffect) -> str:
    low, high = signed_percent(district.low), signed_percent(district.high)
    words = f"{district.name}: {signed_percent(district.estimate)} ({low} to {high})"
    return f"<title>{escape(words)}</title>"


def _outline(district: DistrictEffect) -> str:
    """A dashed edge where the interval holds zero: gain or loss is not certain there."""
    if district.low <= 0 <= district.high:
        return ' stroke="#7a828a" stroke-width="1.5" stroke-dasharray="3 3"'
    return ' stroke="#c9cdd1" stroke-width="1"'


def _short(share: float) -> str:
    return signed_percent(share, 1 if abs(share) >= 0.0995 else 2).removesuffix(" %")
