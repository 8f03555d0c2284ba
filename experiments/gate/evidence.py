"""What the gate looks at: facts about the data, the twin's record, and paired rollouts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class EvidenceError(ValueError):
    """The evidence contradicts itself; ``problems`` lists everything found."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True)
class Rollouts:
    """Outcomes of every policy on the same draws of the twin (common random numbers).

    Welfare is discounted and a share of baseline income (0.01 = one per cent). A policy without
    training seeds (a rule) repeats its figures along that axis.
    """

    policies: tuple[str, ...]
    welfare: Floats  # [P, S, N] policy, training seed, posterior draw
    by_group: Floats  # [P, S, N, K] household type
    by_district: Floats  # [P, S, N, D]
    costs: Mapping[str, Floats] = field(default_factory=dict)  # name -> [P, S, N], episode mean
    budgets: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(_shape_problems(self))
        if problems:
            raise EvidenceError(problems)

    @property
    def seeds(self) -> int:
        """Number of training seeds."""
        return int(self.welfare.shape[1])

    @property
    def draws(self) -> int:
        """Number of posterior draws."""
        return int(self.welfare.shape[2])

    def index(self, policy: str) -> int:
        """Position of a policy; raises EvidenceError that lists the known ones."""
        if policy not in self.policies:
            raise EvidenceError([f"no rollouts of {policy!r}; there are {list(self.policies)}"])
        return self.policies.index(policy)

    def gain(self, policy: str, reference: str) -> Floats:
        """Paired welfare gain ``[S, N]`` of one policy above another."""
        return np.asarray(self.welfare[self.index(policy)] - self.welfare[self.index(reference)])


@dataclass(frozen=True)
class SeriesFact:
    """One observed series: its newest month (12 * year + month - 1) and publishing interval."""

    variable: str
    newest_month: int
    interval_months: int


@dataclass(frozen=True)
class DataFacts:
    """Facts about the city package as known in the month the decision is taken."""

    as_of_month: int
    series: tuple[SeriesFact, ...]
    problems: tuple[str, ...] = ()  # what breaks the package contract
    look_ahead: int = 0  # observations used before they were published


@dataclass(frozen=True)
class BacktestRow:
    """Score of the twin's forecasts of one variable at one horizon (years).

    Errors are mean absolute log errors. ``crps_skill_low`` is the lower end of the 95 % interval
    of the skill against the hardest of the simple references. ``n_effective`` counts independent
    forecasts where neighbouring districts move together; without it ``n`` is used.
    """

    variable: str
    part: str  # "all" or "idiosyncratic"
    horizon: int
    n: int
    twin: float
    persistence: float
    drift: float
    crps_skill: float
    coverage90: float
    crps_skill_low: float | None = None
    n_effective: float | None = None

    @classmethod
    def from_mapping(cls, row: Mapping[str, Any]) -> BacktestRow:
        """Read one row of ``polislab twin backtest --json``; further keys are ignored."""
        known = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        try:
            return cls(**known)
        except TypeError as error:
            raise EvidenceError([f"backtest row {dict(row)}: {error}"]) from error


@dataclass(frozen=True)
class Evidence:
    """Everything the checks read. Parts that do not exist leave their checks untested."""

    data: DataFacts | None = None
    backtest: tuple[BacktestRow, ...] = ()
    pit: Mapping[str, float] = field(default_factory=dict)  # variable -> p-value of uniformity
    rollouts: Rollouts | None = None
    groups: tuple[str, ...] = ()  # names of the K household types
    policy: str = "policy"
    status_quo: str = "status_quo"
    rules: tuple[str, ...] | None = None  # simple rules; None: every other policy rolled out
    tried: int = 1  # policies tried to arrive at this one, itself included
    margin: float | None = None  # loss that counts, share of income; None: the threshold file's
    decisive: tuple[str, ...] = ()  # further variables that the policy's effect runs through
    seed: int = 20_150_000  # of the bootstrap; outside the range that training can reach

    def simple_rules(self) -> tuple[str, ...]:
        """Names of the rules that the policy has to beat."""
        if self.rules is not None:
            return self.rules
        if self.rollouts is None:
            return ()
        known = {self.policy, self.status_quo}
        return tuple(name for name in self.rollouts.policies if name not in known)

    def group_names(self) -> tuple[str, ...]:
        """Names of the household groups; numbered where none were given."""
        count = self.rollouts.by_group.shape[3] if self.rollouts is not None else 0
        return self.groups or tuple(f"group {k + 1}" for k in range(count))


def _shape_problems(rollouts: Rollouts) -> Iterable[str]:
    welfare = rollouts.welfare
    if welfare.ndim != 3 or welfare.size == 0:
        yield f"welfare must be [policies, seeds, draws] and not empty, got {welfare.shape}"
        return
    if welfare.shape[0] != len(rollouts.policies):
        yield f"{len(rollouts.policies)} policies but welfare of {welfare.shape[0]}"
    if len(set(rollouts.policies)) != len(rollouts.policies):
        yield f"policies are named twice: {list(rollouts.policies)}"
    detailed = {"by_group": rollouts.by_group, "by_district": rollouts.by_district}
    for name, array in detailed.items():
        if array.ndim != 4 or array.shape[:3] != welfare.shape:
            yield f"{name} must be {[*welfare.shape, 'n']}, got {list(array.shape)}"
    for name, array in rollouts.costs.items():
        if array.shape != welfare.shape:
            yield f"cost {name!r} must be {list(welfare.shape)}, got {list(array.shape)}"
        if name not in rollouts.budgets:
            yield f"cost {name!r} has no budget"
    arrays = {"welfare": welfare, **detailed, **rollouts.costs}
    for name, array in arrays.items():
        bad = int((~np.isfinite(array)).sum())
        if bad:
            yield f"{name} has {bad} values that are not finite"
