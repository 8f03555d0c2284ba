"""Pictures of two panels side by side, as pages and reports show them."""

from __future__ import annotations

import io
from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

#: Colours that pictures of two panels share.
GREY, BLUE, GREEN, RED = "#8a8f98", "#1f5fa8", "#2a7f4f", "#b0413e"
Draw = Callable[[Axes], None]


def two_panels(title: str, left: Draw, right: Draw, widths: tuple[float, float]) -> bytes:
    """A PNG of two panels, each drawn by a function; widths are relative."""
    figure = Figure(figsize=(12.5, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12)
    for panel, draw in zip(figure.subplots(1, 2, width_ratios=widths), (left, right), strict=True):
        draw(panel)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=9)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()
