"""What is reported: rates by formula, gains with intervals, and who beats whom.

Shapes: C held-out cities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from experiments.evaluate import summary
from experiments.taxation.effort import Effort
from experiments.taxation.play import AVERSIONS, Floats, Score
from experiments.taxation.response import Response
from experiments.taxation.study import ENTRANTS, Rule, Study, entrants

#: What is scored, by its field of ``Score``.
MEASURES = ("adapted", "path", "residents")
BASELINE = "saez"


@dataclass(frozen=True)
class Gain:
    """A mean over cities with its 95 % bootstrap interval, percent of income."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Gain:
        """Args: values: ``[C]``."""
        found = summary(values)
        return cls(found["mean"], found["low"], found["high"])


@dataclass(frozen=True)
class Duel:
    """An entrant against Saez's schedule by one measure.

    difference: city by city; apart: whether the two intervals do not overlap and the entrant's is
    the higher one (1), the lower one (-1), or they overlap (0).
    """

    difference: Gain
    apart: int


@dataclass(frozen=True)
class Taxation:
    """All that is found.

    elasticity: of declared income and of its parts, mean over cities; spread: its standard
    deviation over cities; rules: aversion -> mean social weight, optimum and rate, means over
    cities; scores: aversion -> entrant -> score on every city.
    """

    cities: int
    first_seed: int
    seed: int
    dynamics: str
    effort: Effort
    elasticity: Mapping[str, float]
    spread: float
    rules: Mapping[float, Mapping[str, float]]
    scores: Mapping[float, Mapping[str, Score]]

    def gain(self, aversion: float, entrant: str, measure: str) -> Gain:
        """What an entrant earns over today's schedule by a measure."""
        return Gain.of(getattr(self.scores[aversion][entrant], measure))

    def duel(self, aversion: float, entrant: str, measure: str) -> Duel:
        """An entrant against Saez's schedule."""
        own, rival = (getattr(self.scores[aversion][name], measure) for name in (entrant, BASELINE))
        first, second = Gain.of(own), Gain.of(rival)
        apart = int(first.low > second.high) - int(first.high < second.low)
        return Duel(Gain.of(own - rival), apart)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "unit": "percent of the first year's income, against today's schedule",
            "cities": self.cities,
            "first_seed": self.first_seed,
            "seed": self.seed,
            "dynamics": self.dynamics,
            "effort": asdict(self.effort),
            "elasticity": dict(self.elasticity),
            "elasticity_spread": self.spread,
            "aversions": [
                {
                    "aversion": aversion,
                    "saez": dict(self.rules[aversion]),
                    "gains": {
                        name: {m: asdict(self.gain(aversion, name, m)) for m in MEASURES}
                        for name in ENTRANTS
                    },
                    "against_saez": {
                        name: {m: asdict(self.duel(aversion, name, m)) for m in MEASURES}
                        for name in ENTRANTS
                        if name != BASELINE
                    },
                    "by_city": {
                        name: {m: getattr(score, m).tolist() for m in MEASURES}
                        for name, score in self.scores[aversion].items()
                    },
                    "by_year": {
                        name: {"rate": score.rates.tolist(), "demogrant": score.demogrant.tolist()}
                        for name, score in self.scores[aversion].items()
                    },
                }
                for aversion in AVERSIONS
            ],
        }


def measure(study: Study, tick: Callable[[], None]) -> Taxation:
    """Estimate, learn and score.

    Args:
        tick: called ``units()`` times.
    """
    response = study.response()
    tick()
    rules = {aversion: study.rule(response, aversion) for aversion in AVERSIONS}
    scores = {aversion: entrants(study, rule, aversion, tick) for aversion, rule in rules.items()}
    return Taxation(
        cities=study.cities,
        first_seed=study.first_seed,
        seed=study.seed,
        dynamics=study.dynamics,
        effort=study.work,
        elasticity=_means(response),
        spread=float(np.std(response.base.numpy(), ddof=1)),
        rules={aversion: _rule(rule) for aversion, rule in rules.items()},
        scores=scores,
    )


def units() -> int:
    """Units of work of ``measure``."""
    return 1 + len(AVERSIONS) * len(ENTRANTS)


def _means(response: Response) -> dict[str, float]:
    return {
        "base": float(response.base.mean()),
        **{name: float(values.mean()) for name, values in response.parts.items()},
    }


def _rule(rule: Rule) -> dict[str, float]:
    return {
        "weight": float(rule.weight.mean()),
        "optimum": float(rule.optimum.mean()),
        "rate": float(rule.rate.mean()),
    }
