"""The picture of a comparison: intervals, profiles, who beats whom, learning curves."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.compare.comparison import (
    BEST_RULE,
    CLAIRVOYANT,
    INFORMED,
    RANDOM,
    STATUS_QUO,
    Comparison,
    Entry,
)
from experiments.compare.curves import Curve
from experiments.statistics import interquartile_mean

#: Colours that colour-blind readers tell apart (Okabe and Ito 2008); references are grey.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#444444")
GREYS = {
    STATUS_QUO: "#9aa0a6",
    RANDOM: "#c3b091",
    BEST_RULE: "#5f6368",
    CLAIRVOYANT: "#b8860b",
    INFORMED: "#8d6e63",
}
AXES = {
    "env_steps": "city steps",
    "iteration": "gradient steps",
    "rollout": "rollouts",
    "reward": "mean reward of a step while exploring",
    "return": "discounted sum of rewards",
    "welfare": "welfare while exploring",
}


def chart(found: Comparison, curves: Sequence[Curve], title: str) -> bytes:
    """A PNG of three panels, four where there are learning curves; names as short as can be."""
    found, curves = shortened(found, curves)
    rows = 2 if curves else 1
    entries = len(found.rows)
    size = (13.5 if curves else 16, rows * max(4.2, 0.42 * entries + 2.2))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12)
    panels = figure.subplots(rows, 2 if curves else 3).ravel()
    colours = colours_of(found)
    _intervals(panels[0], found, colours)
    _profiles(panels[1], found, colours)
    _improvements(panels[2], found)
    if curves:
        learning(panels[3], curves, colours)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=9)
    return png(figure)


def shortened(found: Comparison, curves: Sequence[Curve]) -> tuple[Comparison, list[Curve]]:
    """The same with names as pictures have room for (`brief`)."""
    short = brief([entry.name for entry in found.entries])
    entries = tuple(replace(entry, name=short[entry.name]) for entry in found.entries)
    named = [replace(curve, name=short.get(curve.name, curve.name)) for curve in curves]
    return replace(found, entries=entries), named


def brief(names: Sequence[str]) -> dict[str, str]:
    """Names with no more of the settings that tell them apart than it takes to do so.

    Args:
        names: kinds of agents with settings behind them, ``feedback scenario.delay=0.5``.
    """
    words = {name: [_last(word) for word in re.split(r" (?=[\w.]+=)", name)] for name in names}

    def lone(name: str, size: int) -> bool:
        return sum(other[:size] == words[name][:size] for other in words.values()) == 1

    short = {}
    for name, all_words in words.items():
        size = next((n for n in range(1, len(all_words)) if lone(name, n)), len(all_words))
        short[name] = " ".join(all_words[:size])
    return short


def _last(word: str) -> str:
    """A setting by the last part of its dotted key; other words as they are."""
    key, sign, value = word.partition("=")
    return f"{key.rsplit('.', 1)[-1]}={value}" if sign else word


def png(figure: Figure) -> bytes:
    """A figure as a file."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def colours_of(found: Comparison) -> dict[str, str]:
    """Colour of each entry by its name."""
    free = iter(PALETTE * (1 + len(found.rows) // len(PALETTE)))
    return {
        row.entry.name: GREYS[row.entry.role] if row.entry.role else next(free)
        for row in found.rows
    }


def dashed(entry: Entry) -> bool:
    """References are drawn with dashes."""
    return bool(entry.role)


def _intervals(panel: Axes, found: Comparison, colours: dict[str, str]) -> None:
    rows, scale = list(reversed(found.rows)), found.measure.scale
    for place, row in enumerate(rows):
        colour = colours[row.entry.name]
        ends = scale * np.array([row.iqm.low, row.iqm.high])
        panel.plot(ends, [place, place], color=colour, linewidth=7, alpha=0.45)
        cells = scale * interquartile_mean(row.entry.scores, axis=1)
        if len(cells) > 1:
            panel.plot(cells, np.full(len(cells), place), "|", color=colour, markersize=9)
        panel.plot(scale * row.iqm.estimate, place, "o", color=colour, markersize=6)
    panel.axvline(0, color="#9aa0a6", linewidth=1, zorder=0)
    panel.set_yticks(range(len(rows)), [row.entry.name for row in rows])
    panel.set_ylim(-0.6, len(rows) - 0.4)
    panel.set_xlabel(found.measure.axis, fontsize=9)
    _head(panel, "Interquartile mean, 95 % interval; | a seed")


def _profiles(panel: Axes, found: Comparison, colours: dict[str, str]) -> None:
    cuts = found.measure.scale * found.thresholds
    for row, band in zip(found.rows, found.profiles, strict=True):
        colour = colours[row.entry.name]
        style = "--" if dashed(row.entry) else "-"
        panel.plot(cuts, band.estimate, style, color=colour, linewidth=1.8, label=row.entry.name)
        if not dashed(row.entry):
            panel.fill_between(cuts, band.low, band.high, color=colour, alpha=0.15, linewidth=0)
    panel.set_xlabel(found.measure.axis, fontsize=9)
    panel.set_ylabel("share of runs and cities above", fontsize=9)
    panel.set_ylim(-0.02, 1.02)
    panel.legend(fontsize=8, frameon=False)
    _head(panel, "Performance profile")


def _improvements(panel: Axes, found: Comparison) -> None:
    names = [row.entry.name for row in found.rows]
    count = len(names)
    values = np.array([[cell.estimate for cell in line] for line in found.improvements])
    np.fill_diagonal(values, np.nan)
    panel.imshow(values, cmap="RdBu", vmin=0, vmax=1, aspect="auto")
    for i, line in enumerate(found.improvements):
        for j, cell in enumerate(line):
            if i == j:
                continue
            ink = "white" if abs(cell.estimate - 0.5) > 0.35 else "black"
            panel.text(
                j, i - 0.12, f"{cell.estimate:.2f}", ha="center", va="center", color=ink, fontsize=9
            )
            if count <= 8:
                panel.text(
                    j,
                    i + 0.24,
                    f"{cell.low:.2f}-{cell.high:.2f}",
                    ha="center",
                    va="center",
                    color=ink,
                    fontsize=6.5,
                )
    panel.set_xticks(range(count), names, rotation=30, ha="right", rotation_mode="anchor")
    panel.set_yticks(range(count), names)
    _head(panel, "Probability that row beats column")


def learning(panel: Axes, curves: Sequence[Curve], colours: dict[str, str]) -> None:
    """Learning curves; runs that count training differently share the axis as shares of it.

    What is measured otherwise than by the first curve has the scale on the right.
    """
    steps, values = {c.step for c in curves}, list(dict.fromkeys(c.value for c in curves))
    one = len(steps) == 1
    left, *others = values
    right = panel.twinx() if others else panel
    lines = []
    for found in curves:
        x = found.x if one else 100 * found.x / found.x[-1]
        colour = colours[found.name]
        mark = "o" if len(x) < 20 else ""
        side = panel if found.value == left else right
        lines += side.plot(
            x, found.band.estimate, color=colour, marker=mark, markersize=3, label=found.name
        )
        side.fill_between(x, found.band.low, found.band.high, color=colour, alpha=0.2, linewidth=0)
    panel.set_xlabel(AXES[next(iter(steps))] if one else "training, % of its length", fontsize=9)
    panel.set_ylabel(AXES[left], fontsize=9)
    if others:
        named = ", ".join(found.name for found in curves if found.value != left)
        label = f"{' or '.join(AXES[value] for value in others)} ({named})"
        right.set_ylabel(fill(label, 60), fontsize=9)
        right.spines["top"].set_visible(False)
        right.tick_params(labelsize=9)
    panel.legend(handles=lines, fontsize=8, frameon=False)
    panel.ticklabel_format(axis="y", useOffset=False)
    _head(panel, "Learning: middle of the seeds, 95 % interval")


def _head(panel: Axes, text: str) -> None:
    panel.set_title(text, fontsize=10, loc="left", weight="bold")
