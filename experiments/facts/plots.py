"""The manner of the facts' pictures."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

GREY, BLUE, GREEN, ORANGE, RED = "#8a8f98", "#1f5fa8", "#2a7f4f", "#c9741a", "#b03a3a"
SHADE = "#e8eef6"
COLOURS = (BLUE, GREEN, ORANGE, RED, GREY)


def canvas(columns: int = 2, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side."""
    figure = Figure(figsize=(4.6 * columns, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(1, columns, squeeze=False).flatten())
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
    return figure, panels


def label(panel: Axes, title: str, across: str, up: str) -> None:
    """Title and axes of a panel."""
    panel.set_title(title, fontsize=10, loc="left", weight="bold")
    panel.set_xlabel(across, fontsize=9)
    panel.set_ylabel(up, fontsize=9)


def legend(panel: Axes, **options: Any) -> None:
    """A quiet legend."""
    panel.legend(fontsize=8, frameon=False, **options)


def band(panel: Axes, low: float, high: float, words: str) -> None:
    """The accepted band, shaded."""
    panel.axhspan(low, high, color=SHADE, zorder=0, label=words)


def png(figure: Figure) -> bytes:
    """The picture as a file."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()
