"""The one table of constraint costs: what a policy may not do however much it earns.

Scenarios, learners, the gate and ``polislab scenario show`` read this table (MODEL section 9,
"Constraint costs"). Every cost is at least zero and differentiable; its mean over an episode is
held against a budget. The numbers in the formulas are norms, not measurements: they are the
``LIMITS``, and a scenario's options may change them and the budgets.

Shapes: B rows, D districts, H services, n agents of a group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import softplus

from envs.city.demography import age
from envs.city.levers import LEVERS, Lever, Policy
from envs.city.sizes import TYPE_NAMES
from envs.scene import Scene

#: Household types whose displacement counts.
LOW_INCOME = [TYPE_NAMES.index(name) for name in ("lowest income", "low income")]
MONTHS = 12


@dataclass(frozen=True)
class Limit:
    """A number in a cost's formula: a norm that a city sets itself.

    Attributes:
        name: key of the scenario option ``cost_limits``; default, low, high: value and accepted
            range; unit; meaning; source: publication, or "assumed".
    """

    name: str
    default: float
    low: float
    high: float
    unit: str
    meaning: str
    source: str = "assumed"


@dataclass(frozen=True)
class Terms:
    """What a cost is worked out for.

    limits: value of every limit. years: ``[B]`` since the start of the episode. levers: of the
    group that carries the cost. axis: what its agents are, one a cell: "district", "service" or
    "private"; values are by agent ``[B, n]`` where a cost can be told apart so, else of the
    whole city ``[B]``.
    """

    limits: Mapping[str, float]
    years: Tensor
    levers: tuple[str, ...]
    axis: str = ""

    @property
    def local(self) -> bool:
        """Whether the agents are the districts."""
        return self.axis == "district"

    def mean(self, values: Tensor, weights: Tensor) -> Tensor:
        """District values ``[B, D]`` as they are, or their weighted mean over the city ``[B]``."""
        if self.local:
            return values
        return (values * weights).sum(-1) / weights.sum(-1)


@dataclass(frozen=True)
class Cost:
    """One constraint.

    Attributes:
        name: column in ``StepResult.costs``; formula: in words and symbols; unit.
        limits: numbers in the formula (``LIMITS``).
        budget: what its mean over an episode may reach, by default.
        governor: who carries it in ``city_v0``; "all": each governor for its own levers.
        value: ``[B]``, or ``[B, D]`` where the terms are local and the cost has a place.
    """

    name: str
    formula: str
    unit: str
    limits: tuple[str, ...]
    budget: float
    governor: str
    value: Callable[[Scene, Terms], Tensor]


def excess(x: Tensor, width: float) -> Tensor:
    """Smooth positive part: 0 up to 0, then ``x^2 / (x + width)``; slope continuous, at most 1."""
    above = x.clamp_min(0)
    return above**2 / (above + width)


def distance(x: Tensor, width: float) -> Tensor:
    """Smooth absolute value ``x^2 / (|x| + width)``, exactly 0 at 0."""
    return x**2 / (x.abs() + width)


def _deficit(scene: Scene, terms: Terms) -> Tensor:
    revenue, width = scene.flows.settlement.revenue, terms.limits["debt_width"]
    over = scene.state.treasury.debt / revenue - MONTHS * terms.limits["debt_limit"]
    return softplus(over / width) * width


def _emissions(scene: Scene, terms: Terms) -> Tensor:
    cut = terms.limits["emission_cut"]
    cap = terms.limits["emission_cap"] * (1 - cut) ** terms.years
    now = scene.value("emissions") / scene.start["emissions"]
    return excess(now - cap, terms.limits["emission_width"])


def _service_minimum(scene: Scene, terms: Terms) -> Tensor:
    width = terms.limits["quality_width"]
    short = (
        softplus((terms.limits["quality_minimum"] - scene.flows.services.access) / width) * width
    )
    people = scene.flows.residents.people.sum(-1)
    if terms.axis == "service":
        return (short * people.unsqueeze(-1)).sum(1) / people.sum(-1, keepdim=True)
    return terms.mean(short.sum(-1), people)


def _displacement(scene: Scene, terms: Terms) -> Tensor:
    """What left on balance, births, deaths and careers aside, beyond what left in the twin."""
    p = scene.city.parameters
    leaving = []
    for state, flows in ((scene.state, scene.flows), (scene.twin_state, scene.twin_flows)):
        stayed = age(flows.residents.people, p, flows.services.education)
        gone = (stayed - state.planning.people)[..., LOW_INCOME]
        leaving.append(MONTHS * gone / stayed[..., LOW_INCOME])
    people = scene.flows.residents.people[..., LOW_INCOME]
    out = excess(leaving[0] - leaving[1], terms.limits["displacement_width"])
    return terms.mean((out * people).sum(-1) / people.sum(-1), people.sum(-1))


def _road_condition(scene: Scene, terms: Terms) -> Tensor:
    short = terms.limits["condition_minimum"] - scene.value("district:road_condition")
    worn = excess(short, terms.limits["condition_width"])
    return terms.mean(worn, scene.value("district:traffic"))


def _volatility(scene: Scene, terms: Terms) -> Tensor:
    before, after = scene.flows.residents.home_rent, scene.state.planning.home_rent
    swing = distance(torch.log(after / before), terms.limits["rent_width"])
    return terms.mean(swing, scene.flows.residents.people.sum(-1))


def _intervention(scene: Scene, terms: Terms) -> Tensor:
    levers, limits = [LEVERS[name] for name in terms.levers], terms.limits
    asked = [_cells(lever, scene.flows.fiscal.announced, terms) for lever in levers]
    in_force = [_cells(lever, scene.flows.fiscal.policy, terms) for lever in levers]
    sizes = tuple(cells.shape[-1] for cells in asked)
    wanted, now = torch.cat(asked, -1), torch.cat(in_force, -1)
    today, span, mean = _scales(terms.levers, sizes, wanted.dtype, wanted.device)
    moved = (wanted - today) / span
    pace = ((wanted - now) / span) ** 2 @ mean
    reach = distance(moved, limits["moved_width"]) @ mean
    spread = moved**2 @ mean
    count = spread / (spread + limits["moved_width"] ** 2)
    effort = limits["weight_pace"] * pace + limits["weight_reach"] * reach
    return (effort + limits["weight_count"] * count).sum(-1)


@lru_cache(maxsize=64)
def _scales(
    names: tuple[str, ...], sizes: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Today's settings and ranges of levers by cell ``[cells]``, and what takes the mean over the
    cells of each lever ``[cells, levers]``; worked out once, since a step asks for them anew."""
    levers = [LEVERS[name] for name in names]
    of = torch.repeat_interleave(torch.tensor(sizes))

    def by_cell(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=dtype)[of]

    own = of.unsqueeze(-1) == torch.arange(len(levers))
    tables = (
        by_cell([lever.default for lever in levers]),
        by_cell([lever.high - lever.low for lever in levers]),
        own * by_cell([1 / size for size in sizes]).unsqueeze(-1),
    )
    today, span, mean = (table.to(device) for table in tables)
    return today, span, mean


def _cells(lever: Lever, policy: Policy, terms: Terms) -> Tensor:
    """Cells of a lever ``[B, cells]``, or ``[B, n, cells]`` of each agent."""
    setting = policy[lever.name]
    if not terms.axis:
        return setting.reshape(setting.shape[0], -1)
    agents = setting.movedim(1 + lever.shape.split(",").index(terms.axis), 1)
    return agents.reshape(*agents.shape[:2], -1)


LIMITS: dict[str, Limit] = {
    limit.name: limit
    for limit in (
        Limit("debt_limit", 0.6, 0, 10, "years of revenue", "debt at which the cost sets in"),
        Limit("debt_width", 1.0, 0.01, 12, "months of revenue", "softness of that limit"),
        Limit("emission_cap", 1.0, 0, 10, "first year = 1", "cap on emissions at the start"),
        Limit("emission_cut", 0.0, 0, 0.5, "share a year", "yearly fall of the cap"),
        Limit("emission_width", 0.02, 1e-4, 1, "first year = 1", "softness of the cap"),
        Limit("quality_minimum", 0.5, 0, 1.6, "index", "lowest acceptable quality of a service"),
        Limit("quality_width", 0.05, 1e-3, 1, "index", "softness of that minimum"),
        Limit("displacement_width", 0.005, 1e-4, 1, "share a year", "net outflow that is noise"),
        Limit("condition_minimum", 0.5, 0, 1.2, "index", "lowest acceptable condition of roads"),
        Limit("condition_width", 0.05, 1e-3, 1, "index", "softness of that minimum"),
        Limit("rent_width", 1e-4, 1e-6, 0.1, "log points a month", "rent change that is noise"),
        Limit(
            "weight_pace", 1.0, 0, 100, "-", "weight of the squared gap between asked and in force"
        ),
        Limit("weight_reach", 0.1, 0, 100, "-", "weight of the distance from today's settings"),
        Limit("weight_count", 0.02, 0, 100, "-", "weight of each lever that is moved at all"),
        Limit(
            "moved_width",
            0.02,
            1e-4,
            1,
            "share of range",
            "distance at which a lever counts half as moved",
        ),
    )
}

COSTS: dict[str, Cost] = {
    cost.name: cost
    for cost in (
        Cost(
            "deficit",
            "softplus((debt / revenue - 12 debt_limit) / debt_width) debt_width",
            "months of revenue",
            ("debt_limit", "debt_width"),
            0.7,
            "industry",
            _deficit,
        ),
        Cost(
            "emissions",
            "emissions over the first year's beyond emission_cap (1 - emission_cut)^years",
            "first year = 1",
            ("emission_cap", "emission_cut", "emission_width"),
            0.05,
            "infrastructure",
            _emissions,
        ),
        Cost(
            "service_minimum",
            "sum over services of softplus((quality_minimum - met) / quality_width) quality_width, "
            "mean over residents",
            "index",
            ("quality_minimum", "quality_width"),
            0.05,
            "services",
            _service_minimum,
        ),
        Cost(
            "displacement",
            "low-income residents who leave a district on balance over those who live there, "
            "beyond the status quo's, mean over low-income residents",
            "share a year",
            ("displacement_width",),
            0.02,
            "planning",
            _displacement,
        ),
        Cost(
            "road_condition",
            "shortfall of road condition below condition_minimum, mean over traffic",
            "index",
            ("condition_minimum", "condition_width"),
            0.05,
            "infrastructure",
            _road_condition,
        ),
        Cost(
            "intervention",
            "sum over levers of weight_pace ((asked - in force) / range)^2 + weight_reach "
            "|asked - today's| / range + weight_count [moved at all], means over a lever's cells",
            "weighted ranges",
            ("weight_pace", "weight_reach", "weight_count", "moved_width"),
            0.5,
            "all",
            _intervention,
        ),
        Cost(
            "volatility",
            "|d ln rent| of homes, mean over residents",
            "log points a month",
            ("rent_width",),
            0.005,
            "planning",
            _volatility,
        ),
    )
}


def names(governor: str) -> tuple[str, ...]:
    """Costs that a governor carries."""
    return tuple(cost.name for cost in COSTS.values() if cost.governor in (governor, "all"))


def evaluate(carried: Sequence[str], scene: Scene, terms: Terms, agents: int) -> Tensor:
    """Costs of a group ``[B, n, C]``; what has no place is shared by all agents."""
    columns = []
    for name in carried:
        value = COSTS[name].value(scene, terms)
        columns.append(value if value.dim() > 1 else value.unsqueeze(-1).expand(-1, agents))
    return torch.stack(columns, -1)


def problems(
    budgets: Mapping[str, float],
    limits: Mapping[str, float],
    sets: Mapping[str, Sequence[str]],
) -> list[str]:
    """What is wrong with a scenario's own budgets, limits and sets of governors, in words."""
    found = []
    for name, members in sets.items():
        if name not in COSTS:
            found.append(f"cost_sets: {name!r} is unknown; known: {', '.join(COSTS)}")
        elif not members or len(set(members)) < len(members):
            found.append(f"cost_sets: {name}: expected different members, at least one")
    for name, budget in budgets.items():
        if name not in COSTS:
            found.append(f"cost_budgets: {name!r} is unknown; known: {', '.join(COSTS)}")
        elif not 0 <= budget < float("inf"):
            found.append(f"cost_budgets: {name}={budget:g}, expected at least 0")
    for name, value in limits.items():
        limit = LIMITS.get(name)
        if limit is None:
            found.append(f"cost_limits: {name!r} is unknown; known: {', '.join(LIMITS)}")
        elif not limit.low <= value <= limit.high:
            found.append(
                f"cost_limits: {name}={value:g} {limit.unit}, expected {limit.low:g} to "
                f"{limit.high:g}"
            )
    return found
