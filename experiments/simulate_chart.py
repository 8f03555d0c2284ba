"""The picture of a simulation: the indicators that moved most, beside the status quo."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.simulate import QUO, SET, Simulation

ROWS, COLUMNS = 3, 4
GREY, BLUE, GREEN = "#8a8f98", "#1f5fa8", "#2a7f4f"


def chart(result: Simulation, title: str, currency: str) -> bytes:
    """A PNG: welfare and the eleven indicators that moved most, by month."""
    figure = Figure(figsize=(13, 8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    panels = figure.subplots(ROWS, COLUMNS).flatten()
    _welfare(panels[0], result)
    moved = sorted(result.changes(currency), key=lambda record: -abs(record["notable"]))
    for panel, record in zip(panels[1:], moved, strict=False):
        _indicator(panel, result, record["indicator"], record["unit"])
    panels[1].legend(fontsize=8, frameon=False)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
        panel.margins(x=0.02)
    for panel in panels[-COLUMNS:]:
        panel.set_xlabel("month", fontsize=9)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _welfare(panel: Axes, result: Simulation) -> None:
    months = np.arange(1, len(result.welfare) + 1)
    panel.axhline(0.0, color=GREY, linewidth=1)
    panel.plot(months, 100 * result.welfare, color=GREEN, linewidth=2)
    panel.set_title("welfare gain, % of income", fontsize=10, loc="left", weight="bold")


def _indicator(panel: Axes, result: Simulation, name: str, unit: str) -> None:
    series = result.indicators[name]
    months = np.arange(1, series.shape[1] + 1)
    panel.plot(months, series[QUO], color=GREY, linewidth=1.5, label="status quo")
    panel.plot(months, series[SET], color=BLUE, linewidth=2, label="with the levers")
    panel.set_title(f"{name.replace('_', ' ')}, {unit}", fontsize=10, loc="left")
    panel.ticklabel_format(axis="y", useOffset=False, scilimits=(-3, 6))
