"""The picture of the measures: communities, association, percolation, tags, scaling, coupling."""

from __future__ import annotations

import io
from collections.abc import Sequence
from os.path import commonprefix

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from envs.city.measures.month import Month, exponents, income, output
from envs.city.measures.spatial import spatial_weights
from envs.city.sizes import SECTOR_NAMES, TYPE_NAMES
from envs.city.wiring import BLOCKS
from experiments.measures import Readings

GREY, BLUE, RED = "#8a8f98", "#1f5fa8", "#b0413e"
TOWNS = (
    "#1f5fa8", "#d98c21", "#2a7f4f", "#b0413e", "#6b4fa0", "#7a5c45", "#c95f9f", "#5b9aa0",
    "#a0a032", "#3d3d3d",
)  # fmt: skip
#: Districts named on the map; more would be unreadable.
NAMED = 40


def chart(readings: Readings, title: str, codes: Sequence[str]) -> bytes:
    """A PNG of six panels, all of the last month."""
    figure = Figure(figsize=(15, 9.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    panels = figure.subplots(2, 3)
    _map(panels[0, 0], readings, codes)
    _percolation(panels[0, 1], readings)
    _association(panels[0, 2], readings)
    _scaling(panels[1, 0], readings.month)
    _tags(panels[1, 1], readings.month)
    _coupling(panels[1, 2], readings)
    for panel in panels.flatten():
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _title(panel: Axes, text: str) -> None:
    panel.set_title(text, fontsize=10, loc="left", weight="bold")


def _map(panel: Axes, readings: Readings, codes: Sequence[str]) -> None:
    month, towns = readings.month, readings.towns
    place = month.city.geography.xy[0].numpy()
    flow = month.trips.sum(2)[0].numpy()
    both = flow + flow.T
    widest = both[np.triu_indices(len(both), 1)].max()
    for i, j in zip(*np.triu_indices(len(both), 1), strict=True):
        weight = both[i, j] / widest
        if weight > 0.1:
            panel.plot(*place[[i, j]].T, color=GREY, linewidth=3 * weight, alpha=0.6, zorder=1)
    people = month.people.sum(-1)[0].numpy()
    colours = [TOWNS[label % len(TOWNS)] for label in towns.labels]
    sizes = 40 + 260 * people / people.max()
    panel.scatter(place[:, 0], place[:, 1], s=sizes, c=colours, zorder=2)
    if len(codes) <= NAMED:
        shared = len(commonprefix(list(codes)))  # noqa: RUF071 (codes, not paths)
        for code, spot in zip(codes, place, strict=True):
            panel.annotate(
                code[shared:], tuple(spot), fontsize=7, color="white", ha="center", va="center"
            )
    panel.set_aspect("equal", adjustable="datalim")
    panel.set_xlabel("km", fontsize=9)
    count = towns.labels.max() + 1
    _title(panel, f"{count} commuting communities (modularity {towns.modularity:.2f})")


def _percolation(panel: Axes, readings: Readings) -> None:
    found = readings.clusters
    panel.step(100 * found.thresholds, found.largest, color=BLUE, where="post", label="largest")
    panel.step(100 * found.thresholds, found.second, color=RED, where="post", label="second")
    panel.axvline(100 * found.critical, color=GREY, linestyle=":", label="transition")
    panel.invert_xaxis()
    panel.set_xlabel("weakest tie kept: % of a district's commuters", fontsize=9)
    panel.set_ylabel("cluster, share of districts", fontsize=9)
    panel.legend(fontsize=8, frameon=False)
    _title(panel, "Percolation of commuting")


def _association(panel: Axes, readings: Readings) -> None:
    month = readings.month
    value = income(month)[0].numpy()
    value = (value - value.mean()) / value.std()
    near = spatial_weights(month.city.geography.xy)[0].numpy() @ value
    slope = readings.last["moran_income"]
    ends = np.array([value.min(), value.max()])
    panel.axhline(0, color=GREY, linewidth=0.8)
    panel.axvline(0, color=GREY, linewidth=0.8)
    panel.scatter(value, near, s=24, color=BLUE)
    panel.plot(ends, near.mean() + slope * ends, color=RED)
    panel.set_xlabel("income per head, standard deviations", fontsize=9)
    panel.set_ylabel("the same of the neighbours", fontsize=9)
    _title(panel, f"Moran's I of income {slope:.2f} (z {readings.last['moran_income_z']:.1f})")


def _scaling(panel: Axes, month: Month) -> None:
    present = (month.people.sum(-1) + month.flows.market.jobs)[0].numpy()
    value = output(month)[0].numpy()
    fit = exponents(month, output)[0]
    middle = np.exp(np.log(value).mean() - fit.exponent * np.log(present).mean())
    ends = np.array([present.min(), present.max()])
    panel.scatter(present, value, s=24, color=BLUE)
    panel.plot(ends, middle * ends**fit.exponent, color=RED)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel("residents and jobs of a district", fontsize=9)
    panel.set_ylabel("output a month", fontsize=9)
    _title(panel, f"Output grows with exponent {fit.exponent:.2f} ± {fit.error:.2f}")


def _tags(panel: Axes, month: Month) -> None:
    table = month.matches[0].numpy()
    chance = np.outer(table.sum(1), table.sum(0)) / table.sum()
    lift = table / chance
    panel.imshow(lift, cmap="RdBu_r", vmin=0, vmax=2, aspect="auto")
    for (i, j), value in np.ndenumerate(lift):
        colour = "white" if abs(value - 1) > 0.7 else "black"
        panel.annotate(f"{value:.2f}", (j, i), ha="center", va="center", fontsize=8, color=colour)
    panel.set_xticks(range(len(SECTOR_NAMES)), SECTOR_NAMES, fontsize=8)
    panel.set_yticks(range(len(TYPE_NAMES)), TYPE_NAMES, fontsize=8)
    _title(panel, "Workers by type and sector, over chance")


def _coupling(panel: Axes, readings: Readings) -> None:
    found = readings.coupling
    panel.imshow(np.nan_to_num(found), cmap="Blues", vmin=0, aspect="auto")
    bright = np.nanmax(found) / 2
    for (i, j), value in np.ndenumerate(found):
        text = "" if np.isnan(value) else f"{value:.2f}"
        colour = "white" if value > bright else "black"
        panel.annotate(text, (j, i), ha="center", va="center", fontsize=9, color=colour)
    panel.set_xticks(range(len(BLOCKS)), BLOCKS, fontsize=8, rotation=20)
    panel.set_yticks(range(len(BLOCKS)), BLOCKS, fontsize=8)
    panel.set_ylabel("ports disturbed", fontsize=9)
    panel.set_xlabel("state that moves, per unit of disturbance, in a year", fontsize=9)
    _title(panel, "Coupling of the blocks")
