"""No free lunches: what each lever is worth at the margin, alone at its bounds, and together.

The tables that MODEL section 22.6 asks for. Gains are permanent-income equivalents: shares of
the first year's income, for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from agents.planner import Planner, PlannerSettings
from envs import priors, registry
from envs.city import neutrality, welfare
from envs.city.cities import with_parameters
from envs.city.levers import LEVERS, Lever
from envs.city.model import City
from envs.city.parameters import TABLE
from envs.city.valuation import MONTHS, discount_factor, margins, probe_names
from envs.loading import load_city
from envs.objectives import REWARD_SCALE
from envs.registry import Environment, make
from envs.twin import posterior
from envs.twin.packages import find_city
from experiments.cities import PRESETS, SYNTHETIC, city_fault
from experiments.errors import InputError

#: Largest neutrality residual that counts as neutral.
LIMIT = 0.05
#: The ratio of values says nothing where the cost is this small a share of the mechanical cost.
LEAST_COST = 0.1
_REASONS = {
    "targeting": "moves no money: gives one type what it takes from another",
    "debt_target": "moves payments in time only",
    "budget_split": "not in force under one treasury",
    "coproduction": "residents give it, no governor sets it",
}
#: Levers that no marginal value is worked out for, and why.
UNPROBED: dict[str, str] = {
    lever.name: _REASONS.get(lever.name, "the table of levers names no base")
    for lever in LEVERS.values()
    if not lever.valued
}
#: What drivers pay for the road: it may pay where roads are over capacity.
TOLLS = tuple(x.name for x in LEVERS.values() if x.base in ("entries", "driving"))
_SOLVED = {unknown.lever.partition("[")[0] for unknown in neutrality.UNKNOWNS}
#: Levers whose neutral setting is today's, a bound: they may cost, but must not pay.
ONE_SIDED = tuple(
    x.name
    for x in LEVERS.values()
    if x.valued and x.name not in _SOLVED and x.default in (x.low, x.high)
)
_HUNDREDTH = 0.01
#: Steps after which Newton's method gives up.
NEWTON_STEPS = 8
_SYNTHETIC_DISTRICTS = 9

Tick = Callable[[], None]


@dataclass(frozen=True)
class LeverValue:
    """One lever (or cell of one) at the baseline of a soft treasury.

    welfare, cost, mechanical: present values of a permanent step of a hundredth of the lever's
    range, millionths of the present value of income; benefit_cost and public_value are ratios,
    None where they say nothing; residual: the neutrality residual ``n_u``.
    """

    lever: str
    governor: str
    counter: str
    welfare: float
    cost: float
    mechanical: float
    benefit_cost: float | None
    public_value: float | None
    residual: float
    one_sided: bool
    passes: bool
    remark: str


@dataclass(frozen=True)
class Solved:
    """A parameter that the neutral prior sets; outside: of its published range, None without."""

    parameter: str
    cell: str
    value: float
    published: str
    outside: bool | None
    unit: str
    lever: str
    meaning: str


@dataclass(frozen=True)
class Bound:
    """Gain of one action held at a bound for the episode, all others as today."""

    action: str
    side: str
    setting: float
    gain: float


@dataclass(frozen=True)
class Setting:
    """One action of the best constant plan: raw in [-1, 1], physical, and what the plan's gain
    loses if this action alone goes back to today's setting."""

    action: str
    raw: float
    value: float
    today: float
    unit: str
    share: float


@dataclass(frozen=True)
class Constant:
    """The best constant plan of a search; by_start: the last gain of every start."""

    gain: float
    by_start: tuple[float, ...]
    iterations: int
    history: tuple[float, ...]
    settings: tuple[Setting, ...]


def calibrated(city: str, districts: int | None = None) -> City:
    """The one-row city of seed 0 or of a package, with its neutral prior.

    Raises:
        InputError: a city that there is none of, or districts of a package.
    """
    _check(city, districts)
    if city == SYNTHETIC:
        return registry.synthetic(0, 1, districts or _SYNTHETIC_DISTRICTS)
    return load_city(city).city


def _check(city: str, districts: int | None) -> None:
    problems = []
    if city != SYNTHETIC and posterior.is_twin(city):
        problems.append(f"{city}: a fitted twin has many cities; name the package it was fitted to")
    elif city in PRESETS and city != SYNTHETIC:
        problems.append(f"{city}: its setting has no neutral prior, on purpose")
    elif fault := city_fault(city):
        problems.append(fault)
    if city != SYNTHETIC and districts is not None:
        problems.append(f"--districts {districts}: only for synthetic cities")
    if problems:
        raise InputError(problems)


def prior_file(city: str, districts: int | None = None) -> Path:
    """Where the prior of a city is kept.

    Raises:
        InputError: no such city, or its prior is not ours to change.
    """
    _check(city, districts)
    if city != SYNTHETIC:
        return find_city(city) / priors.FILE
    if districts not in (None, _SYNTHETIC_DISTRICTS):
        raise InputError(
            f"--write: the prior of synthetic cities is solved on {_SYNTHETIC_DISTRICTS} districts"
        )
    if not (priors.SYNTHETIC.parents[2] / "pyproject.toml").is_file():
        raise InputError("--write: the prior of synthetic cities changes in a checkout only")
    return priors.SYNTHETIC


def solve_and_keep(city: City, home: Path, tick: Tick) -> City:
    """Solve the neutral prior of a one-row city, store it in ``home``, and apply it.

    Args:
        tick: called after every step of Newton's method.
    """
    solution = neutrality.solve(city, iterations=NEWTON_STEPS, progress=lambda *_: tick())
    note = "Neutral prior of this city, solved on its first year."
    if home == priors.SYNTHETIC:
        note = (
            "Neutral prior of synthetic cities, solved on the city of seed 0 with "
            f"{_SYNTHETIC_DISTRICTS} districts."
        )
    priors.write(home, solution, note)
    load_city.cache_clear()
    registry.synthetic.cache_clear()
    return with_parameters(city, solution.values)


def lever_values(city: City, months: int = MONTHS) -> list[LeverValue]:
    """Marginal values of every probed lever of a one-row city, in the order of the levers."""
    reference = welfare.reference(city)
    found = margins(city, reference, 1, months)
    lifetime = float(reference.total / (1 - discount_factor(city)))
    rows = []
    for name in probe_names():
        lever = LEVERS[name.partition("[")[0]]
        step = 1e6 * _HUNDREDTH * (lever.high - lever.low) / lifetime
        gain, cost = float(found.welfare[name]), float(found.cost[name])
        mechanical = float(found.mechanical[name])
        residual = float(found.residual(name, city.parameters.b.cost_of_funds))
        costly = lever.kind != "regulation"
        telling = costly and abs(cost) > LEAST_COST * abs(mechanical)
        passes, remark = judge(lever, residual, float(city.parameters.b.vc))
        rows.append(
            LeverValue(
                lever=name,
                governor=lever.governor,
                counter=lever.counter,
                welfare=step * gain,
                cost=step * cost,
                mechanical=step * mechanical,
                benefit_cost=float(found.benefit_cost(name)) if costly else None,
                public_value=float(found.public_value(name)) if telling else None,
                residual=residual,
                one_sided=lever.name in ONE_SIDED,
                passes=passes,
                remark=remark,
            )
        )
    return rows


def judge(lever: Lever, residual: float, load: float) -> tuple[bool, str]:
    """Whether a residual counts as neutral, and what to know about it.

    Args:
        load: peak traffic over road capacity of the city's first year.
    """
    if lever.name in TOLLS and residual >= LIMIT:
        if load > 1:
            return True, f"pays because roads are over capacity (v/c {load:g}): the Pigouvian gain"
        return False, f"pays although roads are below capacity (v/c {load:g})"
    if lever.name in ONE_SIDED:
        words = "at its lower bound: may cost, must not pay"
        return residual < LIMIT, words if residual < LIMIT else f"{words}, yet pays"
    return abs(residual) < LIMIT, "" if abs(residual) < LIMIT else "not neutral"


def solved_values(city: City) -> list[Solved]:
    """The solved parameters of a one-row city beside their published ranges, unclipped."""
    vector = neutrality.pack(city.parameters).tolist()
    rows = []
    for unknown, value in zip(neutrality.UNKNOWNS, vector, strict=True):
        low, between, high = unknown.published.partition(" to ")
        outside = not float(low) <= value <= float(high) if between else None
        rows.append(
            Solved(
                parameter=unknown.parameter,
                cell=unknown.lever.partition("[")[2].rstrip("]"),
                value=value,
                published=unknown.published,
                outside=outside,
                unit=TABLE[unknown.parameter].unit,
                lever=unknown.lever or "a resident more is neutral",
                meaning=TABLE[unknown.parameter].meaning,
            )
        )
    return rows


def steps(horizon: int) -> int:
    """Decisions in ``horizon`` months: one a year, or one a month."""
    return horizon // 12 if horizon % 12 == 0 else horizon


def environment(city: City, rows: int, horizon: int) -> Environment:
    """A steady city whose governors see nothing happen, with its future simulated at the end."""
    return make(
        "city_v0",
        city=city,
        num_envs=rows,
        horizon=horizon,
        months_per_step=horizon // steps(horizon),
        dynamics="steady",
        local_weight=0.0,
        terminal="tail",
    )


def percent(city: City, months_of_income: float) -> float:
    """A present value in months of income as a percentage of income for ever."""
    return 100 * months_of_income * float(1 - discount_factor(city))


def names_of(env: Environment) -> list[str]:
    """Every action of all governors, in order."""
    return [name for group in env.groups for name in group.action_names]


def gains(city: City, raw: Tensor, horizon: int, tick: Tick) -> list[float]:
    """Gain of holding actions ``raw`` ``[rows, actions]`` constant, percent of income for ever."""
    env = environment(city, raw.shape[0], horizon)
    parts = torch.split(raw, [len(group.action_names) for group in env.groups], 1)  # type: ignore[no-untyped-call]
    actions = {g.name: part.unsqueeze(1) for g, part in zip(env.groups, parts, strict=True)}
    env.reset(0)
    beta = float(discount_factor(city))
    total = torch.zeros(raw.shape[0], dtype=env.dtype)
    for step in range(env.steps_per_episode):
        result = env.step(actions)
        flow = next(iter(result.rewards.values()))[:, 0] / REWARD_SCALE
        total = total + beta ** (step * env.months_per_step) * flow
        tick()
    return [percent(city, x) for x in total.tolist()]


def bounds(city: City, horizon: int, tick: Tick) -> list[Bound]:
    """Each action alone at each of its bounds, one row each: non-convexities show."""
    names = names_of(environment(city, 1, horizon))
    held = [
        (column, side, sign)
        for column, name in enumerate(names)
        for side, sign in (("low", -1.0), ("high", 1.0))
        if getattr(LEVERS[name.partition("[")[0]], side) != LEVERS[name.partition("[")[0]].default
    ]
    raw = torch.zeros(len(held), len(names))
    for row, (column, _, sign) in enumerate(held):
        raw[row, column] = sign
    found = gains(city, raw, horizon, tick)
    return [
        Bound(names[column], side, float(physical(names[column], sign)), gain)
        for (column, side, sign), gain in zip(held, found, strict=True)
    ]


def physical(action: str, raw: float) -> float:
    """A raw action in the lever's unit (targeting: weight of the lowest incomes)."""
    if action == "targeting":
        return float(2**raw)
    return float(LEVERS[action.partition("[")[0]].physical(torch.tensor(raw)))


def planner_settings(city: City, starts: int, iterations: int) -> PlannerSettings:
    """The search for the best constant policy of one city from several starts."""
    return PlannerSettings(
        cities=1,
        starts=starts,
        spread=0.5,
        iterations=iterations,
        learning_rate=0.05,
        monthly_discount=float(discount_factor(city)),
    )


def constant(city: City, starts: int, iterations: int, horizon: int, tick: Tick) -> Constant:
    """The best constant policy by gradient from ``starts`` starts, one batch.

    Args:
        tick: called after each iteration, and once after the plan is taken apart.
    """
    env = environment(city, starts, horizon)
    planner = Planner(planner_settings(city, starts, iterations), env, seed=0)
    history = []
    for record in planner.search(lambda: None):
        history.append(percent(city, record["best_return"] / REWARD_SCALE))
        tick()
    final = torch.cat([planner.levers[group.name].detach() for group in env.groups], 1)
    kept = torch.cat([planner.best[group.name] for group in env.groups], 1)
    plans = torch.cat([kept, final])
    by_start = gains(city, plans, horizon, lambda: None)
    best = plans[by_start.index(max(by_start))]
    without = best.expand(len(best), -1).clone().fill_diagonal_(0.0)
    found = gains(city, torch.cat([best[None], without]), horizon, lambda: None)
    tick()
    settings = [
        Setting(
            action=name,
            raw=x,
            value=physical(name, x),
            today=physical(name, 0.0),
            unit=LEVERS[name.partition("[")[0]].unit,
            share=found[0] - less,
        )
        for name, x, less in zip(names_of(env), best.tolist(), found[1:], strict=True)
    ]
    return Constant(
        gain=found[0],
        by_start=tuple(by_start[1:]),
        iterations=iterations,
        history=tuple(history),
        settings=tuple(sorted(settings, key=lambda s: -abs(s.share))),
    )
