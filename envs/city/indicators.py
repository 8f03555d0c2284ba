"""Indicators of a month: what governors observe, dashboards show, and local goals use.

A row is a name, a formula on state and flows, a unit, and whether more is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.model import City, CityState, Flows
from envs.city.sizes import SERVICE_NAMES

Formula = Callable[[City, CityState, Flows], Tensor]


@dataclass(frozen=True)
class Indicator:
    """One row of the dashboard.

    Attributes:
        name, unit: identifier and unit. better: +1 more is better, -1 less, 0 neither.
        subsystem: block it describes.
        city: ``[B]`` value. district: ``[B, D]`` value, or None.
        log: compare as a log ratio to the first year, else as a difference.
        scale: size of a notable change, used to normalise observations (assumed).
    """

    name: str
    unit: str
    better: int
    subsystem: str
    city: Formula
    district: Formula | None = None
    log: bool = True
    scale: float = 0.1


def _people(c: City, s: CityState, f: Flows) -> Tensor:
    return f.residents.people.sum(-1)


def _mean_by_people(values: Tensor, f: Flows) -> Tensor:
    people = f.residents.people
    return (values * people).sum((1, 2)) / people.sum((1, 2))


def _income(c: City, s: CityState, f: Flows) -> Tensor:
    people = f.residents.people
    return (people * f.income.disposable).sum(-1) / people.sum(-1)


def _rent_share(c: City, s: CityState, f: Flows) -> Tensor:
    bill = f.residents.home_rent * f.residents.home_floor
    return bill / (f.residents.people * f.income.gross).sum(-1)


def _minutes(c: City, s: CityState, f: Flows) -> Tensor:
    people = f.residents.people
    return (people * f.commute.minutes).sum(-1) / people.sum(-1)


def _unemployment(c: City, s: CityState, f: Flows) -> Tensor:
    supply = f.market.employed / f.market.rate
    return 1 - f.market.employed.sum((1, 2)) / supply.sum((1, 2))


def _quality(service: int) -> tuple[Formula, Formula]:
    def district(c: City, s: CityState, f: Flows) -> Tensor:
        return f.services.access[..., service]

    def city(c: City, s: CityState, f: Flows) -> Tensor:
        people = _people(c, s, f)
        return (district(c, s, f) * people).sum(-1) / people.sum(-1)

    return city, district


def _lowest_share(c: City, s: CityState, f: Flows) -> Tensor:
    people = f.residents.people
    return people[..., :2].sum((1, 2)) / people.sum((1, 2))


_ROWS: tuple[Indicator, ...] = (
    Indicator("population", "persons", 0, "planning", lambda c, s, f: _people(c, s, f).sum(-1), _people),
    Indicator("floor_per_head", "m2/person", 1, "planning", lambda c, s, f: f.residents.home_floor.sum(-1) / _people(c, s, f).sum(-1), lambda c, s, f: f.residents.home_floor / _people(c, s, f)),
    Indicator("rent", "k$/m2/month", -1, "planning", lambda c, s, f: f.residents.home_rent.mean(-1), lambda c, s, f: f.residents.home_rent),
    Indicator("rent_share", "share of income", -1, "planning", lambda c, s, f: _rent_share(c, s, f).mean(-1), _rent_share),
    Indicator("property_value", "k$", 0, "planning", lambda c, s, f: f.value.property_value.sum(-1), lambda c, s, f: f.value.property_value),
    Indicator("low_income_share", "share", 0, "planning", _lowest_share, None, False, 0.02),
    Indicator("output", "k$/month", 1, "industry", lambda c, s, f: f.market.sales.sum((1, 2)), lambda c, s, f: f.market.sales.sum(-1)),
    Indicator("jobs", "jobs", 1, "industry", lambda c, s, f: f.market.jobs.sum(-1), lambda c, s, f: f.market.jobs),
    Indicator("income", "k$/person/month", 1, "industry", lambda c, s, f: (f.residents.people * f.income.disposable).sum((1, 2)) / _people(c, s, f).sum(-1), _income),
    Indicator("unemployment", "share", -1, "industry", _unemployment, None, False, 0.01),
    Indicator("capital", "k$", 1, "industry", lambda c, s, f: s.industry.capital.sum((1, 2)), lambda c, s, f: s.industry.capital.sum(-1)),
    Indicator("evasion", "share", -1, "industry", lambda c, s, f: s.treasury.evasion.mean(-1), None, False, 0.05),
    *(
        Indicator(f"quality_{name}", "index", 1, "services", *_quality(h))
        for h, name in enumerate(SERVICE_NAMES)
    ),
    Indicator("service_load", "share of capacity", -1, "services", lambda c, s, f: f.services.load.mean((1, 2)), lambda c, s, f: f.services.load.mean(-1)),
    Indicator("commute_time", "min", -1, "infrastructure", lambda c, s, f: _mean_by_people(f.commute.minutes, f), _minutes),
    Indicator("traffic", "veh-km/h", -1, "infrastructure", lambda c, s, f: f.traffic.vehicle_km.sum(-1), lambda c, s, f: f.traffic.vehicle_km),
    Indicator("congestion", "volume/capacity", -1, "infrastructure", lambda c, s, f: f.traffic.load.mean(-1), lambda c, s, f: f.traffic.load),
    Indicator("transit_trips", "commuters", 1, "infrastructure", lambda c, s, f: f.traffic.ridership),
    Indicator("road_condition", "index", 1, "infrastructure", lambda c, s, f: s.infrastructure.condition.mean(-1), lambda c, s, f: s.infrastructure.condition),
    Indicator("emissions", "index", -1, "infrastructure", lambda c, s, f: f.traffic.emissions, lambda c, s, f: f.traffic.pollution),
    Indicator("revenue", "k$/month", 0, "treasury", lambda c, s, f: f.settlement.revenue),
    Indicator("debt_ratio", "months of revenue", -1, "treasury", lambda c, s, f: s.treasury.debt / f.settlement.revenue, None, False, 1.0),
    Indicator("spending_met", "paid over requested", 1, "treasury", lambda c, s, f: f.settlement.scale["services"], None, False, 0.1),
)

INDICATORS: dict[str, Indicator] = {row.name: row for row in _ROWS}


def city_values(city: City, state: CityState, flows: Flows) -> dict[str, Tensor]:
    """Every indicator of the whole city, ``[B]`` each, in its unit."""
    return {name: row.city(city, state, flows) for name, row in INDICATORS.items()}


def first_values(city: City, state: CityState, flows: Flows) -> dict[str, Tensor]:
    """City values by name and district values as ``district:name``, to measure changes from."""
    values = city_values(city, state, flows)
    for name, row in INDICATORS.items():
        if row.district is not None:
            values[f"district:{name}"] = row.district(city, state, flows)
    return values


def change(row: Indicator, value: Tensor, start: Tensor) -> Tensor:
    """Normalised change of an indicator against its first year."""
    gap = torch.log(value / start) if row.log else value - start
    return gap / row.scale
