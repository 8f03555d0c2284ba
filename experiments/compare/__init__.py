"""Comparison of learners over training seeds: groups of runs, scores, estimates, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents.files import write_atomic
from experiments.compare.comparison import Comparison, Entry
from experiments.compare.groups import Group, collect
from experiments.compare.scores import Plan, score

__all__ = ["Comparison", "Entry", "Group", "Plan", "collect", "draw", "score"]


def draw(
    found: Comparison,
    groups: Sequence[Group],
    plot: Path | None,
    html: Path | None,
    command: str = "",
) -> None:
    """Write the picture (PNG) and the interactive page of a comparison."""
    from experiments.compare.chart import chart
    from experiments.compare.curves import curve

    entries = [row.entry for row in found.rows if row.entry.runs]
    curves = [line for entry in entries if (line := curve(entry.name, entry.runs))]
    title = _title(groups)
    if plot is not None:
        write_atomic(plot, chart(found, curves, title))
    if html is not None:
        from experiments.compare.html import page

        write_atomic(html, page(found, curves, title, command).encode())


def _title(groups: Sequence[Group]) -> str:
    scenarios = dict.fromkeys(group.config.scenario for group in groups)
    cities = dict.fromkeys(group.config.settings.city for group in groups)
    held = dict.fromkeys(g.config.settings.experiment.evaluation.cities for g in groups)
    numbers = " and ".join(str(number) for number in held)
    return f"{', '.join(scenarios)}, city {', '.join(cities)}, {numbers} held-out cities"
