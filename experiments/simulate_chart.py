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
QUO_LABEL = "stock, status quo"
#: Smallest height of a life-cycle panel, so that noise does not look like change.
LEAST_SPAN = 0.05
#: Colour and width of a stage: from the wish to what stands.
STAGE_STYLES = {
    "request": ("#c9b037", 3.0),
    "paid": ("#b8621b", 1.5),
    "pipeline": ("#7b4ea3", 1.5),
    "stock": (BLUE, 2.5),
    "condition": (GREEN, 1.5),
}


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


def life_cycle_chart(result: Simulation, title: str) -> bytes:
    """A PNG: the five stages of each stock that was followed, one panel a stock."""
    names = list(result.life_cycle)
    columns = min(len(names), COLUMNS)
    rows = -(-len(names) // columns)
    size = (max(7.0, 3.25 * columns), 0.9 + max(3.6, 2.6 * rows))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, name in zip(panels, names, strict=False):
        _stages(panel, result, name)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    entries = {
        label: line
        for panel in panels
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    order = [label for label in (*STAGE_STYLES, QUO_LABEL) if label in entries]
    figure.legend(
        [entries[label] for label in order],
        order,
        loc="outside lower center",
        ncols=len(order),
        fontsize=9,
        frameon=False,
        columnspacing=1.2,
    )
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _stages(panel: Axes, result: Simulation, name: str) -> None:
    for stage, path in result.life_cycle[name].items():
        months = np.arange(1, path.shape[1] + 1)
        color, width = STAGE_STYLES[stage]
        panel.plot(months, path[SET], color=color, linewidth=width, label=stage)
    quo = result.life_cycle[name]["stock"][QUO]
    panel.plot(months, quo, color=GREY, linewidth=1, linestyle=":", label=QUO_LABEL)
    panel.set_title(f"{name.replace('_', ' ')}, 1 = first year", fontsize=10, loc="left")
    panel.set_xlabel("month", fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8)
    panel.margins(x=0.02)
    low, high = panel.get_ylim()
    middle, half = (low + high) / 2, max(high - low, LEAST_SPAN) / 2
    panel.set_ylim(middle - half, middle + half)


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
