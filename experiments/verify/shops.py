"""The limit of Harris & Wilson (1978): two zones of competing shops (MODEL section 15, 8)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from envs.city import industry
from envs.city.model import City
from envs.city.sizes import LOCAL
from experiments.verify.oracle import Row
from experiments.verify.worlds import Held, advance, bisect, line, standing, tensor, with_free


def _revenue_share(share: float, size: float, far: float, demand: float) -> float:
    """Share of all spending that zone one attracts with a ``share`` of the shops.

    Harris & Wilson's two zones: spending of a share ``demand`` lives in zone one, and a shop
    of the other zone counts for ``far``.
    """
    one, two = math.pow(share, size), math.pow(1 - share, size)
    return demand * one / (one + far * two) + (1 - demand) * far * one / (far * one + two)


@dataclass(frozen=True)
class _Case:
    """A run of two zones: returns to size, weight of the far zone, where shops and spending are
    at first, and where the shops end according to theory."""

    size: float
    far: float
    first: float
    end: float
    demand: float = 0.5
    tolerance: float = 1e-4


def _cases() -> list[_Case]:
    def interior(size: float, far: float, demand: float, low: float, high: float) -> float:
        return bisect(lambda x: _revenue_share(x, size, far, demand) - x, low, high)

    watershed = interior(1.2, 0.3, 0.5, 0.6, 0.999)
    return [
        _Case(0.9, 1.0, 0.8, 0.5),
        _Case(0.9, 1.0, 0.1, 0.5),
        _Case(0.8, 0.3, 0.2, interior(0.8, 0.3, 0.7, 0.01, 0.99), demand=0.7),
        _Case(1.0, 1.0, 0.7, 0.7, tolerance=1e-3),
        _Case(1.3, 1.0, 0.55, 1.0),
        _Case(1.3, 1.0, 0.45, 0.0),
        _Case(1.2, 0.3, watershed - 0.02, 0.5),
        _Case(1.2, 0.3, watershed + 0.02, 1.0),
    ]


def _two_zones(parameters: Mapping[str, Any], demand: Tensor) -> tuple[City, Held]:
    """Two equal zones whose industry is live; ``demand`` ``[B]`` of all spending is in the first.

    The far zone's weight is ``exp(-hw_b)``: its shops are a minute further away.
    """
    pace = {"delta_k": 1.2, "gain_f": 1.0, "eta_p": 0.2, "eps_k": 1e9, "seed_k": 0.0}
    city = with_free(line([0.0, 10.0]), pace | dict(parameters))
    still = standing(city, len(demand), ["offers", "market", "shopping"])
    roads, income = still["roads"], still["income"]
    minutes = 1 - torch.eye(2, dtype=torch.float64).expand_as(roads.car_time)
    spending = income.spending.sum(-1, keepdim=True) * torch.stack([demand, 1 - demand], -1)
    return city, still | {
        "roads": replace(roads, car_time=minutes),
        "income": replace(income, spending=spending),
    }


def shops() -> list[Row]:
    """Competing shops: who ends where, and the returns to size at which sharing breaks down.

    Near an equal split a zone's revenue answers its size with the elasticity
    ``a 4 d / (1 + d)^2`` where a far shop weighs d: sharing is stable below one.
    """
    cases = _cases()
    column = {
        name: tensor([getattr(case, name) for case in cases])
        for name in ("size", "far", "first", "demand")
    }
    parameters = {"hw_a": column["size"], "hw_b": -torch.log(column["far"])}
    city, held = _two_zones(parameters, column["demand"])
    state = city.initial(len(cases))
    capital = state.industry.capital.clone()
    whole = capital[..., LOCAL].sum(1)
    split = torch.stack([column["first"], 1 - column["first"]], -1)
    capital[..., LOCAL] = whole.unsqueeze(-1) * split
    state = replace(state, industry=replace(state.industry, capital=capital))
    with torch.no_grad():
        end, _ = advance(city, state, 1200, held)
    kept = end.industry.capital[..., LOCAL]
    found = kept[:, 0] / kept.sum(-1)
    rows = [
        Row(
            f"share of zone one, a {case.size:g}, far shops weigh {case.far:g}, "
            f"from {case.first:.3f}",
            case.end,
            float(share),
            case.tolerance,
        )
        for case, share in zip(cases, found, strict=True)
    ]
    return rows + [_breaking_point(far) for far in (1.0, 0.3)]


def _breaking_point(far: float) -> Row:
    """Returns to size at which revenue answers size one for one, by a gradient through shops."""
    critical = (1 + far) ** 2 / (4 * far)
    parameters = {"hw_a": tensor([1.0]), "hw_b": tensor([-math.log(far)])}
    city, held = _two_zones(parameters, tensor([0.5]))
    state, ports = city.start.industry, {name: held[name] for name in ("roads", "income")}
    grow = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    tilt = torch.stack([grow, -grow], -1).unsqueeze(-1)
    sold = industry.shop(
        replace(state, capital=state.capital * torch.exp(tilt)),
        city.fundamentals.industry,
        city.parameters,
        ports["roads"],
        ports["income"],
    ).revenue[0]
    (elasticity,) = torch.autograd.grad(torch.log(sold[0] / sold[1]) / 2, grow)
    return Row(
        f"a at which sharing breaks, far shops weigh {far:g}", critical, 1 / float(elasticity), 1e-6
    )
