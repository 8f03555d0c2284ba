"""From rollouts and tables to the rows of a dossier."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

import configs
from experiments.dossier.content import (
    CostRow,
    DistrictEffect,
    Effect,
    Fan,
    LeverRow,
)
from experiments.dossier.formats import signed_percent, with_unit
from experiments.gate import Evidence, Rollouts, Thresholds, load
from experiments.gate.check import plain
from experiments.gate.checks.improvement import best_rule, gain_test, reference_name
from experiments.statistics import Interval, cvar, student_test


def comparison_effects(
    evidence: Evidence, thresholds: Thresholds | None = None
) -> tuple[Effect, ...]:
    """The policy against the status quo and the best rule, as check 9 sees them; the rule too."""
    rollouts = _rollouts(evidence)
    chosen = thresholds or load()
    rule = best_rule(evidence)
    references = [evidence.status_quo] + ([rule] if rule else [])
    effects = []
    for name in references:
        interval = gain_test(evidence, name, chosen).interval
        label = f"The policy, compared with {reference_name(evidence, name)}"
        effects.append(_effect(label, interval))
    if rule:
        gain = rollouts.gain(rule, evidence.status_quo)
        label = f"The best simple rule ({plain(rule)}), compared with leaving things as they are"
        effects.append(_effect(label, _interval(gain, evidence)))
    return tuple(effects)


def group_effects(evidence: Evidence) -> tuple[Effect, ...]:
    """Welfare effect per household group against the status quo, 95 % intervals."""
    change = _change(_rollouts(evidence).by_group, evidence)
    return tuple(
        _effect(plain(name), _interval(change[..., k], evidence), _tail_note(change[..., k]))
        for k, name in enumerate(evidence.group_names())
    )


def district_effects(
    evidence: Evidence,
    codes: Sequence[str],
    names: Sequence[str],
    x_km: Sequence[float] | None = None,
    y_km: Sequence[float] | None = None,
) -> tuple[DistrictEffect, ...]:
    """Welfare effect per district against the status quo, 95 % intervals."""
    change = _change(_rollouts(evidence).by_district, evidence)
    rows = []
    for d, (code, name) in enumerate(zip(codes, names, strict=True)):
        interval = _interval(change[..., d], evidence)
        place = (
            (float(x_km[d]), float(y_km[d]))
            if x_km is not None and y_km is not None
            else (0.0, 0.0)
        )
        rows.append(
            DistrictEffect(
                str(code), str(name), interval.estimate, interval.low, interval.high, *place
            )
        )
    return tuple(rows)


def cost_rows(evidence: Evidence) -> tuple[CostRow, ...]:
    """Mean cost of every constraint under today's settings, the best rule and the policy."""
    rollouts = _rollouts(evidence)
    rule = best_rule(evidence)
    return tuple(
        CostRow(
            plain(name),
            float(cost[rollouts.index(evidence.status_quo)].mean()),
            float(cost[rollouts.index(rule)].mean()) if rule else None,
            float(cost[rollouts.index(evidence.policy)].mean()),
            float(rollouts.budgets[name]),
        )
        for name, cost in rollouts.costs.items()
    )


def fan(
    variable: str,
    unit: str,
    observed_time: ArrayLike,
    observed: ArrayLike,
    time: ArrayLike,
    ensemble: ArrayLike,
    over: str = "",
) -> Fan:
    """A fan from an ensemble ``[N, T]``; observed figures that are missing are left out.

    ``over`` says in words how districts were combined.
    """
    when = np.asarray(observed_time, dtype=np.float64)
    seen = np.asarray(observed, dtype=np.float64)
    known = np.isfinite(seen)
    members = np.asarray(ensemble, dtype=np.float64)
    low90, low50, median, high50, high90 = (
        tuple(line.tolist()) for line in np.quantile(members, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    )
    return Fan(
        variable=variable,
        unit=unit,
        observed_time=tuple(when[known].tolist()),
        observed=tuple(seen[known].tolist()),
        time=tuple(np.asarray(time, dtype=np.float64).tolist()),
        median=median,
        low50=low50,
        high50=high50,
        low90=low90,
        high90=high90,
        over=over,
    )


def read_tiles(city: str) -> dict[str, tuple[int, int, str]]:
    """Tile map of a shipped city, ``code -> (row, column, short name)``; empty without one."""
    path = configs.root() / "city" / city / "tiles.csv"
    return _read_tiles(path) if path.is_file() else {}


def _read_tiles(path: Path) -> dict[str, tuple[int, int, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return {
            line["code"]: (int(line["row"]), int(line["column"]), line.get("short") or line["code"])
            for line in csv.DictReader(lines)
        }


def reversal_plan(levers: Sequence[LeverRow]) -> tuple[str, ...]:
    """How to go back: every moved lever returns to the setting it has today."""
    moved = [row for row in levers if row.proposed != row.today]
    back = tuple(f"{plain(row.lever)} to {with_unit(row.today, row.unit)}" for row in moved)
    start = (
        "Keep the settings of today on file and move no further in a year than half of the way "
        "proposed, so that every step can be taken back.",
    )
    return start + (("To reverse, set " + "; ".join(back) + ".",) if back else ())


def stopping_rule(
    margin: float, comparison: Sequence[Effect], costs: Sequence[CostRow]
) -> tuple[str, ...]:
    """When to stop a pilot, from the figures that the verdict rests on."""
    rules = [
        f"Stop if any household group is found to lose more than {100 * margin:.1f} % of its "
        f"income compared with similar places without the pilot, two reports in a row."
    ]
    if comparison:
        rules.append(
            f"Stop if, two years on, people are measured to be worse off than in similar places "
            f"without the pilot (expected: {signed_percent(comparison[0].estimate)} of income)."
        )
    rules.extend(f"Stop if {row.name} passes {row.budget:.3g}." for row in costs)
    rules.append("Stop if new figures leave the 90 % band of the forecast two years in a row.")
    return tuple(rules)


def triples(measures: Mapping[str, float | tuple[float, float, float]]) -> tuple[Effect, ...]:
    """Effects from a mapping whose values are figures or (estimate, low, high)."""
    return tuple(
        Effect(name, *value)
        if isinstance(value, tuple | list)
        else Effect(name, value, value, value)
        for name, value in measures.items()
    )


def _change(outcomes: np.ndarray, evidence: Evidence) -> np.ndarray:
    rollouts = _rollouts(evidence)
    policy, today = rollouts.index(evidence.policy), rollouts.index(evidence.status_quo)
    return np.asarray(outcomes[policy] - outcomes[today])


def _interval(values: np.ndarray, evidence: Evidence) -> Interval:
    generator = np.random.default_rng([evidence.seed, 100])
    return student_test(values, generator, replications=1000).interval


def _effect(name: str, interval: Interval, note: str = "") -> Effect:
    return Effect(name, interval.estimate, interval.low, interval.high, note)


def _tail_note(values: np.ndarray) -> str:
    return f"worst tenth of outcomes {100 * float(cvar(values, 0.1)):+.2f} %".replace("-", "−")


def _rollouts(evidence: Evidence) -> Rollouts:
    if evidence.rollouts is None:
        raise ValueError("the evidence has no rollouts to summarise")
    return evidence.rollouts
