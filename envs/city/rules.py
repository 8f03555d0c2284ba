"""Rules for blocks that nobody governs: constant elasticities (MODEL section 10).

Each row of the table says how one number of a port moves with what the city was like a month
ago. With a driver ``d``, an elasticity ``e`` and a pace ``k``, all against the first month::

    target = x_first (d_last / d_first)^e
    x      = x_last + k (target - x_last)

What has no row stays as in the first month. A city in its first month stays there to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from envs.city.model import Flows
from envs.city.parameter_table import ASSUMED

#: What rules look at, by name: ``[B]`` of the city, ``[B, D]`` of districts, ``[B, D, K]`` of
#: types in districts, ``[B, C]`` of energy uses.
DRIVERS: dict[str, Callable[[Flows], Tensor]] = {
    "well-being": lambda f: torch.exp(f.value.utility),
    "residents": lambda f: f.residents.people.sum((1, 2)),
    "residents of the district": lambda f: f.residents.people.sum(-1),
    "spending of the district": lambda f: f.income.spending,
    "sales of the district": lambda f: f.market.sales.sum(-1),
    "car commuters": lambda f: f.commute.car.sum((1, 2)),
    "transit commuters": lambda f: f.commute.transit.sum((1, 2)),
}


@dataclass(frozen=True)
class Response:
    """One row: how a number of a port follows a driver.

    Attributes:
        port, field: what responds; driver: key of ``DRIVERS``.
        elasticity: log points for each log point of the driver.
        pace: share of the gap that closes in a month.
        reason: what the rule says in words; source: origin of elasticity and pace.
    """

    port: str
    field: str
    driver: str
    elasticity: float
    pace: float
    reason: str
    source: str = ASSUMED


_MOVING = "people move towards districts that are worth more to them, slowly"
_RENT = "a constant share of what is spent chases floor that nobody adds to"
_HIRING = "firms hire whoever lives here, at today's pay"
_NORM = "today's provision per head"
_SHOPPING = "residents shop where they live"
_QUEUE = "travel times near capacity, free flow and walks left out"
_DRIVING = "as many vehicles as car commuters"
_EXHAUST = "traffic's share of emissions"
_HOUSING = "constant expenditure shares: Davis & Ortalo-Magné 2011; pace assumed"
_COBB_DOUGLAS = "constant cost shares (Cobb-Douglas); pace assumed"
_BPR = "Bureau of Public Roads 1964: 4 x 0.15 / 1.15 = 0.52 at capacity; below it less, assumed"
_SPLIT = "default of parameter emission_split"


def _together(port: str, fields: str, driver: str, elasticity: float, why: str) -> list[Response]:
    """Fields of a port that follow a driver at once."""
    return [Response(port, field, driver, elasticity, 1.0, why) for field in fields.split()]


_FIRMS = "employed sales output profit floor wages jobs capital"
RESPONSES: tuple[Response, ...] = (
    Response("residents", "people", "well-being", 1.5, 1 / 24, _MOVING),
    Response("residents", "home_rent", "spending of the district", 1.0, 1 / 12, _RENT, _HOUSING),
    Response("residents", "work_rent", "sales of the district", 1.0, 1 / 12, _RENT, _COBB_DOUGLAS),
    Response("staffing", "staff", "residents of the district", 1.0, 1 / 12, _NORM),
    *_together("offers", "attraction jobs demand", "residents", 1.0, _HIRING),
    *_together("market", _FIRMS, "residents", 1.0, _HIRING),
    *_together("shopping", "revenue", "spending of the district", 1.0, _SHOPPING),
    Response("roads", "car_time", "car commuters", 0.4, 1.0, _QUEUE, _BPR),
    Response("roads", "car_cost", "car commuters", 0.4, 1.0, _QUEUE, _BPR),
    *_together("traffic", "vehicle_km load link_km link_load", "car commuters", 1.0, _DRIVING),
    Response("traffic", "pollution", "car commuters", 0.4, 1.0, _EXHAUST, _SPLIT),
    Response("traffic", "emissions", "car commuters", 0.4, 1.0, _EXHAUST, _SPLIT),
    *_together("traffic", "ridership", "transit commuters", 1.0, "those who ride"),
    *_together("energy", "use carbon load", "residents", 1.0, _NORM),
)


def ruled(port: str, first: Flows, last: Flows) -> Any:
    """A port by rule.

    Args:
        first: ports of the first month; last: of the month before, rows ``[B, ...]`` both.
    """
    start, before = getattr(first, port), getattr(last, port)
    moved = {
        row.field: _respond(row, getattr(start, row.field), getattr(before, row.field), first, last)
        for row in RESPONSES
        if row.port == port
    }
    return replace(start, **moved)


def _respond(row: Response, start: Tensor, before: Tensor, first: Flows, last: Flows) -> Tensor:
    driver = DRIVERS[row.driver]
    ratio = (driver(last) / driver(first)) ** row.elasticity
    target = start * ratio.reshape(*ratio.shape, *(1,) * (start.dim() - ratio.dim()))
    return before + row.pace * (target - before)
