"""The picture of a regime change: welfare flow around the break, with and without it."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.regret.estimates import GOAL, LAST, WITHIN, Regret

COLOURS = ("#8a8f98", "#1f5fa8", "#2a7f4f", "#b0413e", "#8a5fb0", "#c98a1b")


def chart(found: Regret, title: str) -> bytes:
    """A PNG of two panels: flows by month, and recovered shares."""
    figure = Figure(figsize=(12.5, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12)
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    _flows(left, found)
    _shares(right, found)
    for panel in (left, right):
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=9)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _flows(panel: Axes, found: Regret) -> None:
    struck, step = found.struck, found.months_per_step
    for number, flow in enumerate(found.flows):
        colour = COLOURS[number % len(COLOURS)]
        months = (np.arange(flow.calm.shape[-1]) + 0.5) * step - struck.month
        calm, broken = (100 * x.mean((0, 1)) for x in (flow.calm, flow.broken))
        panel.plot(months, calm, color=colour, linestyle=":", linewidth=1.2)
        panel.plot(months, broken, color=colour, linewidth=1.8, label=flow.name)
    panel.plot([], [], color="black", linestyle=":", linewidth=1.2, label="without the break")
    panel.axvline(0, color="black", linewidth=1)
    panel.axvspan(WITHIN - LAST, WITHIN, color="#8a8f98", alpha=0.15, linewidth=0)
    panel.set_xlabel("months since the break (shaded: where recovery is read)", fontsize=9)
    panel.set_ylabel("welfare flow against the status quo, % of income", fontsize=9)
    panel.legend(fontsize=8, frameon=False)


def _shares(panel: Axes, found: Regret) -> None:
    rows = [row for row in found.rows if row.recovered is not None]
    panel.axvline(0, color="black", linewidth=1)
    panel.axvline(GOAL, color="#b0413e", linestyle=":", label=f"goal: {GOAL:.0%}")
    for place, row in enumerate(rows):
        assert row.recovered is not None
        share = row.recovered
        panel.plot([share.low, share.high], [place, place], color="#1f5fa8", linewidth=2)
        panel.plot([share.estimate], [place], "o", color="#1f5fa8")
    panel.set_yticks(range(len(rows)), [row.policy for row in rows])
    panel.set_ylim(-0.6, max(len(rows), 1) - 0.4)
    panel.set_xlabel("share of the frozen policy's loss recovered (95 % interval)", fontsize=9)
    if not rows:
        panel.text(0.5, 0.5, "no loss to recover", transform=panel.transAxes, ha="center")
    panel.legend(fontsize=8, frameon=False)
