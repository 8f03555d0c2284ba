"""The lever table of a dossier: today's settings, the proposed ones, in units people know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from envs.city.levers import GOVERNED, LEVERS, Lever
from envs.city.parameter_table import TABLE
from experiments.dossier.content import LeverRow

#: Change that is told, as a share of the lever's range; smaller ones are none to people.
LEAST = 1e-3

Setting = float | tuple[float, float, float]  # mean, or mean with the range it moves in

TITLES = {
    "far": "floor area allowed",
    "release": "land released for building",
    "mix": "housing against business in zoning",
    "debt_target": "borrowing",
    "fee": "fees of services",
    "targeting": "targeting of services",
    "rebate": "rebate per person",
    "talent": "talent policy",
    "road": "road building",
    "maintenance": "road maintenance",
    "transit": "transit service",
    "facilities": "new facilities",
}


@dataclass(frozen=True)
class _Display:
    """How a unit of the lever table is shown: factor and words."""

    factor: float
    words: str


_DISPLAYS = {
    "x baseline": _Display(1.0, "× today"),
    "share of stock": _Display(100.0, "% of the stock"),
    "share of returns": _Display(100.0, "% of returns"),
    "share of income": _Display(100.0, "% of income"),
    "1/yr": _Display(100.0, "% a year"),
    "1/month": _Display(100.0, "% a month"),
    "probability": _Display(100.0, "%"),
}


def lever_rows(
    settings: Mapping[str, Setting], currency: str, monthly_wage: float
) -> tuple[LeverRow, ...]:
    """Rows for every lever of the table, in the currency of the city.

    Args:
        settings: lever name, or lever with a part in brackets ("staff[parks]"), -> mean setting
            in the unit of the lever table, or (mean, lowest, highest). Levers that are not named
            stay as today.
        currency: code of the city's currency, for instance "GBP".
        monthly_wage: mean monthly wage in that currency; money levers scale with it.

    Raises:
        KeyError: a setting names no lever of the table.
    """
    unknown = [name for name in settings if _base(name) not in LEVERS]
    if unknown:
        raise KeyError(f"no such levers: {unknown}; known are {sorted(LEVERS)}")
    rows = [_row(name, value, currency, monthly_wage) for name, value in settings.items()]
    named = {_base(name) for name in settings}
    rows.extend(
        _row(name, lever.default, currency, monthly_wage)
        for name, lever in GOVERNED.items()
        if name not in named
    )
    return tuple(rows)


def setting(values: ArrayLike) -> tuple[float, float, float]:
    """Mean and the range that holds nine in ten of a lever's settings over time and draws."""
    settings = np.asarray(values, dtype=np.float64)
    low, high = np.quantile(settings, [0.05, 0.95])
    return float(settings.mean()), float(low), float(high)


def _row(name: str, setting: Setting, currency: str, monthly_wage: float) -> LeverRow:
    lever = LEVERS[_base(name)]
    display = _display(lever, currency, monthly_wage)
    mean, low, high = setting if isinstance(setting, tuple) else (setting, None, None)
    part = name[len(lever.name) :]
    if abs(mean - lever.default) < LEAST * (lever.high - lever.low):
        mean = lever.default

    def shown(value: float | None) -> float | None:
        return None if value is None else value * display.factor

    return LeverRow(
        governor=lever.governor,
        lever=TITLES.get(lever.name, lever.name) + part,
        unit=display.words,
        today=lever.default * display.factor,
        proposed=mean * display.factor,
        least=shown(lever.low),
        most=shown(lever.high),
        proposed_low=shown(low),
        proposed_high=shown(high),
        note=f"counter-effect: {lever.counter}" if lever.counter else "",
    )


def _display(lever: Lever, currency: str, monthly_wage: float) -> _Display:
    money, _, per = lever.unit.partition("/")
    if lever.money and money == "k$":
        written_for = float(np.asarray(TABLE["wage_unit"].default))  # k$ a month
        return _Display(monthly_wage / written_for, f"{currency}/{per}")
    return _DISPLAYS.get(lever.unit, _Display(1.0, lever.unit))


def _base(name: str) -> str:
    return name.partition("[")[0]
