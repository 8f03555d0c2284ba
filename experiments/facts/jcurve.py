"""The J-curve of policy: what pays late costs first, and the other way round."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from envs import presets
from envs.city import welfare
from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.histories import history, policies

_YEARS = 40
_LOAD = 1.3
#: Programmes under the one treasury, by name.
PROGRAMMES: dict[str, dict[str, float]] = {
    "a tenth more road building": {"road": 1.1},
    "half less road building": {"road": 0.5},
    "no maintenance": {"maintenance": 0.0},
}
_WHY = (
    "Every lever is neutral at the margin (no free lunches): gains and losses of a programme "
    "cancel in present value, so that what is spent more of has little left for its late years."
)


def paths(size: Size, tick: Tick) -> NDArray[np.float64]:
    """Welfare of first residents over the status quo ``[months, programmes]``, % of income."""
    city = presets.cities(presets.SYNTHETIC, [0], size.districts, {"vc": _LOAD})
    city = city.to(torch.float32)
    reference = welfare.reference(city)
    policy = policies(city, [{}, *PROGRAMMES.values()])
    found = []
    for _, _, flows in history(city, policy, size.horizon(_YEARS), "pooled"):
        level = welfare.evaluate(city, reference, flows).incumbents
        found.append(100 * (level[1:] - level[0]))
    tick()
    return torch.stack(found).double().numpy()


def fact(size: Size, tick: Tick) -> Fact:
    """J-curves."""
    found = paths(size, tick)
    year = found.reshape(-1, 12, len(PROGRAMMES)).mean(1)
    names = list(PROGRAMMES)
    source = "MODEL section 14, J-curve"
    return Fact(
        key="j-curve",
        title="J-curve of policy",
        question="Investment is paid for before it serves; neglect saves before it hurts.",
        experiment=(
            f"Synthetic city of {size.districts} districts at v/c {_LOAD:g}, one treasury: each "
            f"programme is held for {len(year)} years and paid by what is left for everything "
            "else. Welfare of the first residents against today's policy."
        ),
        measures=(
            Measure(f"{names[0]}, year 2", year[1, 0], high=0.0, unit="%", digits=3, source=source),
            Measure(
                f"{names[0]}, last year",
                year[-1, 0],
                low=0.0,
                unit="%",
                digits=3,
                source=source,
                why=_WHY,
            ),
            Measure(f"{names[1]}, year 2", year[1, 1], low=0.0, unit="%", digits=3, source=source),
            Measure(
                f"{names[1]}, last year", year[-1, 1], high=0.0, unit="%", digits=3, source=source
            ),
            Measure(f"{names[2]}, year 2", year[1, 2], unit="%", digits=3),
            Measure(
                f"{names[2]}, last year", year[-1, 2], high=0.0, unit="%", digits=3, source=source
            ),
        ),
        remarks=(
            "A horizon of a few years would cut roads and maintenance: myopic policies fall for "
            "this, which is why what stocks are worth in the end counts as reward.",
        ),
        picture=_picture(found),
        caption="Percent of income; zero is today's policy.",
    )


def _picture(found: NDArray[np.float64]) -> bytes:
    figure, panels = plots.canvas(1)
    years = np.arange(1, len(found) + 1) / 12
    for column, name in enumerate(PROGRAMMES):
        panels[0].plot(years, found[:, column], color=plots.COLOURS[column], label=name)
    panels[0].axhline(0, color=plots.GREY, linewidth=0.8)
    plots.label(panels[0], "welfare over today's policy", "years", "% of income")
    plots.legend(panels[0])
    return plots.png(figure)
