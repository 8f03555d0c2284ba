"""Present values, marginal values of levers and co-states, by one backward pass each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from envs.city import tree, welfare
from envs.city.boundary import Boundary
from envs.city.levers import BUDGET_LINES, LEVERS, Policy, baseline_policy
from envs.city.model import City, CityState, Flows
from envs.city.shocks import Shocks, no_shocks
from envs.city.sizes import PRIVATE_NAMES, SERVICE_NAMES
from envs.city.wiring import Supply

MONTHS = 360
_SEGMENT = 12
#: Bytes that the graph of a present value may take; larger ones are recomputed year by year.
GRAPH = 5e9
#: Bytes that the graph of a row and month takes for a pair of districts, and for a district
#: (measured).
PAIR, PLACE = 450, 12_000

#: Levers that are valued cell by cell, so that no cell is underpriced against another.
CELLS: dict[str, tuple[str, ...]] = {
    lever.name: lever.parts
    for lever in LEVERS.values()
    if lever.valued and lever.parts in (PRIVATE_NAMES, SERVICE_NAMES)
}

Request = Callable[[int], Mapping[str, Tensor]]
#: Ports of the month before -> what is held in a month.
Supplies = Callable[[Flows], Mapping[str, Supply]]


@dataclass(frozen=True)
class PresentValue:
    """Discounted sums ``[B]`` in k$: welfare, and public spending minus revenue."""

    welfare: Tensor
    cost: Tensor


def discount_factor(city: City) -> Tensor:
    """Monthly discount factor ``[b]``."""
    return torch.exp(-city.parameters.b.discount / 12)


def graph_bytes(months: int, rows: int, districts: int) -> int:
    """Memory that months of the city take to be differentiated, about."""
    return months * rows * districts * (districts * PAIR + PLACE)


def present_value(
    city: City,
    state: CityState,
    ref: welfare.Reference,
    requested: Mapping[str, Tensor],
    months: int = MONTHS,
    mode: str = "pooled",
    shocks: Shocks | None = None,
    measure: welfare.Measure = "incumbents",
    last: Flows | None = None,
    supplies: Supplies | None = None,
) -> PresentValue:
    """Discounted welfare and public cost of holding ``requested`` for ever.

    The mean of the last twelve months continues as a perpetuity. Memory stays bounded under
    differentiation: where the graph would be too large each year is recomputed in the backward
    pass, which takes nearly three times as long.

    Args:
        shocks: held for ever; default none. measure: what a month is judged by.
        last, supplies: ports of the month before, and what is held after it (default: nothing).
    """
    rows, districts = state.planning.home_rent.shape
    frozen = shocks or no_shocks(rows, districts, state.planning.home_rent)

    def year(start: CityState, ports: Flows | None) -> tuple[Any, ...]:
        gains, costs = [], []
        for _ in range(_SEGMENT):
            held = supplies(ports) if supplies and ports else None
            start, flows = city.step(start, requested, frozen, mode, held=held)
            ports = flows if supplies else None
            now = welfare.evaluate(city, ref, flows)
            gains.append(welfare.measured(now, ref, measure) * ref.total)
            costs.append(flows.settlement.spending - flows.settlement.revenue)
        return start, ports, torch.stack(gains), torch.stack(costs)

    beta = discount_factor(city)
    total_w = total_c = torch.zeros_like(state.treasury.debt)
    weight = torch.ones_like(beta)
    powers = beta ** torch.arange(_SEGMENT, dtype=beta.dtype, device=beta.device).unsqueeze(-1)
    recompute = torch.is_grad_enabled() and graph_bytes(months, rows, districts) > GRAPH
    for _ in range(months // _SEGMENT):
        if recompute:
            state, last, gains, costs = checkpoint(year, state, last, use_reentrant=False)
        else:
            state, last, gains, costs = year(state, last)
        total_w = total_w + weight * (powers * gains).sum(0)
        total_c = total_c + weight * (powers * costs).sum(0)
        weight = weight * beta**_SEGMENT
    tail = weight / (1 - beta)
    return PresentValue(total_w + tail * gains.mean(0), total_c + tail * costs.mean(0))


def probe_names() -> tuple[str, ...]:
    """Levers whose permanent step, uniform over districts, is valued cell by cell."""
    names: list[str] = []
    for lever in LEVERS.values():
        if not lever.valued:
            continue
        cells = CELLS.get(lever.name)
        names += [f"{lever.name}[{cell}]" for cell in cells] if cells else [lever.name]
    return tuple(names)


def probe_policy(base: Policy, step: Mapping[str, Tensor]) -> Policy:
    """Baseline plus steps ``[B]`` by probe name, uniform over districts."""
    policy = dict(base)
    for name, change in step.items():
        lever, _, cell = name.rstrip("]").partition("[")
        value = policy[lever]
        delta = change.reshape(-1, *(1,) * (value.dim() - 1))
        if cell:
            one = torch.zeros_like(value)
            one[..., CELLS[lever].index(cell)] = 1
            delta = delta * one
        policy[lever] = value + delta
    return policy


@dataclass(frozen=True)
class Margins:
    """Marginal values per unit of each probed lever, ``[B]`` k$ of present value.

    welfare: dPV(W)/du; cost: dPV(spending - revenue)/du; mechanical: the same without
    behaviour; funds: welfare of a rebate per unit of cost (lambda).
    """

    welfare: dict[str, Tensor]
    cost: dict[str, Tensor]
    mechanical: dict[str, Tensor]
    funds: Tensor

    def residual(self, name: str, cost_of_funds: Tensor | float) -> Tensor:
        """Neutrality residual ``(W_u - mu lambda R_u) / (lambda |C_u|)``."""
        gap = self.welfare[name] - cost_of_funds * self.funds * self.cost[name]
        return gap / (self.funds * self.mechanical[name].abs())

    def public_value(self, name: str) -> Tensor:
        """Marginal value of public funds over that of a rebate (Hendren & Sprung-Keyser 2020)."""
        return self.welfare[name] / self.cost[name] / self.funds

    def benefit_cost(self, name: str) -> Tensor:
        """Benefit over mechanical cost, fiscal externalities counted as benefits."""
        mechanical = self.mechanical[name]
        return (self.welfare[name] / self.funds - (self.cost[name] - mechanical)) / mechanical


def margins(city: City, ref: welfare.Reference, rows: int, months: int = MONTHS) -> Margins:
    """Value every lever at the baseline of a soft treasury in one backward pass.

    The batch holds each row twice: the first half is differentiated for welfare, the
    second for cost.
    """
    like = city.start.planning.home_rent
    twice = torch.arange(2 * rows, device=like.device) % rows
    doubled = city.select(twice)
    reference = tree.take(ref, twice)
    state = doubled.initial(2 * rows)
    base = baseline_policy(2 * rows, city.districts, like.dtype, like.device)
    step = {
        name: torch.zeros(2 * rows, dtype=like.dtype, device=like.device, requires_grad=True)
        for name in probe_names()
    }
    value = present_value(doubled, state, reference, probe_policy(base, step), months, mode="soft")
    target = value.welfare[:rows].sum() + value.cost[rows:].sum()
    grads = torch.autograd.grad(target, list(step.values()))
    gain = {name: g[:rows] for name, g in zip(step, grads, strict=True)}
    cost = {name: g[rows:] for name, g in zip(step, grads, strict=True)}
    return Margins(
        welfare=gain,
        cost=cost,
        mechanical=mechanical_costs(city, months),
        funds=gain["rebate"] / cost["rebate"],
    )


Base = Callable[[City, CityState, Flows], Tensor]


def _regulated(c: City, s: CityState, f: Flows) -> Tensor:
    """What costs nothing mechanically is normalised by a share of income."""
    return c.parameters.b.regulation_base * _income(c, s, f)


def _income(c: City, s: CityState, f: Flows) -> Tensor:
    return (f.residents.people * f.income.gross).sum((1, 2))


def _visits(c: City, s: CityState, f: Flows) -> Tensor:
    residents = f.residents.people.sum((1, 2)).unsqueeze(-1)
    return residents * c.parameters.bd.visits * _money(c).unsqueeze(-1)


def _trips(c: City, s: CityState, f: Flows) -> Tensor:
    return f.commute.transit.sum((1, 2)) * c.parameters.b.legs * _money(c)


def _entries(c: City, s: CityState, f: Flows) -> Tensor:
    p = c.parameters.b
    return f.commute.car.sum((1, 2)) * p.legs / p.occupancy * _money(c)


def _driving(c: City, s: CityState, f: Flows) -> Tensor:
    """Vehicle-km of commuters on the routes of the first year."""
    p, pace = c.parameters, s.infrastructure.pace
    chosen = c.geography.roads.choose(p, pace, torch.ones_like(pace), torch.zeros_like(_money(c)))
    return (f.commute.car * chosen.toll).sum((1, 2)) * p.b.legs / p.b.occupancy * _money(c)


def _money(c: City) -> Tensor:
    """Local wage over the unit of money levers ``[b]``."""
    return c.fundamentals.treasury.money


#: What a unit of a lever costs the treasury a month at the quantities of ``flows``: ``[b]`` k$,
#: or ``[b, n]`` of a lever that is valued cell by cell. Revenue is negative.
BASES: dict[str, Base] = {
    "income": lambda c, s, f: -_income(c, s, f),
    "profit": lambda c, s, f: -f.market.profit.sum(1),
    "property": lambda c, s, f: -f.value.property_value.sum(-1) / 12,
    "visits": lambda c, s, f: -_visits(c, s, f),
    "trips": lambda c, s, f: -_trips(c, s, f),
    "entries": lambda c, s, f: -_entries(c, s, f),
    "driving": lambda c, s, f: -_driving(c, s, f),
    "residents": lambda c, s, f: f.residents.people.sum((1, 2)) * _money(c),
    "capital": lambda c, s, f: s.industry.capital.sum((1, 2)),
    "auditing": lambda c, s, f: c.parameters.b.audit_cost * c.fundamentals.treasury.budget,
    "regulation": _regulated,
    "staff": lambda c, s, f: c.fundamentals.treasury.staff_cost.sum(1),
    "facilities": lambda c, s, f: c.fundamentals.treasury.facility_cost.sum(1),
}


def mechanical_costs(city: City, months: int = MONTHS) -> dict[str, Tensor]:
    """Present cost of a unit step with every base as it is in the first year ``[b]`` k$."""
    state, p = city.initial(), city.parameters
    like = state.planning.home_rent
    _, flows = city.step(state, {}, no_shocks(like.shape[0], like.shape[1], like), mode="soft")
    share = dict(zip(BUDGET_LINES, p.bd.budget_share.unbind(-1), strict=True))
    budget = city.fundamentals.treasury.budget
    beta = discount_factor(city)
    values = {}
    for name in probe_names():
        lever, _, cell = name.rstrip("]").partition("[")
        row = LEVERS[lever]
        base = BASES[row.base](city, state, flows) if row.base else share[lever] * budget
        if cell:
            base = base[..., CELLS[lever].index(cell)]
        t = torch.arange(months, dtype=beta.dtype, device=beta.device).unsqueeze(-1)
        in_force = 1 - (1 - row.delay) ** (t + 1)
        annuity = (beta**t * in_force).sum(0) + beta**months / (1 - beta)
        values[name] = base * annuity
    return values


def costates(
    city: City,
    ref: welfare.Reference,
    months: int = MONTHS,
    boundary: Boundary | None = None,
    measure: welfare.Measure = "incumbents",
) -> CityState:
    """Gradient of the present value of welfare with respect to every state at the baseline.

    The shadow price of each stock and belief under the one treasury and the status quo,
    k$ of present value per unit of state; a tree shaped like the state, one row a city.

    Args:
        boundary: which blocks do not respond (default: all do).
    """
    start = tree.tree_map(lambda x: x.detach().clone().requires_grad_(True), city.initial())
    rows = start.treasury.debt.shape[0]
    like = start.planning.home_rent
    base = baseline_policy(rows, city.districts, like.dtype, like.device)
    last = supplies = None
    if boundary is not None and not boundary.open:
        _, last = city.step(city.initial(), {}, no_shocks(rows, like.shape[1], like))
        supplies = partial(boundary.quiet.held, last)
    value = present_value(
        city, start, ref, base, months, measure=measure, last=last, supplies=supplies
    )
    named = list(tree.leaves(start))
    grads = torch.autograd.grad(value.welfare.sum(), [x for _, x in named], allow_unused=True)
    shadow = iter(
        torch.zeros_like(x) if g is None else g for (_, x), g in zip(named, grads, strict=True)
    )
    return tree.tree_map(lambda _: next(shadow), start)


_PRICES: dict[tuple[int, int, Boundary, welfare.Measure], tuple[City, CityState]] = {}
_KEPT = 32


def shadow_prices(
    city: City,
    months: int = 240,
    boundary: Boundary | None = None,
    measure: welfare.Measure = "incumbents",
) -> CityState:
    """Co-states as months of income per unit of state.

    They are computed once per city, horizon, boundary, measure and process.
    """
    edge = Boundary() if boundary is None or boundary.open else boundary.quiet
    key = id(city), months, edge, measure
    known = _PRICES.get(key)
    if known is None:
        ref = welfare.reference(city)
        with torch.enable_grad():
            prices = costates(city, ref, months, edge, measure)
        scaled = tree.tree_map(lambda x: x / ref.total.reshape(-1, *(1,) * (x.dim() - 1)), prices)
        while len(_PRICES) >= _KEPT:
            _PRICES.pop(next(iter(_PRICES)))
        known = _PRICES[key] = (city, scaled)
    return known[1]
