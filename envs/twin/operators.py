"""Observation operators: what each observed series is in the model (MODEL section 21).

An operator gives a model quantity ``[N, D]`` of one month; the twin compares its ratio to the
inversion year with the observed ratio, so that constants per district (floor per dwelling,
road length, heads per efficiency unit) drop out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from envs.city import planning, travel
from envs.city.model import City, CityState, Flows
from envs.city.sizes import PRIVATE

Operator = Callable[[City, CityState, Flows], Tensor]


@dataclass(frozen=True)
class Observed:
    """One observable series.

    Attributes:
        name: variable of the package. quantity: model quantity ``[N, D]``.
        nominal: the series is in money of the day.
    """

    name: str
    quantity: Operator
    nominal: bool = False


def _people(city: City, state: CityState, flows: Flows) -> Tensor:
    return flows.residents.people.sum(-1)


def _dwellings(city: City, state: CityState, flows: Flows) -> Tensor:
    return flows.residents.home_floor


def _house_price(city: City, state: CityState, flows: Flows) -> Tensor:
    f, s = city.fundamentals.planning, state.planning
    tax = state.treasury.policy["property_tax"]
    user = planning.user_cost(city.parameters, f.home_user, s.home_growth, tax)
    return planning.price(s.home_rent, user)


def _rent(city: City, state: CityState, flows: Flows) -> Tensor:
    return flows.residents.home_rent


def _jobs(city: City, state: CityState, flows: Flows) -> Tensor:
    return flows.market.jobs


def _value_added(city: City, state: CityState, flows: Flows) -> Tensor:
    public = flows.market.wages[..., PRIVATE]
    return (flows.market.sales.sum(-1) + public) / flows.market.jobs


def _disposable(city: City, state: CityState, flows: Flows) -> Tensor:
    people = flows.residents.people
    return (people * flows.income.disposable).sum(-1) / people.sum(-1)


def _salary(city: City, state: CityState, flows: Flows) -> Tensor:
    people = flows.residents.people
    return (people * flows.income.gross).sum(-1) / people.sum(-1)


def _unemployment(city: City, state: CityState, flows: Flows) -> Tensor:
    """Chance of a resident worker to be without a job."""
    found = flows.offers.chosen(flows.market.rate)
    by_home = travel.expected_pay(flows.commute, found)
    people = flows.residents.people
    return 1 - (people * by_home).sum(-1) / people.sum(-1)


def _firms(city: City, state: CityState, flows: Flows) -> Tensor:
    return state.industry.capital.sum(-1)


def _traffic(city: City, state: CityState, flows: Flows) -> Tensor:
    return flows.traffic.vehicle_km


OPERATORS: dict[str, Observed] = {
    row.name: row
    for row in (
        Observed("population", _people),
        Observed("dwellings", _dwellings),
        Observed("house_price", _house_price, nominal=True),
        Observed("median_rent", _rent, nominal=True),
        Observed("jobs", _jobs),
        Observed("gva_per_job", _value_added, nominal=True),
        Observed("income_per_head", _disposable, nominal=True),
        Observed("median_salary", _salary, nominal=True),
        Observed("claimant_rate", _unemployment),
        Observed("enterprises", _firms),
        Observed("vehicle_km", _traffic),
        Observed("motor_vehicle_flow", _traffic),
    )
}
