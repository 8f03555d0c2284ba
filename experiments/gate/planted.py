"""The gate on planted truth: how often it passes what it should not, and the reverse.

Policies whose true effect is known are rolled out on paper and judged. Welfare is built as

    welfare[seed, draw] = draw's luck + true effect + seed's luck + noise,

with luck of the size seen in the environments (a few tenths of a per cent of income). The twin's
record is drawn from a twin that is as good as it says it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.gate.evidence import (
    BacktestRow,
    DataFacts,
    Evidence,
    Rollouts,
    SeriesFact,
)
from experiments.gate.thresholds import Thresholds, load
from experiments.gate.verdict import judge
from experiments.statistics import Interval, binomial_interval

SEEDS, DRAWS, GROUPS, DISTRICTS = 10, 32, 4, 9
DRAW_LUCK, SEED_LUCK, NOISE = 0.004, 0.002, 0.002  # standard deviations, share of income
RULE_GAIN = 0.002  # true gain of the simple rule above the status quo
VARIABLES = ("population", "jobs", "median_salary", "claimant_rate", "house_price")


@dataclass(frozen=True)
class Truth:
    """A kind of policy: its true gain over the status quo and whether it deserves to pass."""

    name: str
    gain: float
    deserves: bool
    group_shift: tuple[float, ...] = (0.0,) * GROUPS
    tried: int = 1
    corrupt: Callable[[Evidence], Evidence] | None = None


def _leak(evidence: Evidence) -> Evidence:
    facts = evidence.data
    assert facts is not None
    leaked = DataFacts(facts.as_of_month, facts.series, facts.problems, look_ahead=33)
    return Evidence(**{**evidence.__dict__, "data": leaked})


def _overconfident(evidence: Evidence) -> Evidence:
    rows = [
        BacktestRow(**{**row.__dict__, "coverage90": row.coverage90 - 0.25})
        for row in evidence.backtest
    ]
    return Evidence(**{**evidence.__dict__, "backtest": tuple(rows)})


TRUTHS = (
    Truth("harmless: helps everyone", 0.010, True),
    Truth("useless: no better than the rule", RULE_GAIN, False),
    Truth("useless: no better than today", 0.0, False),
    Truth("harmful", -0.006, False),
    Truth("lucky: best of ten useless ones", RULE_GAIN, False, tried=10),
    Truth("one group pays", 0.010, False, group_shift=(-0.03, 0.0, 0.01, 0.01)),
    Truth("good on a leaked future", 0.010, False, corrupt=_leak),
    Truth("good on an overconfident twin", 0.010, False, corrupt=_overconfident),
)


@dataclass(frozen=True)
class GateRates:
    """Measured error rates of the gate with exact 95 % intervals."""

    cases: int
    false_pass: Interval
    false_refuse: Interval
    passed: dict[str, Interval]  # kind of truth -> share not refused

    def to_json(self) -> dict[str, Any]:
        """Plain values for the dossier."""
        return {
            "cases": self.cases,
            "false_pass": self.false_pass.__dict__,
            "false_refuse": self.false_refuse.__dict__,
            "passed": {name: rate.__dict__ for name, rate in self.passed.items()},
        }


def measure_rates(
    cases: int = 25, seed: int = 0, thresholds: Thresholds | None = None
) -> GateRates:
    """Judge ``cases`` planted policies of every kind; a pass is any verdict but refuse."""
    chosen = thresholds or load()
    passed: dict[str, int] = {}
    for kind, truth in enumerate(TRUTHS):
        generator = np.random.default_rng([seed, kind])
        verdicts = [judge(plant(truth, generator), chosen) for _ in range(cases)]
        passed[truth.name] = sum(verdict.verdict != "refuse" for verdict in verdicts)
    bad = [truth.name for truth in TRUTHS if not truth.deserves]
    good = [truth.name for truth in TRUTHS if truth.deserves]
    return GateRates(
        cases=cases * len(TRUTHS),
        false_pass=binomial_interval(sum(passed[name] for name in bad), cases * len(bad)),
        false_refuse=binomial_interval(
            sum(cases - passed[name] for name in good), cases * len(good)
        ),
        passed={name: binomial_interval(count, cases) for name, count in passed.items()},
    )


def plant(truth: Truth, generator: np.random.Generator) -> Evidence:
    """Evidence about one policy of a known kind."""
    luck = generator.normal(0.0, DRAW_LUCK, DRAWS)
    best: Rollouts | None = None
    for _ in range(truth.tried):
        rollouts = _rollouts(truth, luck, generator)
        if best is None or rollouts.welfare[2].mean() > best.welfare[2].mean():
            best = rollouts
    assert best is not None
    evidence = Evidence(
        data=DataFacts(12 * 2015 + 11, tuple(SeriesFact(n, 12 * 2015 + 11, 12) for n in VARIABLES)),
        backtest=tuple(_row(name, years, generator) for name in VARIABLES for years in (1, 3)),
        pit={name: float(generator.uniform()) for name in VARIABLES},
        rollouts=best,
        tried=truth.tried,
        seed=int(generator.integers(2**31)),
    )
    return truth.corrupt(evidence) if truth.corrupt else evidence


def _rollouts(truth: Truth, luck: np.ndarray[Any, Any], generator: np.random.Generator) -> Rollouts:
    shape = (SEEDS, DRAWS)
    today = np.broadcast_to(luck, shape)
    rule = today + RULE_GAIN + np.broadcast_to(generator.normal(0.0, NOISE, DRAWS), shape)
    policy = (
        today
        + truth.gain
        + generator.normal(0.0, SEED_LUCK, (SEEDS, 1))
        + generator.normal(0.0, NOISE, shape)
    )
    welfare = np.stack([today, rule, policy])
    by_group = np.repeat(welfare[..., None], GROUPS, axis=-1)
    by_group[2] += np.asarray(truth.group_shift)
    by_district = np.repeat(welfare[..., None], DISTRICTS, axis=-1)
    deficit = np.full((3, *shape), 0.01)
    return Rollouts(
        ("status_quo", "pi", "policy"),
        welfare,
        by_group,
        by_district,
        {"deficit": deficit},
        {"deficit": 0.05},
    )


def _row(variable: str, years: int, generator: np.random.Generator) -> BacktestRow:
    """A row from a calibrated twin that is a quarter better than the simple forecasts."""
    count = 40  # independent forecasts
    inside = generator.binomial(count, 0.9) / count
    skill = generator.normal(0.25, 0.05)
    return BacktestRow(
        variable,
        "all",
        years,
        n=231,
        twin=0.030,
        persistence=0.045,
        drift=0.040,
        crps_skill=skill,
        coverage90=inside,
        crps_skill_low=skill - 1.96 * 0.05,
        n_effective=count,
    )
