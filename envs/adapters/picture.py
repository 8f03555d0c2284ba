"""How one environment looks: a text of a few lines, or a small picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

RENDER_MODES = ["human", "ansi", "rgb_array"]
METADATA: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 4}


def check_render_mode(mode: str | None) -> str | None:
    """Return the mode, or raise ValueError naming the known ones."""
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"render_mode {mode!r} is unknown; known: {', '.join(RENDER_MODES)}")
    return mode


@dataclass(frozen=True)
class Frame:
    """What is shown of one environment at one step.

    welfare: welfare component -> value, relative to the status-quo twin, share of income
    districts: [D] welfare of each district, relative to the status-quo twin, share of income
    indicators: indicator -> value in its own unit
    """

    title: str
    step: int = 0
    welfare: Mapping[str, float] = field(default_factory=dict)
    districts: NDArray[np.floating[Any]] = field(default_factory=lambda: np.zeros(0))
    indicators: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, title: str, step: int, info: Mapping[str, Any]) -> Frame:
        """A frame from the info of one environment; what the info lacks stays empty."""
        return cls(
            title,
            step,
            info.get("welfare", {}),
            np.asarray(info.get("welfare_by_district", np.zeros(0))),
            info.get("indicators", {}),
        )

    def show(self, mode: str | None) -> str | NDArray[np.uint8] | None:
        """The frame in a render mode: text ("ansi"), picture ("rgb_array"), printed ("human")."""
        if mode == "rgb_array":
            return self.picture()
        if mode == "ansi":
            return self.text()
        if mode == "human":
            print(self.text())
        return None

    def text(self) -> str:
        """Lines: title and step, welfare components, indicators."""
        lines = [f"{self.title}, step {self.step}"]
        lines += [f"  welfare {name}: {100 * value:+.3f} %" for name, value in self.welfare.items()]
        lines += [f"  {name}: {value:.4g}" for name, value in self.indicators.items()]
        return "\n".join(lines)

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture [height, width, 3]: welfare of each district beside the indicators."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 3.6), dpi=100, layout="constrained")
        canvas: Any = FigureCanvasAgg(figure)
        bars, words = figure.subplots(1, 2, width_ratios=[2, 1])
        values = 100 * self.districts
        colours = np.where(values < 0, "#b2543a", "#2f6f8f")
        bars.bar(np.arange(len(values)), values, color=list(colours))
        bars.axhline(0, color="#444444", linewidth=0.8)
        bars.set_xlabel("district")
        bars.set_ylabel("welfare against status quo, % of income")
        bars.set_title(f"{self.title}, step {self.step}", loc="left", fontsize=10)
        bars.spines[["top", "right"]].set_visible(False)
        words.axis("off")
        rows = [f"{name.replace('_', ' ')}  {value:.4g}" for name, value in self.indicators.items()]
        words.text(0, 1, "\n".join(rows[:16]), va="top", fontsize=8, transform=words.transAxes)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()
