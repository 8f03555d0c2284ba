"""Loss by a regime change and the share of it that is won back.

**Loss** of the frozen policy: what it earns after the break less than in the same months without
one; where an informed policy is given (one that was optimised for the new regime), what it earns
less than that one. The first includes what nobody could save, the second does not. **Recovered**:
what another policy earns after the break beyond the frozen one, over that loss. It rewards every
way of being better, also in a world that stays as it is; **adapted** counts only what the policy
wins with the break and does not win without it.

Shapes: S seeds, C cities, T steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.regret.play import Break, Flow
from experiments.statistics import Interval, percentile_interval, pooled_mean

Floats = NDArray[np.float64]
#: Months within which a policy should have recovered, and the last of them that are looked at.
WITHIN, LAST = 24, 12
#: Share of the loss that an adaptive policy should win back within them.
GOAL = 0.5
REPLICATIONS = 2000


@dataclass(frozen=True)
class Row:
    """Estimates of one policy over the last ``LAST`` of ``WITHIN`` months after the break.

    before: mean flow in as many months before the break; calm, broken: flow without and with it;
    own_loss: calm - broken, paired; gain: what it earns with the break beyond the frozen policy;
    adapted: that less the same without the break, so what is due to the break alone; recovered:
    share of the frozen policy's loss; whole: the same over all ``WITHIN`` months. The last two are
    None where the frozen policy lost nothing for certain.
    """

    policy: str
    seeds: int
    before: Interval
    calm: Interval
    broken: Interval
    own_loss: Interval
    gain: Interval
    adapted: Interval
    recovered: Interval | None
    whole: Interval | None


@dataclass(frozen=True)
class Regret:
    """The study: flows by step, estimates, and what loss means (`against`)."""

    struck: Break
    months_per_step: int
    cities: int
    against: str
    loss: Interval
    rows: tuple[Row, ...]
    flows: tuple[Flow, ...]

    def content(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "unit": "share of baseline income, monthly flow against the status quo",
            "break": asdict(self.struck),
            "months_per_step": self.months_per_step,
            "cities": self.cities,
            "within_months": WITHIN,
            "last_months": LAST,
            "loss_against": self.against,
            "frozen_loss": asdict(self.loss),
            "table": [asdict(row) for row in self.rows],
            "flows": {
                flow.name: {
                    "calm": flow.calm.mean((0, 1)).tolist(),
                    "broken": flow.broken.mean((0, 1)).tolist(),
                }
                for flow in self.flows
            },
        }


def estimate(
    found: Sequence[Flow], struck: Break, months_per_step: int, informed: bool = False
) -> Regret:
    """Estimates of flows, the first of which is the frozen policy's.

    Args:
        informed: whether the last flow is of a policy that was optimised for the new regime.
    """
    start = struck.month // months_per_step
    late = slice(start + (WITHIN - LAST) // months_per_step, start + WITHIN // months_per_step)
    whole = slice(start, start + WITHIN // months_per_step)
    early = slice(max(0, start - LAST // months_per_step), start)
    frozen = found[0]
    goal = found[-1].broken if informed else frozen.calm

    def mean(flow: Floats, window: slice) -> Floats:
        return np.asarray(flow[..., window].mean(-1))

    def recovered(flow: Flow, window: slice) -> Interval | None:
        base = mean(frozen.broken, window)
        return ratio(mean(flow.broken, window), base, mean(goal, window))

    rows = tuple(
        Row(
            policy=flow.name,
            seeds=len(flow.calm),
            before=_interval(mean(flow.calm, early)),
            calm=_interval(mean(flow.calm, late)),
            broken=_interval(mean(flow.broken, late)),
            own_loss=_interval(mean(flow.calm, late) - mean(flow.broken, late)),
            gain=difference(mean(flow.broken, late), mean(frozen.broken, late)),
            adapted=difference(
                mean(flow.broken - flow.calm, late), mean(frozen.broken - frozen.calm, late)
            ),
            recovered=None if flow is frozen else recovered(flow, late),
            whole=None if flow is frozen else recovered(flow, whole),
        )
        for flow in found
    )
    return Regret(
        struck,
        months_per_step,
        frozen.calm.shape[1],
        found[-1].name if informed else "no break",
        difference(mean(goal, late), mean(frozen.broken, late)),
        rows,
        tuple(found),
    )


def difference(first: Floats, second: Floats) -> Interval:
    """Mean difference of two policies ``[S, C]``, ``[S', C]`` over cities they share."""
    return _interval(np.asarray(first.mean(0) - second.mean(0))[None])


def ratio(policy: Floats, frozen: Floats, goal: Floats) -> Interval | None:
    """``(policy - frozen) / (goal - frozen)`` of means, each ``[S, C]``; None where the
    denominator is not above zero for certain.

    Cities are drawn together for all three, seeds of each apart; seeds of the goal where it is
    the frozen policy itself go with those.
    """
    if difference(goal, frozen).low <= 0:
        return None
    generator = np.random.default_rng(0)
    cities = _shares(generator, frozen.shape[1])
    seeds = [_shares(generator, len(x)) for x in (policy, frozen)]
    seeds.append(seeds[1] if len(goal) == len(frozen) else _shares(generator, len(goal)))
    drawn = [
        np.einsum("rs,sc,rc->r", share, values, cities)
        for share, values in zip(seeds, (policy, frozen, goal), strict=True)
    ]
    draws = (drawn[0] - drawn[1]) / (drawn[2] - drawn[1])
    low, high = np.quantile(draws, [0.025, 0.975])
    base = frozen.mean()
    return Interval(float((policy.mean() - base) / (goal.mean() - base)), float(low), float(high))


def _shares(generator: np.random.Generator, count: int) -> Floats:
    """Share of each unit in samples drawn with replacement ``[R, count]``."""
    drawn = generator.multinomial(count, [1 / count] * count, REPLICATIONS)
    return np.asarray(drawn / count)


def _interval(values: Floats) -> Interval:
    """Mean over seeds and cities ``[S, C]``, both samples where there are several seeds."""
    return percentile_interval(values, np.random.default_rng(0), pooled_mean, resample="crossed")
