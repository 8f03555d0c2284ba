"""The checks of the gate by number: each reads evidence and thresholds and returns a Check."""

from __future__ import annotations

from collections.abc import Callable

from experiments.gate.check import Check
from experiments.gate.checks import (
    calibration,
    data,
    improvement,
    no_one_left_behind,
    skill,
    untested,
)
from experiments.gate.evidence import Evidence
from experiments.gate.thresholds import Thresholds

CheckFunction = Callable[[Evidence, Thresholds], Check]

_BUILT = (data, skill, calibration, improvement, no_one_left_behind)

CHECKS: dict[int, CheckFunction] = dict(
    sorted(
        {
            **untested.BUILDERS,
            **{module.NUMBER: module.check for module in _BUILT},
        }.items()
    )
)
