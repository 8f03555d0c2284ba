"""Hysteresis: whether a city forgets a shock to its core depends on agglomeration."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs import presets
from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.facts.systems import strengths
from experiments.histories import Month, history, policies

#: Productivity-density elasticities.
STRENGTHS: dict[str, tuple[float, ...]] = {
    "none": strengths(),
    "default (.04, .07)": strengths(manufacturing=0.04, knowledge=0.07),
    "strong (.15, .15)": strengths(manufacturing=0.15, knowledge=0.15),
}
_LOSS = 0.30
_SHOCK_YEARS = 20
_YEARS = 200


def core_share(size: Size, tick: Tick) -> NDArray[np.float64]:
    """Core's share of employment over its first ``[months, strengths]``."""
    lam = torch.tensor(list(STRENGTHS.values()), dtype=torch.float64)
    rows = len(lam)
    overrides = {"agglomeration": lam}
    city = presets.cities(presets.SYNTHETIC, [0] * rows, size.districts, overrides)
    city = city.to(torch.float32)
    first = city.start.industry.employed
    core = int((first / city.geography.land)[0].argmax())

    def strike(now: Month) -> None:
        struck = now.number < 12 * _SHOCK_YEARS
        now.shocks["productivity"][:, core] = -_LOSS if struck else 0.0

    def share(employed: Tensor) -> Tensor:
        return employed[:, core] / employed.sum(-1)

    found = []
    for _, state, _ in history(
        city, policies(city, [{}] * rows), size.horizon(_YEARS), rule=strike
    ):
        found.append(share(state.industry.employed) / share(first))
    tick()
    return torch.stack(found).double().numpy()


def recovered(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the loss that is made up for between five years after the shock and the end."""
    after = min(12 * (_SHOCK_YEARS + 5), len(path) - 1)
    return np.asarray((path[-1] - path[after]) / (1 - path[after]))


def fact(size: Size, tick: Tick) -> Fact:
    """A temporary shock to the core, restored."""
    path = core_share(size, tick)
    back = dict(zip(STRENGTHS, recovered(path), strict=True))
    names = list(STRENGTHS)
    return Fact(
        key="hysteresis",
        title="Hysteresis",
        question="Cities come back from shocks, unless what they lost is what made them.",
        experiment=(
            f"Productivity of the densest job district {100 * _LOSS:.0f} % (log) lower for "
            f"{_SHOCK_YEARS} years, then as before; {size.horizon(_YEARS) // 12} years in all, "
            f"synthetic city of {size.districts} districts, three strengths of agglomeration."
        ),
        measures=(
            Measure(
                f"agglomeration {names[0]}: share of the loss recovered",
                float(back[names[0]]),
                low=0.5,
                source="MODEL section 14: weak returns (more than half)",
            ),
            Measure(
                f"agglomeration {names[1]}: share of the loss recovered",
                float(back[names[1]]),
                low=0.0,
                source="between the two",
            ),
            Measure(
                f"agglomeration {names[2]}: share of the loss recovered",
                float(back[names[2]]),
                high=0.1,
                source="MODEL section 14: strong does not (a tenth at most)",
            ),
        ),
        remarks=(
            "Recovery is slow in any case: floor space that is gone is rebuilt at 2 % a year and "
            "capital follows labour. Shares are of the loss five years after the shock has ended.",
        ),
        picture=_picture(path),
        caption="Employment of the core as a share of the city's, over its first; means of years.",
    )


def _picture(path: NDArray[np.float64]) -> bytes:
    figure, panels = plots.canvas(1)
    panel = panels[0]
    yearly = path[: len(path) // 12 * 12].reshape(-1, 12, len(STRENGTHS)).mean(1)
    years = np.arange(len(yearly)) + 0.5
    panel.axvspan(0, _SHOCK_YEARS, color="#f3e3df", label="shock")
    for column, name in enumerate(STRENGTHS):
        panel.plot(years, yearly[:, column], color=plots.COLOURS[column], label=name)
    panel.axhline(1, color=plots.GREY, linewidth=0.8)
    plots.label(panel, "core after a shock, by agglomeration", "years", "core's share, first = 1")
    plots.legend(panel, loc="lower right")
    return plots.png(figure)
