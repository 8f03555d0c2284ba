"""The picture of a regime change: gains with and without it, and shares of the loss won back."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from experiments.panels import BLUE, GREY, RED, two_panels
from experiments.regret.estimates import GOAL, Row, Study
from experiments.statistics import Interval

#: Distance of the two marks of a policy from its place on the axis.
APART = 0.16


def chart(found: Study, title: str) -> bytes:
    """A PNG of two panels: gains over the frozen policy, and shares of its loss."""
    left, right = partial(_gains, found=found), partial(_shares, found=found)
    return two_panels(title, left, right, (1.15, 1))


def _places(panel: Axes, found: Study) -> list[tuple[int, Row]]:
    """Rows from top to bottom by regime, the frozen policy left out, with names on the axis."""
    rows = [(regret.regime, row) for regret in found.regrets for row in regret.rows[1:]]
    places = range(len(rows) - 1, -1, -1)
    several = len(found.regrets) > 1
    names = [f"{row.policy}, {regime}" if several else row.policy for regime, row in rows]
    panel.set_yticks(list(places), names)
    panel.set_ylim(-0.6, len(rows) - 0.4)
    return [(place, row) for place, (_, row) in zip(places, rows, strict=True)]


def _gains(panel: Axes, found: Study) -> None:
    panel.axvline(0, color="black", linewidth=1)
    for place, row in _places(panel, found):
        _mark(panel, place + APART, row.gain, BLUE, 100)
        _mark(panel, place - APART, row.gain_calm, GREY, 100)
    for colour, label in ((BLUE, "with the break"), (GREY, "without it")):
        panel.plot([], [], "o-", color=colour, label=label)
    panel.set_xlabel("earned beyond the frozen policy, % of income (95 % interval)", fontsize=9)
    _legend(panel)


def _shares(panel: Axes, found: Study) -> None:
    panel.axvline(0, color="black", linewidth=1)
    panel.axvline(GOAL, color=RED, linestyle=":", label=f"goal: {GOAL:.0%}")
    for place, row in _places(panel, found):
        for share, colour, off in ((row.recovered, GREY, -APART), (row.by_adapting, BLUE, APART)):
            if share is not None:
                _mark(panel, place + off, share, colour, 1)
    for colour, label in ((BLUE, "by adapting, of the loss by the break"), (GREY, "of all loss")):
        panel.plot([], [], "o-", color=colour, label=label)
    panel.set_xlabel("share recovered (95 % interval)", fontsize=9)
    _legend(panel)


def _legend(panel: Axes) -> None:
    """The legend under the axis, where no mark can be."""
    panel.legend(
        fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3
    )


def _mark(panel: Axes, place: float, x: Interval, colour: str, unit: float) -> None:
    """An estimate with its interval, in its unit."""
    panel.plot([unit * x.low, unit * x.high], [place, place], color=colour, linewidth=2)
    panel.plot([unit * x.estimate], [place], "o", color=colour)
