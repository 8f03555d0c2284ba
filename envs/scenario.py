"""What a scenario must say: who governs, what they see, which levers they hold.

A scenario is one file under ``envs/scenarios`` (or in another package, through the entry
point group ``polislab.scenarios``) with a frozen dataclass that extends ``Scenario``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from torch import Tensor

from envs import costs, regime, studies
from envs.city.boundary import Boundary
from envs.city.dynamics import PRESETS
from envs.city.levers import LEVERS, Policy
from envs.city.model import City
from envs.city.treasury import MODES
from envs.city.welfare import OBJECTIVES, POPULATION, RAWLS
from envs.credit import CREDITS
from envs.groups import Group
from envs.scene import Scene
from envs.view import View

TERMINALS = ("costates", "tail")
_CHOICES: dict[str, Collection[str]] = {
    "dynamics": PRESETS,
    "budget": MODES,
    "terminal": TERMINALS,
    "objective": OBJECTIVES,
    "population": POPULATION,
    "credit": CREDITS,
    "regime": regime.REGIMES,
}
_RANGES: dict[str, tuple[float, float]] = {
    "chance": (0, 10),
    "local_weight": (0, 1),
    "evasion": (0, 1),
    "delay": (0, 1),
    "information": (0, 1),
    "shocks": (0, 1),
    "uncertainty": (0, 1),
    "coupling": (0, 1),
    "aversion": (0, RAWLS),
    "intervention_price": (0, 1000),
    "regime_strength": (0, regime.STRONGEST),
}


@dataclass(frozen=True)
class Scenario:
    """Options that every scenario has.

    Attributes:
        months_per_step: months between decisions.
        horizon: months of an episode; a multiple of ``months_per_step``.
        dynamics: preset of exogenous shocks (``envs.city.dynamics.PRESETS``).
        chance: strength of demographic and market noise, 1 for that of a city of this size
            (the stochastic mode), 0 for the mean field.
        local_weight: weight of a governor's own indicator in its reward, the rest is the
            welfare of the whole.
        reach: share of each lever's range that an action of one spans.
        budget: how the treasury rations requests.
        terminal: how learners are paid for stocks left at the end beyond the twin's: "costates", by
            their shadow prices at the first year, as they build up; or "tail", by twenty more years
            of today's policy, simulated: exact, what scores count, and several times slower.
            Prices of the first year pay a fraction of what stocks come to be worth in a city that
            has grown; learners that climb gradients earn more by "tail" (``docs/results.md``).
        information: what governors are told, from 1 (today's values) to 0 (a silo: published
            series in full delay and noise, of one's own block only; ``envs.city.information``).
        evasion: share of the calibrated evasion, mimicry and dodging that happens; 0 nobody cheats.
        delay: share of the delays of instruments and building lags; 0 at once (``envs.realism``).
        shocks: amplitude of the exogenous process over the preset's; 0 a steady world.
        uncertainty: spread of parameters over that of the priors; 0 the city's own, 1 each row
            another draw (sigma .5 where the neutral prior solved them), at each seed anew.
        coupling: strength of the ports between the four blocks; 0 as in the first month.
        regime: what breaks in mid-episode, unannounced (``envs.regime.BREAKS``), or "none".
        regime_month: months lived before the break; 0 each row's own, from the middle half of the
            episode.
        regime_strength: 1 for a jump as wide as the priors, for as much evasion again as is
            calibrated (``evasion`` 0: from none to all of it), or for half as much need again.
        objective: what counts as welfare of the whole (``envs.city.welfare.OBJECTIVES``).
        aversion: to inequality, of the objective "atkinson".
        population: whose welfare the objective "utilitarian" counts (``welfare.POPULATION``);
            "incumbents" also has nash, atkinson and rawls count the first year's residents, by
            type, where they else count those who live in the city now.
        credit: how the welfare of the whole is split between the agents
            (``envs.credit.CREDITS``).
        intervention_price: of what a governor moves, per unit of the cost "intervention",
            whose weights are ``cost_limits`` (the smallest intervention that serves).
        life_cycle: governors also see what was paid, is under construction and stands of
            their own capital (``envs.city.lifecycle``).
        bulletin: governors also see complaints, permits and the like, and their own
            indicators of a year ago as revised (``envs.city.information.BULLETIN``).
        studies: share of the variance of parameters that ``uncertainty`` draws which evaluation
            studies tell all agents, by parameter (``envs.studies``): {"g_road": 0.8}, or {"all":
            0.8} for every one; of the city before a break; zeros where nothing is drawn.
        cost_budgets: budgets of constraint costs where they differ from ``envs.costs.COSTS``.
        cost_limits: numbers in their formulas where they differ from ``envs.costs.LIMITS``.
        cost_sets: who shares the budget of a constraint cost, by its name: agents, or groups for
            all theirs (``envs.cost_sets``).
    """

    months_per_step: int = 3
    horizon: int = 120
    dynamics: str = "shocks"
    chance: float = 0.0
    local_weight: float = 0.2
    reach: float = 1.0
    budget: str = "pooled"
    terminal: str = "costates"
    information: float = 1.0
    evasion: float = 1.0
    delay: float = 1.0
    shocks: float = 1.0
    uncertainty: float = 0.0
    coupling: float = 1.0
    regime: str = "none"
    regime_month: int = 60
    regime_strength: float = 1.0
    objective: str = "utilitarian"
    aversion: float = 2.0
    population: str = "total"
    credit: str = "shared"
    intervention_price: float = 0.0
    life_cycle: bool = False
    bulletin: bool = False
    studies: dict[str, float] = field(default_factory=dict)
    cost_budgets: dict[str, float] = field(default_factory=dict)
    cost_limits: dict[str, float] = field(default_factory=dict)
    cost_sets: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """What is wrong with the options, in words."""
        found = []
        if self.months_per_step < 1:
            found.append(f"months_per_step={self.months_per_step}: expected at least 1")
        elif self.horizon < 1 or self.horizon % self.months_per_step:
            found.append(
                f"horizon={self.horizon}: expected a positive multiple of months_per_step="
                f"{self.months_per_step}"
            )
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                found.append(f"{name}={value!r}: expected one of {', '.join(choices)}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                found.append(f"{name}={value}: expected {low:g} to {high:g}")
        if not 0 < self.reach <= 1:
            found.append(f"reach={self.reach}: expected above 0 and at most 1")
        found += regime.problems(self)
        found += studies.problems(self.studies)
        return found + costs.problems(self.cost_budgets, self.cost_limits, self.cost_sets)

    def budgets(self, names: Sequence[str]) -> tuple[float, ...]:
        """Budgets of constraint costs."""
        return tuple(self.cost_budgets.get(name, costs.COSTS[name].budget) for name in names)

    def terms(self, scene: Scene, levers: Sequence[str], axis: str = "") -> costs.Terms:
        """What the costs of a group that holds ``levers`` are worked out for.

        Args:
            axis: what the agents of the group are, one a cell: "district", "service" or
                "private" (sector); "" for one agent.
        """
        limits = {name: limit.default for name, limit in costs.LIMITS.items()}
        years = scene.elapsed * (self.horizon / 12)
        return costs.Terms(limits | self.cost_limits, years, tuple(levers), axis)

    def boundary(self) -> Boundary:
        """Blocks that are not fully live, and what supplies their ports instead."""
        return Boundary(others="frozen", coupling=self.coupling)

    def groups(self, city: City) -> tuple[Group, ...]:
        """The groups of governors of this scenario in a city."""
        raise TypeError("a scenario defines groups, observe, request and goals")

    def observe(self, view: View) -> dict[str, Tensor]:
        """Normalised observations by group ``[B, n, obs]``, of what was published.

        It must ask for the same figures every time: the channel is built for them.
        """
        raise TypeError("a scenario defines groups, observe, request and goals")

    def witnesses(self) -> tuple[str, ...]:
        """Viewers that see figures as they are: those who live through them."""
        return ()

    def say(self, actions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What agents tell each other with actions in [-1, 1], by name ``[B, ...]``; words
        change nothing in the city, and 0 is silence."""
        return {}

    def measures(self, scene: Scene, view: View) -> dict[str, Tensor]:
        """Figures of the scenario's own question for ``StepResult.info``, ``[B]`` each."""
        return {}

    def request(self, actions: Mapping[str, Tensor], policy: Policy) -> Policy:
        """Physical lever settings for raw actions in [-1, 1], starting from today's policy."""
        raise TypeError("a scenario defines groups, observe, request and goals")

    def goals(self, scene: Scene) -> dict[str, Tensor]:
        """Local goals by group ``[B, n]`` against the twin, about unit size."""
        raise TypeError("a scenario defines groups, observe, request and goals")

    def costs(self, scene: Scene) -> dict[str, Tensor]:
        """Constraint costs by group ``[B, n, C]``, each at least zero."""
        raise TypeError("a scenario defines groups, observe, request and goals")


def accepts(option: str) -> str:
    """Values that an option accepts, in words; empty where its type says enough."""
    if option in _RANGES:
        return "{:g} to {:g}".format(*_RANGES[option])
    return ", ".join(_CHOICES.get(option, ()))


def scaled(name: str, raw: Tensor, reach: float) -> Tensor:
    """Physical value of a raw action for a lever, within ``reach`` of its range."""
    return LEVERS[name].physical(reach * raw)


def build(kind: type[Scenario], options: Mapping[str, Any]) -> Scenario:
    """A scenario with checked options.

    Raises:
        TypeError: unknown options; the known ones are listed.
        ValueError: values out of range; all problems at once.
    """
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise TypeError(
            f"unknown scenario option {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    scenario = kind(**options)
    problems = scenario.problems()
    if problems:
        raise ValueError("; ".join(problems))
    return scenario


__all__ = ["Group", "Scenario", "Scene", "build", "scaled"]
