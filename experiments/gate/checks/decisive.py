"""Which variables the decision hinges on, and how rows of the twin's record combine."""

from __future__ import annotations

from collections.abc import Iterable

from experiments.gate.check import Status
from experiments.gate.evidence import BacktestRow, Evidence
from experiments.gate.thresholds import Thresholds


def decisive_variables(
    evidence: Evidence, thresholds: Thresholds
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Variables that the effect on welfare runs through, and the kinds that no series covers.

    Returns ``(variables, missing kinds)``; a kind (population, jobs, incomes, claimants) is
    covered by every one of its variables that the twin was scored on.
    """
    scored = {row.variable for row in evidence.backtest}
    kinds = thresholds.groups("forecast_skill.decisive")
    found = [name for names in kinds.values() for name in names if name in scored]
    missing = tuple(kind for kind, names in kinds.items() if not scored.intersection(names))
    further = [name for name in evidence.decisive if name not in found]
    unscored = tuple(name for name in further if name not in scored)
    return (*found, *(name for name in further if name in scored)), (*missing, *unscored)


def decision_rows(evidence: Evidence, thresholds: Thresholds) -> tuple[BacktestRow, ...]:
    """Rows at the decision horizons and for the parts of the variation that are asked for."""
    horizons = {int(years) for years in thresholds.values("forecast_skill.horizons")}
    parts = set(thresholds.values("forecast_skill.parts"))
    return tuple(row for row in evidence.backtest if row.horizon in horizons and row.part in parts)


def incomplete(
    decisive: Iterable[str], rows: Iterable[BacktestRow], thresholds: Thresholds
) -> tuple[str, ...]:
    """Decisive variables that were not scored at every decision horizon."""
    asked = {int(years) for years in thresholds.values("forecast_skill.horizons")}
    scored: dict[str, set[int]] = {}
    for row in rows:
        scored.setdefault(row.variable, set()).add(row.horizon)
    return tuple(name for name in decisive if asked - scored.get(name, set()))


def worst(statuses: Iterable[Status]) -> Status:
    """Fail over untested over pass; nothing at all is untested."""
    found = set(statuses)
    if "fail" in found:
        return "fail"
    return "untested" if "untested" in found or not found else "pass"
