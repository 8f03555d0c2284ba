"""Figures of one sector, one service or one group of households, finer than the indicators.

Directorates, agencies and the like watch and are judged by them; the state of the environments
and the dashboard have the indicators alone.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from envs.city.indicators import Formula, Indicator
from envs.city.model import City, CityState, Flows
from envs.city.sizes import PRIVATE, SECTOR_NAMES, SERVICE_NAMES

#: Types that count as low incomes: the first ones.
LOW_INCOMES = 2

#: All cells of a district and axis ``[B, D, cells]``.
_Cells = Callable[[CityState, Flows], Tensor]


def _one(cells: _Cells, index: int, mean: bool) -> tuple[Formula, Formula]:
    """Values of one cell for the city (the sum of districts, or their mean) and by district."""

    def district(c: City, s: CityState, f: Flows) -> Tensor:
        return cells(s, f)[..., index]

    def city(c: City, s: CityState, f: Flows) -> Tensor:
        value = district(c, s, f)
        return value.mean(-1) if mean else value.sum(-1)

    return city, district


def _low_income(c: City, s: CityState, f: Flows) -> Tensor:
    people = f.residents.people[..., :LOW_INCOMES]
    return (people * f.income.disposable[..., :LOW_INCOMES]).sum((1, 2)) / people.sum((1, 2))


def _low_income_district(c: City, s: CityState, f: Flows) -> Tensor:
    people = f.residents.people[..., :LOW_INCOMES]
    return (people * f.income.disposable[..., :LOW_INCOMES]).sum(-1) / people.sum(-1)


def _sectors() -> list[Indicator]:
    rows: list[tuple[str, str, _Cells]] = [
        ("output", "k$/month", lambda s, f: f.market.sales),
        ("labour", "efficiency units", lambda s, f: f.market.employed),
        ("capital", "k$", lambda s, f: s.industry.capital),
    ]
    return [
        Indicator(f"{name}_{sector}", unit, 1, "industry", *_one(cells, index, mean=False))
        for name, unit, cells in rows
        for index, sector in enumerate(SECTOR_NAMES[:PRIVATE])
    ]


def _services() -> list[Indicator]:
    def load(s: CityState, f: Flows) -> Tensor:
        return f.services.load

    return [
        Indicator(f"load_{name}", "share of capacity", -1, "services", *_one(load, h, mean=True))
        for h, name in enumerate(SERVICE_NAMES)
    ]


DETAILS: dict[str, Indicator] = {
    row.name: row
    for row in (
        *_sectors(),
        *_services(),
        Indicator(
            "income_low", "k$/person/month", 1, "industry", _low_income, _low_income_district
        ),
    )
}


def names(stem: str) -> tuple[str, ...]:
    """Names of the rows that begin with a stem, as ``load_``."""
    return tuple(name for name in DETAILS if name.startswith(stem))
