"""What a minute on the road is worth in welfare (MODEL sections 9 and 22.5).

Where roads are empty a toll buys nothing: a unit raised by it must be worth what a unit taken
from a rebate is. That fixes the experienced weight of a minute, ``kappa_w``, which the
neutrality of other levers leaves open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from envs.city import neutrality, welfare
from envs.city.cities import with_parameters
from envs.city.model import City
from envs.city.valuation import MONTHS, margins

#: Volume over capacity of a city without congestion.
EMPTY = 0.3
#: Largest distance of a toll's value from a rebate's that counts as none.
CLOSE = 0.005


@dataclass(frozen=True)
class Trial:
    """A weight of a minute tried: kappa_w, 1/min, and the value of a unit raised by a toll over
    that of a unit taken from a rebate."""

    kappa_w: float
    toll: float


def toll_value(city: City, kappa_w: float, months: int = MONTHS) -> float:
    """Welfare cost of a unit that a toll raises over that of a rebate forgone, at one weight.

    Args:
        city: one row at ``EMPTY`` load; its neutral prior is solved at the weight.
    """
    weighed = with_parameters(city, {"kappa_w": kappa_w})
    neutral = with_parameters(weighed, neutrality.solve(weighed, months).values)
    found = margins(neutral, welfare.reference(neutral), 1, months)
    return float(found.public_value("toll"))


def solve(
    city: City,
    start: tuple[float, float] = (0.011, 0.014),
    months: int = MONTHS,
    iterations: int = 6,
    progress: Callable[[], None] | None = None,
) -> list[Trial]:
    """Trials of a secant search for the weight at which a toll is worth a rebate.

    Args:
        city: one row at ``EMPTY`` load. start: the first two weights, 1/min.
    """
    trials: list[Trial] = []
    for step in range(iterations):
        if step < len(start):
            weight = start[step]
        else:
            a, b = trials[-2:]
            weight = b.kappa_w + (1 - b.toll) * (b.kappa_w - a.kappa_w) / (b.toll - a.toll)
        trials.append(Trial(weight, toll_value(city, weight, months)))
        if progress:
            progress()
        if solved(trials[-1]):
            break
    return trials


def solved(trial: Trial) -> bool:
    """Whether a toll was worth what a rebate is."""
    return abs(trial.toll - 1) < CLOSE
