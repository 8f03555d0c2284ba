"""Indicators of a month that governors observe, simulations show and local goals use.

A row is a name, a formula on state and flows, a unit, and whether more is better. The state of
the environments has one number for each of these rows; the wider set of the dashboard, of which
they are the first part, is in ``envs.city.dashboard``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
        formula_text: the formula in words.
        standard: codes of ``envs.city.standards`` that it answers; proxy: the model's quantity
            stands in for what they ask for.
        observed: series of a city package that it is compared with (MODEL section 21), or "".
    """

    name: str
    unit: str
    better: int
    subsystem: str
    city: Formula
    district: Formula | None = None
    log: bool = True
    scale: float = 0.1
    formula_text: str = ""
    standard: tuple[str, ...] = ()
    proxy: bool = False
    observed: str = ""


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


def _condition(c: City, s: CityState) -> Tensor:
    """Road condition by district, weighted with the roads of the first year."""
    return c.geography.roads.district_mean(
        s.infrastructure.condition, c.fundamentals.infrastructure.road
    )


_QUALITY: dict[str, dict[str, Any]] = {
    "education": {"standard": ("OECD well-being: education",), "proxy": True, "observed": "persistent_absence"},
    "health": {"standard": ("OECD well-being: health",), "proxy": True},
    "safety": {"standard": ("OECD well-being: safety",), "proxy": True, "observed": "crimes"},
}
_ROWS: tuple[Indicator, ...] = (
    Indicator("population", "persons", 0, "planning", lambda c, s, f: _people(c, s, f).sum(-1), _people, formula_text="residents of all types", observed="population"),
    Indicator("floor_per_head", "m2/person", 1, "planning", lambda c, s, f: f.residents.home_floor.sum(-1) / _people(c, s, f).sum(-1), lambda c, s, f: f.residents.home_floor / _people(c, s, f), formula_text="residential floor / residents", standard=("OECD well-being: housing",), proxy=True, observed="dwellings"),
    Indicator("rent", "k$/m2/month", -1, "planning", lambda c, s, f: f.residents.home_rent.mean(-1), lambda c, s, f: f.residents.home_rent, formula_text="mean rent of districts", observed="median_rent"),
    Indicator("rent_share", "share of income", -1, "planning", lambda c, s, f: _rent_share(c, s, f).mean(-1), _rent_share, formula_text="rent × residential floor / gross pay of residents, mean of districts", standard=("SDG 11.1.1",), proxy=True),
    Indicator("property_value", "k$", 0, "planning", lambda c, s, f: f.value.property_value.sum(-1), lambda c, s, f: f.value.property_value, formula_text="12 × rent / user cost × floor, homes and work places", observed="house_price"),
    Indicator("low_income_share", "share", 0, "planning", _lowest_share, None, False, 0.02, formula_text="residents of the two lowest income types / residents"),
    Indicator("output", "k$/month", 1, "industry", lambda c, s, f: f.market.sales.sum((1, 2)), lambda c, s, f: f.market.sales.sum(-1), formula_text="sales of private firms", observed="gva_per_job"),
    Indicator("jobs", "jobs", 1, "industry", lambda c, s, f: f.market.jobs.sum(-1), lambda c, s, f: f.market.jobs, formula_text="employed efficiency units × heads per unit", observed="jobs"),
    Indicator("income", "k$/person/month", 1, "industry", lambda c, s, f: (f.residents.people * f.income.disposable).sum((1, 2)) / _people(c, s, f).sum(-1), _income, formula_text="disposable income of residents / residents", standard=("OECD well-being: income",), observed="income_per_head"),
    Indicator("unemployment", "share", -1, "industry", _unemployment, None, False, 0.01, formula_text="1 - employed / labour supplied", standard=("ISO 37120 5.1", "OECD well-being: jobs",), observed="claimant_rate"),
    Indicator("capital", "k$", 1, "industry", lambda c, s, f: s.industry.capital.sum((1, 2)), lambda c, s, f: s.industry.capital.sum(-1), formula_text="private capital", observed="enterprises"),
    Indicator("evasion", "share", -1, "industry", lambda c, s, f: s.treasury.evasion.mean(-1), None, False, 0.05, formula_text="mean evaded share of income and business tax"),
    *(
        Indicator(f"quality_{name}", "index", 1, "services", *_quality(h), formula_text="quality met within reach, by capacity and distance; mean over residents", **_QUALITY.get(name, {}))
        for h, name in enumerate(SERVICE_NAMES)
    ),
    Indicator("service_load", "share of capacity", -1, "services", lambda c, s, f: f.services.load.mean((1, 2)), lambda c, s, f: f.services.load.mean(-1), formula_text="visits wanted / capacity, mean of services and districts"),
    Indicator("commute_time", "min", -1, "infrastructure", lambda c, s, f: _mean_by_people(f.commute.minutes, f), _minutes, formula_text="expected minutes of a commute, mean over residents"),
    Indicator("traffic", "veh-km/h", -1, "infrastructure", lambda c, s, f: f.traffic.vehicle_km.sum(-1), lambda c, s, f: f.traffic.vehicle_km, formula_text="vehicle-km of the peak hour", observed="vehicle_km"),
    Indicator("congestion", "volume/capacity", -1, "infrastructure", lambda c, s, f: f.traffic.load.mean(-1), lambda c, s, f: f.traffic.load, formula_text="peak traffic / capacity of roads, mean of districts"),
    Indicator("transit_trips", "commuters", 1, "infrastructure", lambda c, s, f: f.traffic.ridership, formula_text="commuters by transit"),
    Indicator("road_condition", "index", 1, "infrastructure", lambda c, s, f: _condition(c, s).mean(-1), lambda c, s, f: _condition(c, s), formula_text="mean condition of roads, first year 1"),
    Indicator("emissions", "index", -1, "infrastructure", lambda c, s, f: f.traffic.emissions, lambda c, s, f: f.traffic.pollution, formula_text="split × (traffic, industry, buildings) over the first year"),
    Indicator("revenue", "k$/month", 0, "treasury", lambda c, s, f: f.settlement.revenue, formula_text="taxes, fares, tolls, fees, land sales and grant"),
    Indicator("debt_ratio", "months of revenue", -1, "treasury", lambda c, s, f: s.treasury.debt / f.settlement.revenue, None, False, 1.0, formula_text="debt / monthly revenue"),
    Indicator("spending_met", "paid over requested", 1, "treasury", lambda c, s, f: f.settlement.scale["services"], None, False, 0.1, formula_text="paid / requested by services"),
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
