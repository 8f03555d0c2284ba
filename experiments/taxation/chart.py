"""The picture of the comparison: gains by aversion, once adapted and along the way, and rates."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.taxation.play import AVERSIONS
from experiments.taxation.report import NAMES
from experiments.taxation.results import Taxation
from experiments.taxation.saez import RATE
from experiments.taxation.study import ENTRANTS

GREY = "#8a8f98"
COLOURS = dict(zip(ENTRANTS, ("#1f5fa8", "#8a8f98", "#2a7f4f"), strict=True))
DASHES = dict(zip(AVERSIONS, (":", "--", "-"), strict=True))


def chart(found: Taxation, title: str) -> bytes:
    """A PNG of three panels."""
    figure = Figure(figsize=(13.5, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12)
    adapted, path, rates = figure.subplots(1, 3)
    years = found.effort.months // 12, found.effort.adapted // 12
    _gains(
        adapted, found, "adapted", f"Once adapted: years {years[0] - years[1] + 1} to {years[0]}"
    )
    _gains(path, found, "path", f"Whole path: years 1 to {years[0]}")
    adapted.set_ylabel("gain over today's schedule, % of income", fontsize=9)
    adapted.legend(fontsize=8, frameon=False, loc="upper left")
    _rates(rates, found)
    for panel in (adapted, path, rates):
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=9)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _gains(panel: Axes, found: Taxation, measure: str, title: str) -> None:
    """Bars by aversion and entrant, with intervals over cities."""
    width = 0.8 / len(ENTRANTS)
    for number, name in enumerate(ENTRANTS):
        rows = [found.gain(aversion, name, measure) for aversion in AVERSIONS]
        places = np.arange(len(rows)) + width * (number - (len(ENTRANTS) - 1) / 2)
        means = np.array([row.mean for row in rows])
        reach = np.abs(np.array([[row.low, row.high] for row in rows]).T - means)
        panel.bar(places, means, width, color=COLOURS[name], alpha=0.85, label=NAMES[name])
        panel.errorbar(means * 0 + places, means, yerr=reach, fmt="none", ecolor="black", capsize=2)
    panel.axhline(0, color=GREY, linewidth=1)
    panel.set_xticks(range(len(AVERSIONS)), [f"e = {aversion:g}" for aversion in AVERSIONS])
    panel.set_title(title, fontsize=10, loc="left", weight="bold")


def _rates(panel: Axes, found: Taxation) -> None:
    """The rate in force by year, mean over cities."""
    years = np.arange(1, found.effort.months // 12 + 1)
    for name in ENTRANTS:
        for aversion, dash in DASHES.items():
            rates = 100 * found.scores[aversion][name].rates
            panel.plot(years, rates, dash, color=COLOURS[name], linewidth=1.6)
    for aversion, dash in DASHES.items():
        panel.plot([], [], dash, color="black", label=f"e = {aversion:g}")
    panel.axhline(100 * RATE.default, color=GREY, linewidth=1)
    panel.set_ylim(0, 100 * RATE.high * 1.05)
    panel.set_xlabel("year", fontsize=9)
    panel.set_ylabel("rate of income tax in force, %", fontsize=9)
    panel.legend(fontsize=8, frameon=False, loc="center right", bbox_to_anchor=(1, 0.37))
    panel.set_title("Rates (grey line: today's)", fontsize=10, loc="left", weight="bold")
