"""Limits of the housing market and of where people live (MODEL section 15, 1 to 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from envs.city import tree
from envs.city.model import City, CityState
from envs.city.ports import ServiceUse
from experiments.verify.oracle import Row
from experiments.verify.worlds import (
    NONE,
    Held,
    advance,
    bisect,
    line,
    one_type,
    standing,
    tensor,
    with_free,
)

_KAPPA = 0.07 / 6.83
_HOUSING = 0.25


def single_district() -> list[Row]:
    """Incomes of one closed district grow; its floor and rent come to rest.

    Depreciation only sets the pace of the floor stock, so that a fast one saves time.
    """
    supply, growth = (0.6, 1.75, 4.0), 0.1
    closed: dict[str, Any] = {"eps_h": tensor(supply), "chi": 0.0, "delta_h": 0.2, "lag_h": 9.0}
    city = with_free(line([0.0]), closed)
    start = city.initial(len(supply))
    still = standing(city, len(supply), ["residents"])
    income = still["income"]
    richer = replace(income, disposable=income.disposable * math.exp(growth))
    with torch.no_grad():
        end, _ = advance(city, start, 2000, still | {"income": richer})
    rows = []
    for k, elasticity in enumerate(supply):
        for name, theory in (
            ("rent", 1 / (1 + elasticity)),
            ("floor", elasticity / (1 + elasticity)),
        ):
            before, after = (getattr(x.planning, f"home_{name}")[k, 0] for x in (start, end))
            found = float(torch.log(after / before)) / growth
            rows.append(Row(f"{name} elasticity, eps_H {elasticity:g}", theory, found, 1e-4))
    return rows


def _fixed_floor(scale: Tensor | float) -> dict[str, Any]:
    """A closed city whose floor stands, where rents and moves follow at once.

    Movers a month are few enough for the market to settle at any scale of choice.
    """
    return {
        "mu_r": scale,
        "delta_h": 0.0,
        "chi": 0.0,
        "eta_r": 1.0,
        "gain_v": 1.0,
        "mobility": 0.2 / (1 + scale * _HOUSING),
        "dens_weight": 0.0,
        "om_pol": 0.0,
    }


def monocentric() -> list[Row]:
    """Rent gradients of a city with one workplace, one mode and fixed floor.

    People start out as in the classical city, so that few need to move. Its gradient is the
    limit of ever sharper choice: ``1 / slope`` is linear in ``1 / mu``, and its value at zero
    follows from the two sharpest cities.
    """
    scales = tensor([3.0, 6.83, 20.0, 1000.0])
    places = [3.0 * place for place in range(9)]
    jobs = torch.full((9,), NONE, dtype=torch.float64)
    jobs[0] = 400_000
    only_car = {"mode_constant": tensor([[0.0, -99.0, -99.0]]), "car_cost": 0.0, "bpr_alpha": 0.0}
    city = with_free(line(places, only_car, one_type(9), jobs), _fixed_floor(scales))
    state = city.initial(len(scales))
    plain = replace(city.fundamentals.planning, amenity=torch.zeros_like(state.planning.people))
    city = replace(city, fundamentals=replace(city.fundamentals, planning=plain))
    held = standing(city, len(scales), ["residents", "commute", "value"])
    flat = {
        name: tree.tree_map(lambda x: x.mean(1, keepdim=True).expand_as(x), held[name])
        for name in ("income", "shopping")
    }
    minutes = held["roads"].car_time[0, :, 0]
    crowded = state.planning.people * torch.exp(-_KAPPA / _HOUSING * minutes).reshape(1, -1, 1)
    state = replace(state, planning=replace(state.planning, people=crowded))
    with torch.no_grad():
        end, _ = advance(city, state, 700, held | flat)
    slopes = torch.log(end.planning.home_rent).diff() / minutes.diff()
    theory = -_KAPPA * scales / (1 + scales * _HOUSING)
    rows = []
    for scale, expected, found in zip(scales.tolist(), theory.tolist(), slopes, strict=True):
        worst = float(found[int((found - expected).abs().argmax())])
        rows.append(Row(f"d ln rent / d minute, mu {scale:g}", expected, worst, 1e-5, True))
    x, y = (1 / scales[-2:]).tolist(), (1 / slopes[-2:].mean(-1)).tolist()
    limit = 1 / (y[1] - x[1] * (y[1] - y[0]) / (x[1] - x[0]))
    classical = -_KAPPA / _HOUSING
    return [*rows, Row("d ln rent / d minute, mu to infinity", classical, limit, 1e-5, True)]


def _split(city: City, start: CityState, held: Held, months: int) -> Tensor:
    """People at rest ``[B, D, K]``."""
    with torch.no_grad():
        end, _ = advance(city, start, months, held)
    return end.planning.people


def two_tribes() -> list[Row]:
    """Two districts and two types that like their own: a pitchfork at ``h = 2 / mu``."""
    scale, strengths = 6.83, (0.85, 0.96, 1.024, 1.093, 1.366)
    people = torch.full((1, 2, 6), NONE, dtype=torch.float64)
    people[..., :2] = 100_000
    threshold = 2 / scale
    homophily = threshold * tensor(strengths)
    quick = {"mobility": 0.2, "gain_v": 1.0, "chi": 0.0, "homophily": homophily}
    city = with_free(line([0.0, 10.0], {"efficiency": 1.0}, people), quick)
    state = city.initial(len(strengths))
    tilted = state.planning.people.clone()
    tilted[..., :2] *= tensor([[1.04, 0.96], [0.96, 1.04]])
    state = replace(state, planning=replace(state.planning, people=tilted))
    end = _split(city, state, standing(city, len(strengths), ["residents", "value"]), 2500)
    share = end[:, 0, 0] / end[..., 0].sum(-1)
    rows = []
    for k, strength in enumerate(strengths):
        h = strength * threshold

        def gap(x: float, h: float = h) -> float:
            return math.tanh(scale * h * (2 * x - 1) / 2) - (2 * x - 1)

        theory = bisect(gap, 0.5 + 1e-6, 1.0) if strength > 1 else 0.5
        case = f"share of a type in its district, h/h* {strength:g}"
        rows.append(Row(case, theory, float(share[k]), 5e-4))
    return rows


def one_crowd() -> list[Row]:
    """Two districts, one type, and a taste for company of strength ``h x`` that rents resist.

    The taste is a rule on the port of services: a good shared by all who live in a district.
    """
    scale, strengths = 6.83, (0.85, 1.1, 1.4)
    threshold = 2 * (1 + scale * _HOUSING) / scale
    h = threshold * tensor(strengths)
    city = line([0.0, 10.0], _fixed_floor(scale), one_type(2))
    rows_of = len(strengths)
    held = standing(city, rows_of, ["residents", "value"])
    quiet: ServiceUse = held["services"]

    def company(ports: Mapping[str, Any]) -> ServiceUse:
        people = ports["residents"].people.sum(-1, keepdim=True)
        share = people / people.sum(1, keepdim=True)
        return replace(quiet, utility=h.reshape(-1, 1, 1) * share)

    state = city.initial(rows_of)
    tilted = state.planning.people * tensor([[[1.1], [0.9]]])
    state = replace(state, planning=replace(state.planning, people=tilted))
    end = _split(city, state, held | {"services": company}, 2000).sum(-1)
    share = end[:, 0] / end.sum(-1)
    rows = []
    for k, strength in enumerate(strengths):
        pull = strength * threshold

        def gap(x: float, pull: float = pull) -> float:
            crowding = (1 + scale * _HOUSING) * math.log(x / (1 - x))
            return scale * pull * (2 * x - 1) - crowding

        theory = bisect(gap, 0.5 + 1e-6, 1 - 1e-9) if strength > 1 else 0.5
        case = f"share of one type, rents capitalised, h/h* {strength:g}"
        rows.append(Row(case, theory, float(share[k]), 5e-4))
    return rows


def pitchfork() -> list[Row]:
    """Both symmetry breakings."""
    return two_tribes() + one_crowd()
