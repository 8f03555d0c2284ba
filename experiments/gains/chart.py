"""The picture of gains: five sources with intervals, and what each future would have been worth."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from experiments.gains.results import INTERVALS, Gains
from experiments.panels import BLUE, GREEN, GREY, RED, two_panels


def chart(found: Gains, title: str) -> bytes:
    """A PNG of two panels."""
    left, right = partial(_sources, found=found), partial(_gaps, found=found)
    return two_panels(title, left, right, (1, 1.25))


def _sources(panel: Axes, found: Gains) -> None:
    rows = list(reversed(found.sources))
    places = np.arange(len(rows))
    means = np.array([row.mean for row in rows])
    reach = np.array([row.high - row.mean for row in rows])
    panel.axvline(0, color=GREY, linewidth=1)
    panel.barh(places, means, height=0.55, color=BLUE, alpha=0.8)
    panel.errorbar(means, places, xerr=reach, fmt="none", ecolor="black", capsize=3, linewidth=1)
    panel.set_yticks(places, [row.source for row in rows])
    panel.set_xlabel("gain, % of income (95 % interval over futures)", fontsize=9)
    panel.set_title(
        f"Sources of gain, preset {found.effort.preset}", fontsize=10, loc="left", weight="bold"
    )


def _gaps(panel: Axes, found: Gains) -> None:
    """Each future's gap as a dot; mean and what it must exceed; what feedback earned."""
    places = np.arange(len(found.gaps))
    scatter = np.random.default_rng(0)
    for place, row in zip(places, found.gaps, strict=True):
        ahead = np.array(found.by_future[f"open loop, {row.preset}"])
        known = np.array(found.by_future[f"clairvoyant, {row.preset}"])
        beside = place + 0.16 * (2 * scatter.random(len(known)) - 1)
        panel.scatter(beside, known - ahead, s=14, color=GREY)
    panel.scatter([], [], s=14, color=GREY, label="each future")
    ends = (places - 0.3, places + 0.3)
    panel.hlines([row.gap for row in found.gaps], *ends, BLUE, linewidth=2.5, label="gap")
    panel.hlines(
        [INTERVALS * row.interval for row in found.gaps],
        *ends,
        RED,
        linestyle=":",
        label=f"{INTERVALS} intervals: the gap must exceed this",
    )
    earned = [row.feedback - row.open_loop for row in found.gaps]
    panel.scatter(places, earned, marker="D", s=40, color=GREEN, label="feedback", zorder=3)
    panel.axhline(0, color=GREY, linewidth=1, zorder=0)
    panel.set_xticks(range(len(found.gaps)), [row.preset for row in found.gaps])
    panel.set_ylabel("over the plan made in advance, % of income", fontsize=9)
    panel.set_title("Clairvoyant gap by preset", fontsize=10, loc="left", weight="bold")
    panel.legend(fontsize=8, frameon=False, loc="upper left")
