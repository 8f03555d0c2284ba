"""What a dossier says, as data: everything that the page and dossier.json are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.gate import BacktestRow, Verdict

Triple = tuple[float, float, float]  # estimate, lower end, upper end


@dataclass(frozen=True)
class LeverRow:
    """One lever: its setting today and the one proposed, in physical units.

    An adaptive policy has no single setting: ``proposed`` is its mean over time and draws, and
    ``proposed_low`` to ``proposed_high`` the range it moves in.
    """

    governor: str
    lever: str
    unit: str
    today: float
    proposed: float
    least: float | None = None  # bounds of the lever
    most: float | None = None
    proposed_low: float | None = None
    proposed_high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Effect:
    """An estimate with its interval; welfare effects are shares of baseline income."""

    name: str
    estimate: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class DistrictEffect:
    """Welfare effect in one district and where it lies on the local plane (km)."""

    code: str
    name: str
    estimate: float
    low: float
    high: float
    x_km: float = 0.0
    y_km: float = 0.0


@dataclass(frozen=True)
class Fan:
    """Forecast of one city-wide series against what was observed. Times are years."""

    variable: str
    unit: str
    observed_time: tuple[float, ...]
    observed: tuple[float, ...]
    time: tuple[float, ...]
    median: tuple[float, ...]
    low50: tuple[float, ...]
    high50: tuple[float, ...]
    low90: tuple[float, ...]
    high90: tuple[float, ...]
    over: str = ""  # how districts were combined, in words


@dataclass(frozen=True)
class CostRow:
    """Mean of one constraint cost for today, the best rule and the policy, and its budget."""

    name: str
    status_quo: float
    rule: float | None
    policy: float
    budget: float


@dataclass(frozen=True)
class Vintage:
    """One source of figures: what it holds, how new it is, who made it, under which licence."""

    name: str
    newest: str
    licence: str = ""
    attribution: str = ""
    content_hash: str = ""


@dataclass(frozen=True)
class Provenance:
    """What it takes to make this dossier again."""

    command: str = ""
    vintages: tuple[Vintage, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)  # what -> hash
    seeds: Mapping[str, str] = field(default_factory=dict)  # use -> seeds
    versions: Mapping[str, str] = field(default_factory=dict)  # package -> version
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tried:
    """One policy that was tried, with its welfare gain over the status quo."""

    name: str
    estimate: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Dossier:
    """Everything a city official needs to judge a proposal; only the first six are required."""

    title: str
    city: str  # title of the city, for people
    policy: str  # what the policy is, one sentence
    period: str  # which years it is played through, one phrase
    verdict: Verdict
    comparison: tuple[Effect, ...]  # policy against today, against the best rule, ...
    currency: str = ""
    levers: tuple[LeverRow, ...] = ()
    groups: tuple[Effect, ...] = ()
    districts: tuple[DistrictEffect, ...] = ()
    tiles: Mapping[str, tuple[int, int, str]] = field(default_factory=dict)  # code -> row, col, tag
    fans: tuple[Fan, ...] = ()
    scorecard: tuple[BacktestRow, ...] = ()
    population_ethics: Mapping[str, float | Triple] = field(default_factory=dict)
    atkinson: Mapping[str, float | Triple] = field(default_factory=dict)
    costs: tuple[CostRow, ...] = ()
    tried: tuple[Tried, ...] = ()
    gate_rates: Mapping[str, object] = field(default_factory=dict)  # GateRates.to_json()
    reversal: tuple[str, ...] = ()
    stopping: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
