"""A region in two levels: what a policy does in the whole and inside the districts it holds.

The picture draws each district as a disc scaled to its land, coloured by the change of its
residents; a held district is drawn again beside the whole, with its own districts.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PatchCollection
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray
from torch import Tensor

from envs.city import welfare
from envs.city.levers import baseline_policy
from envs.city.model import City
from envs.city.region import Region
from envs.city.shocks import no_shocks

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """One level after a run beside its status quo.

    xy: ``[D, 2]`` km; land: ``[D]`` km2; people: ``[D]`` residents at the end; change: ``[D]``
    share of the status quo; minutes: ``[D]`` change of the mean commute, minutes a leg.
    """

    name: str
    codes: tuple[str, ...]
    xy: Floats
    land: Floats
    people: Floats
    change: Floats
    minutes: Floats


@dataclass(frozen=True)
class RegionResult:
    """Both levels, and welfare of the whole in the last month against the status quo."""

    whole: Level
    parts: dict[int, Level]
    welfare: float


def simulate(
    region: Region,
    requested: Mapping[str, Tensor],
    months: int,
    codes: Sequence[str],
    inside: Mapping[int, Mapping[str, Tensor]],
    tick: Callable[[], None],
) -> RegionResult:
    """Run a region with fixed levers and without, in a quiet world.

    Args:
        requested: levers of the whole ``[1, ...]``; inside: by held district, in detail.
        codes: of the districts of the whole.
    """
    whole = region.whole
    like = whole.start.planning.home_rent
    quiet = no_shocks(1, whole.districts, like)
    reference = welfare.reference(whole)
    ends, gains = [], []
    for policy, detail in (
        (baseline_policy(1, whole.districts, like.dtype), {}),
        (requested, inside),
    ):
        state = region.initial(1)
        with torch.no_grad():
            for _ in range(months):
                state, flows = region.step(state, policy, quiet, detail)
                tick()
        ends.append(flows)
        gains.append(float(welfare.evaluate(whole, reference, flows.whole).total))
    quo, then = ends
    parts = {
        district: _level(
            part.city,
            f"inside {codes[district]}",
            [f"{codes[district]}.{index}" for index in range(part.city.districts)],
            quo.parts[district],
            then.parts[district],
        )
        for district, part in region.parts.items()
    }
    level = _level(whole, "the whole", codes, quo.whole, then.whole)
    return RegionResult(level, parts, gains[1] - gains[0])


def _level(city: City, name: str, codes: Sequence[str], quo: object, then: object) -> Level:
    before, after = (flows.residents.people for flows in (quo, then))  # type: ignore[attr-defined]
    minutes = [
        (flows.commute.minutes * people).sum(-1) / people.sum(-1)  # type: ignore[attr-defined]
        for flows, people in ((quo, before), (then, after))
    ]
    people = after.sum(-1)[0]
    return Level(
        name=name,
        codes=tuple(codes),
        xy=city.geography.xy[0].numpy(),
        land=city.geography.land[0].numpy(),
        people=people.numpy(),
        change=(people / before.sum(-1)[0] - 1).numpy(),
        minutes=(minutes[1] - minutes[0])[0].numpy(),
    )


def picture(result: RegionResult, title: str) -> bytes:
    """A PNG: the whole, and beside it each district that is a city."""
    levels = [result.whole, *result.parts.values()]
    figure = Figure(figsize=(1.5 + 5.2 * len(levels), 6.2), layout="compressed")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    axes = figure.subplots(1, len(levels), squeeze=False)[0]
    largest = max(float(np.abs(level.change).max()) for level in levels) or 1e-6
    norm = TwoSlopeNorm(0.0, -100 * largest, 100 * largest)
    for axis, level in zip(axes, levels, strict=True):
        discs = _draw(axis, level, norm, set(result.parts) if level is result.whole else set())
    bar = figure.colorbar(discs, ax=list(axes), shrink=0.8, pad=0.02)
    bar.set_label("residents against the status quo, %")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def _draw(axis: Axes, level: Level, norm: TwoSlopeNorm, held: set[int]) -> PatchCollection:
    """One level as discs; a held district has a thick outline."""
    radii = 0.75 * np.sqrt(level.land / np.pi)
    discs = PatchCollection(
        [Circle((x, y), r) for (x, y), r in zip(level.xy, radii, strict=True)],
        cmap=matplotlib.colormaps["RdBu"],
        norm=norm,
        edgecolors=["black" if i in held else "#8a8f98" for i in range(len(radii))],
        linewidths=[2.5 if i in held else 0.8 for i in range(len(radii))],
    )
    discs.set_array(100 * level.change)
    axis.add_collection(discs)
    strong = np.abs(100 * level.change) > 0.6 * float(norm.vmax or 0)
    for (x, y), code, dark in zip(level.xy, level.codes, strong, strict=True):
        ink = "white" if dark else "black"
        axis.annotate(code, (x, y), ha="center", va="center", fontsize=9, color=ink)
    axis.autoscale_view()
    axis.set_aspect("equal")
    axis.set_title(f"{level.name}: {level.people.sum():,.0f} residents", fontsize=11)
    axis.set_xlabel("km")
    axis.spines[["top", "right"]].set_visible(False)
    return discs
