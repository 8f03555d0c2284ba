"""Settings of planners; defaults and meanings stand in `configs/agent`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from agents.schema import Between, Fraction

Many = Annotated[int, Between(1, 100_000)]
Rate = Annotated[float, Between(1e-6, 1.0)]


@dataclass(frozen=True)
class SearchSettings:
    """What every search for a plan over a whole episode needs."""

    periods: Annotated[int, Between(1, 10_000)]
    cities: Annotated[int, Between(1, 10_000)]
    held_out: Annotated[int, Between(0, 10_000)]
    iterations: Many
    plans_at_once: Annotated[int, Between(1, 10_000)]
    monthly_discount: Fraction

    @property
    def plans(self) -> int:
        """Plans that an iteration plays."""
        raise TypeError("a search says how many plans an iteration plays")


@dataclass(frozen=True)
class OpenLoopSettings(SearchSettings):
    """Gradient through the model (`configs/agent/open_loop.yaml`)."""

    starts: Annotated[int, Between(1, 1000)]
    spread: Fraction
    learning_rate: Rate
    learning_rate_end: Fraction

    @property
    def plans(self) -> int:
        """See `SearchSettings`."""
        return self.starts


@dataclass(frozen=True)
class CEMSettings(SearchSettings):
    """Cross-entropy method (`configs/agent/cem.yaml`)."""

    population: Annotated[int, Between(4, 100_000)]
    elites: Annotated[float, Between(0.001, 0.5)]
    smoothing: Annotated[float, Between(0.01, 1.0)]
    spread: Annotated[float, Between(0.001, 1.0)]
    spread_end: Fraction

    @property
    def plans(self) -> int:
        """See `SearchSettings`."""
        return self.population


@dataclass(frozen=True)
class HorizonSettings:
    """How plans are made while governing."""

    months: Annotated[int, Between(1, 1200)]
    every: Annotated[int, Between(1, 1000)]
    period: Annotated[int, Between(1, 1000)]
    first_iterations: Annotated[int, Between(0, 10_000)]
    iterations: Annotated[int, Between(0, 10_000)]
    learning_rate: Rate
    monthly_discount: Fraction


@dataclass(frozen=True)
class ModelSettings:
    """The city that plans are made on, as `envs.make` builds it.

    districts: of a synthetic city, else None. cities: different cities, or draws of a twin, that
    a plan must serve. options: of the scenario.
    """

    scenario: str
    city: str
    districts: Annotated[int, Between(3, 400)] | None
    cities: Annotated[int, Between(1, 1000)]
    options: dict[str, Any]


@dataclass(frozen=True)
class EstimateSettings:
    """How the weather is learnt to be told from what is observed."""

    rows: Annotated[int, Between(4, 10_000)]
    episodes: Annotated[int, Between(1, 1000)]
    spread: Fraction
    hold: Annotated[int, Between(1, 1000)]


@dataclass(frozen=True)
class MPCSettings:
    """Receding horizon on an estimated model (`configs/agent/mpc.yaml`)."""

    city: str | None
    cities: Annotated[int, Between(1, 1000)]
    options: dict[str, Any]
    horizon: HorizonSettings
    estimate: EstimateSettings


SEARCHES: dict[str, type[SearchSettings]] = {"open_loop": OpenLoopSettings, "cem": CEMSettings}
