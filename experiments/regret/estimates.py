"""Loss by a regime change and the share of it that is won back.

**Loss** of the frozen policy: what it earns in the months after the break less than the oracle
does, who knows parameters and shocks. Some of it is there without a break too, since a policy is
never perfect; what the break adds is **lost by the break**. **Recovered**: what another policy
earns beyond the frozen one, over the loss. That rewards every way of being better; **by
adapting** counts only what the policy wins with the break and does not win without it, over what
is lost by the break: a difference in differences.

Shapes: S seeds, C cities, T steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.regret.play import CALM, ORACLE, PLANNER, TUNER, Break, Flow
from experiments.statistics import Interval, percentile_interval, pooled_mean

Floats = NDArray[np.float64]
#: Share of the loss that an adaptive policy should win back.
GOAL = 0.5
REPLICATIONS = 2000


@dataclass(frozen=True)
class Row:
    """Estimates of one policy, of what it earned in the months after the break.

    calm, broken: without and with it; gain_calm, gain: beyond the frozen policy without and with
    it; adapted: the second less the first, what is due to the break alone; recovered, by_adapting:
    shares of the frozen policy's loss and of what it lost by the break, None where that is not
    above zero for certain.
    """

    policy: str
    seeds: int
    calm: Interval
    broken: Interval
    gain_calm: Interval
    gain: Interval
    adapted: Interval
    recovered: Interval | None
    by_adapting: Interval | None


@dataclass(frozen=True)
class Regret:
    """One regime: losses of the frozen policy against the oracle (None without one), and rows.

    loss, loss_calm: with and without the break; by_break: the first less the second.
    """

    regime: str
    loss: Interval | None
    loss_calm: Interval | None
    by_break: Interval | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Study:
    """All regimes: estimates, and the courses that they are made of."""

    struck: Break
    months_per_step: int
    cities: int
    regrets: tuple[Regret, ...]
    flows: tuple[Flow, ...]

    def content(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "unit": "share of income: earned a month in the months after the break, with what "
            "stocks are worth at their end, against the status quo",
            "break": asdict(self.struck),
            "months_per_step": self.months_per_step,
            "cities": self.cities,
            "regimes": [asdict(found) for found in self.regrets],
            "earned": {
                flow.name: {world: x.earned.tolist() for world, x in flow.courses.items()}
                for flow in self.flows
            },
            "flows": {
                flow.name: {
                    world: x.flow.mean((0, 1)).tolist() for world, x in flow.courses.items()
                }
                for flow in self.flows
            },
        }


def estimate(found: Sequence[Flow], struck: Break, months_per_step: int) -> Study:
    """Estimates of flows, the first of which is the frozen policy's and the last the oracle's,
    where there is one."""
    cities = found[0].courses[CALM].earned.shape[1]
    regrets = tuple(_regret(found, regime) for regime in struck.regimes)
    return Study(struck, months_per_step, cities, regrets, tuple(found))


def _regret(found: Sequence[Flow], regime: str) -> Regret:
    frozen = found[0]
    oracle = found[-1] if found[-1].name == ORACLE else None
    alone, both = (regime,), (regime, CALM)
    guided = [flow for flow in found if flow is frozen or flow.name in (PLANNER, TUNER, ORACLE)]

    def gain(flow: Flow, worlds: tuple[str, ...]) -> Interval:
        """What is earned beyond the frozen policy."""
        return difference(_earned(flow, worlds), _earned(frozen, worlds), flow in guided)

    def share(flow: Flow, worlds: tuple[str, ...]) -> Interval | None:
        if oracle is None or flow is frozen:
            return None
        policy, base, goal = (_earned(x, worlds) for x in (flow, frozen, oracle))
        return ratio(policy, base, goal, flow in guided)

    rows = tuple(
        Row(
            policy=flow.name,
            seeds=len(flow.courses[CALM].earned),
            calm=_interval(_earned(flow, (CALM,))),
            broken=_interval(_earned(flow, alone)),
            gain_calm=gain(flow, (CALM,)),
            gain=gain(flow, alone),
            adapted=gain(flow, both),
            recovered=share(flow, alone),
            by_adapting=share(flow, both),
        )
        for flow in found
    )
    if oracle is None:
        return Regret(regime, None, None, None, rows)
    last = rows[-1]
    return Regret(regime, last.gain, last.gain_calm, last.adapted, rows)


def _earned(flow: Flow, worlds: tuple[str, ...]) -> Floats:
    """Earned in the first world, less that in the second where there is one ``[S, C]``."""
    first, *rest = (flow.courses[world].earned for world in worlds)
    return np.asarray(first - sum(rest)) if rest else first


def difference(policy: Floats, frozen: Floats, tied: bool = False) -> Interval:
    """``policy - frozen`` of means, each ``[S, C]``; tied: their seeds go together."""
    (own, base), _ = _resampled((policy, frozen), tied)
    low, high = np.quantile(own - base, [0.025, 0.975])
    return Interval(float(policy.mean() - frozen.mean()), float(low), float(high))


def ratio(policy: Floats, frozen: Floats, goal: Floats, tied: bool = False) -> Interval | None:
    """``(policy - frozen) / (goal - frozen)`` of means, each ``[S, C]``; None where the
    denominator is not above zero for certain.

    Seeds of the goal, which goes on from where the frozen policy's led, go with those; seeds of
    the policy where they are tied.
    """
    if difference(goal, frozen, tied=True).low <= 0:
        return None
    (own, base), (seeds, cities) = _resampled((policy, frozen), tied)
    reached = np.einsum("rs,sc,rc->r", seeds, goal, cities)
    low, high = np.quantile((own - base) / (reached - base), [0.025, 0.975])
    least = frozen.mean()
    share = (policy.mean() - least) / (goal.mean() - least)
    return Interval(float(share), float(low), float(high))


def _resampled(
    pair: tuple[Floats, Floats], tied: bool
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Means ``[R]`` of a policy and of the frozen one, each ``[S, C]``, over samples drawn with
    replacement: of the cities, the same for both, and of the seeds of each. Behind them the shares
    of the frozen policy's seeds and of the cities in each sample."""
    generator = np.random.default_rng(0)
    cities = _shares(generator, pair[1].shape[1])
    seeds = _shares(generator, len(pair[1]))
    own = seeds if tied else _shares(generator, len(pair[0]))
    policy, frozen = (
        np.einsum("rs,sc,rc->r", share, values, cities)
        for share, values in zip((own, seeds), pair, strict=True)
    )
    return (policy, frozen), (seeds, cities)


def _shares(generator: np.random.Generator, count: int) -> Floats:
    """Share of each unit in samples drawn with replacement ``[R, count]``."""
    drawn = generator.multinomial(count, [1 / count] * count, REPLICATIONS)
    return np.asarray(drawn / count)


def _interval(values: Floats) -> Interval:
    """Mean over seeds and cities ``[S, C]``, both samples where there are several seeds."""
    return percentile_interval(values, np.random.default_rng(0), pooled_mean, resample="crossed")
