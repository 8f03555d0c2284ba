"""The life cycle of capital: plan, invest, build, operate (MODEL sections 6 and 11).

Every lever that builds something shows, each month, what is requested, what is paid, what
is under construction, what stands and in which condition. Sums close month by month::

    pipeline' = pipeline + starts - completions
    stock'    = stock - wear + completions
    paid      = share paid x request
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.capital import CAPITAL, Capital
from envs.city.indicators import Formula, Indicator
from envs.city.model import City, CityState, Flows

STAGES = ("request", "paid", "pipeline", "stock", "condition")


@dataclass(frozen=True)
class Cycle:
    """One lever in one month; ``[B, ...]`` by the cells that the stock has.

    request, paid: over the first year's level; starts, completions, wear: units a month;
    pipeline, stock: units at the end of the month; condition: index, 1 in the first year.
    Where nothing is built over months, starts are completions and the pipeline is empty.
    Where the model knows no condition it stays one.
    """

    request: Tensor
    paid: Tensor
    starts: Tensor
    pipeline: Tensor
    completions: Tensor
    wear: Tensor
    stock: Tensor
    condition: Tensor


def pipeline(row: Capital, state: CityState) -> Tensor:
    """Units ``[B, ...]`` under construction; nothing where nothing is built over months."""
    return torch.zeros_like(row.stock(state)) if row.pipe is None else row.pipe(state).sum(-1)


def delivered(row: Capital, city: City, state: CityState) -> Tensor:
    """Units ``[B, ...]`` that the pipeline of ``state`` delivers in the coming month."""
    if row.pipe is None:
        return torch.zeros_like(row.stock(state))
    last = row.pipe(state)[..., 2]
    rank = (city.parameters.b, city.parameters.bd, city.parameters.bdk)[last.dim() - 1]
    flow: Tensor = 3 / getattr(rank, row.lag) * last
    return flow


def condition(row: Capital, city: City, state: CityState) -> Tensor:
    """Condition ``[B, ...]``, one in the first year and where the model knows none."""
    if row.condition is None:
        return torch.ones_like(row.stock(state))
    return row.condition(city, state)


def life_cycle(city: City, before: CityState, after: CityState, flows: Flows) -> dict[str, Cycle]:
    """The record of one month: every row of ``CAPITAL``.

    Args:
        before, after: states at the two ends of the month; flows: its ports.

    What developers start is what their pipeline gained beyond what it delivered, and counts
    as paid by themselves; all other starts follow from what the treasury paid.
    """
    return {name: _cycle(row, city, before, after, flows) for name, row in CAPITAL.items()}


def _cycle(row: Capital, city: City, before: CityState, after: CityState, flows: Flows) -> Cycle:
    request = row.request(flows.fiscal.policy)
    normal = row.rate(city) * row.base(city)
    done = delivered(row, city, before)
    if row.share is None:
        starts = pipeline(row, after) - pipeline(row, before) + done
        paid = starts / normal
    else:
        paid = row.share(flows) * request
        if row.on_roads:
            place = city.geography.roads.on_resources
            request, paid = place(request), place(paid)
        starts = normal * (paid if row.effect is None else row.effect(city, paid))
    wear = row.rate(city) * row.stock(before)
    return Cycle(
        request=request,
        paid=paid,
        starts=starts,
        pipeline=pipeline(row, after),
        completions=starts if row.pipe is None else done,
        wear=wear if row.use is None else wear * row.use(city, flows),
        stock=row.stock(after),
        condition=condition(row, city, after),
    )


def stages(city: City, cycles: Mapping[str, Cycle]) -> dict[str, dict[str, Tensor]]:
    """The stages of every row for the whole city, ``[B]`` each, 1 in the first year.

    Cells weigh as much as they hold in the first year. Stages that a row does not have, a
    pipeline or a condition, are left out.
    """
    return {name: _city_stages(CAPITAL[name], city, cycle) for name, cycle in cycles.items()}


def _city_stages(row: Capital, city: City, cycle: Cycle) -> dict[str, Tensor]:
    first = row.stock(city.start)
    weight = torch.ones_like(first) if row.log else first

    def mean(value: Tensor) -> Tensor:
        return _total(weight * value) / _total(weight.expand_as(value))

    def over_first(value: Tensor, start: Tensor) -> Tensor:
        return _total(value) / _total(start)

    found = {"request": mean(cycle.request), "paid": mean(cycle.paid)}
    if row.pipe is not None:
        found["pipeline"] = over_first(cycle.pipeline, pipeline(row, city.start))
    found["stock"] = torch.exp(cycle.stock) if row.log else over_first(cycle.stock, first)
    if row.condition is not None:
        found["condition"] = mean(cycle.condition)
    return found


def _total(value: Tensor) -> Tensor:
    """Sum over all cells ``[B]``."""
    return value.sum(tuple(range(1, value.dim()))) if value.dim() > 1 else value


def _figures(row: Capital) -> list[Indicator]:
    """What a governor may see of its capital, as figures of the month."""
    found = []
    share = row.share
    if share is not None:
        found.append(_figure(row, "paid", lambda c, s, f: share(f), total=False, log=False))
    if row.pipe is not None:
        found.append(_figure(row, "pipeline", lambda c, s, f: pipeline(row, s)))
    found.append(_figure(row, "stock", lambda c, s, f: row.stock(s), not row.log, not row.log))
    if row.condition is not None:
        found.append(_figure(row, "condition", lambda c, s, f: condition(row, c, s), total=False))
    return found


def _figure(
    row: Capital, stage: str, formula: Formula, total: bool = True, log: bool = True
) -> Indicator:
    """A stage of a row: summed over cells, or their mean."""

    def city(c: City, s: CityState, f: Flows) -> Tensor:
        value = formula(c, s, f)
        return _total(value) / (1 if total else value[0].numel())

    def district(c: City, s: CityState, f: Flows) -> Tensor:
        value = formula(c, s, f)
        if value.dim() == 3:
            value = value.sum(-1) if total else value.mean(-1)
        if row.on_roads and value.shape[1] == c.geography.roads.count:
            value = _of_roads(c, value, total)
        return value.expand(-1, c.districts)

    unit = {"paid": "paid over requested", "condition": "index"}.get(stage, row.unit)
    scale = 0.01 if row.log and stage == "stock" else 0.1
    local = None if row.city_wide else district
    return Indicator(
        f"works_{row.name}_{stage}", unit, 0, row.governor, city, local, log=log, scale=scale
    )


def _of_roads(city: City, value: Tensor, total: bool) -> Tensor:
    """Sums or means ``[B, D]`` over the roads ``[B, L]`` of each district."""
    roads = city.geography.roads
    if total:
        return roads.by_district(value)
    return roads.district_mean(value, city.start.infrastructure.road)


_FIGURES = {name: _figures(row) for name, row in CAPITAL.items()}
#: Every stage that governors may see of their own capital.
LIFE_CYCLE: dict[str, Indicator] = {
    figure.name: figure for figures in _FIGURES.values() for figure in figures
}


def figures_of(levers: Collection[str], local: bool = False) -> tuple[str, ...]:
    """Names in ``LIFE_CYCLE`` of the capital that some ``levers`` drive.

    Args:
        local: only capital of which districts have a part.
    """
    return tuple(
        figure.name
        for name, figures in _FIGURES.items()
        if set(CAPITAL[name].levers) & set(levers) and not (local and CAPITAL[name].city_wide)
        for figure in figures
    )
