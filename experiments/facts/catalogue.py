"""All facts of the page, in its order."""

from __future__ import annotations

from collections.abc import Callable

from experiments.facts import (
    braess,
    gradients,
    housing,
    hysteresis,
    induced,
    jcurve,
    mohring,
    scaling,
    segregation,
    tails,
    zipf,
)
from experiments.facts.fact import Fact, Size, Tick

#: Name -> experiment.
FACTS: dict[str, Callable[[Size, Tick], Fact]] = {
    "gradients": gradients.fact,
    "induced-demand": induced.fact,
    "segregation": segregation.fact,
    "hysteresis": hysteresis.fact,
    "downs-thomson": mohring.fact,
    "braess": braess.fact,
    "scaling": scaling.fact,
    "zipf": zipf.fact,
    "housing": housing.fact,
    "j-curve": jcurve.fact,
    "tails": tails.fact,
}
