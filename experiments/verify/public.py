"""Limits of public finance: evasion, public capital, city size (MODEL section 15, 9, 10, 12)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from envs.city.coupling import first_month
from envs.city.evasion import evaded_share
from envs.city.levers import BUDGET_LINES
from envs.city.model import City, CityState
from envs.city.parameters import Parameters
from envs.city.sizes import MANUFACTURING, PRIVATE
from experiments.verify.oracle import Row
from experiments.verify.worlds import (
    NONE,
    advance,
    free,
    line,
    one_type,
    standing,
    summit,
    tensor,
    with_free,
)


def evasion() -> list[Row]:
    """Honest where the gamble does not pay; more evasion with the rate, less with audits.

    Where concealment is cheap to extend, ``max e g - c e^2 / 2`` with g the gain per unit
    evaded gives ``e = g / c``.
    """
    sharp = free({"ev_sharp": 2000.0})
    certain = tensor([0.125, 0.15, 0.3])
    evaded = torch.stack(
        [evaded_share(sharp, tensor([rate]), certain) for rate in (0.05, 0.3, 0.9)]
    )
    rows = [
        Row(
            "largest evaded share where audit x detection x (1 + fine) >= 1",
            0.0,
            float(evaded.max()),
            1e-3,
        )
    ]
    like = line([0.0], {"ev_sharp": 2000.0})
    asked = {
        name: torch.full((1,), value, dtype=torch.float64)
        for name, value in (("audit", 0.3), ("income_tax", 0.3))
    }
    with torch.no_grad():
        end, _ = advance(
            like, like.initial(), 300, standing(like, 1, ["fiscal", "settlement"]), asked
        )
    rows.append(
        Row(
            "evaded share of income tax after 25 years of a certain audit",
            0.0,
            float(end.treasury.evasion[0, 0]),
            1e-3,
        )
    )
    unbounded = free({"ev_sharp": 1e5, "ev_max": 1e6})
    for rate in (0.05, 0.3):
        gain = rate * (1 - 4 * 0.05 * 2)
        found = evaded_share(unbounded, tensor([rate]), tensor([0.05]))
        rows.append(Row(f"evaded share g / c, tax rate {rate:g}", gain / 0.6, float(found), 1e-5))
    smooth, steps = Parameters.default(), 200
    rates, audits = torch.linspace(0, 1, steps), torch.linspace(0, 0.3, steps)
    by_rate = evaded_share(smooth, rates.double(), tensor([0.05]))
    by_audit = evaded_share(smooth, tensor([0.3]), audits.double())
    rows.append(
        Row(
            "tax rates that are evaded less than the next lower",
            0.0,
            float((by_rate.diff() <= 0).sum()),
            0.0,
        )
    )
    rows.append(
        Row(
            "audit rates that are evaded more than the next lower",
            0.0,
            float((by_audit.diff() >= 0).sum()),
            0.0,
        )
    )
    return rows


def barro() -> list[Row]:
    """The best share of output to invest in roads, found by gradients through the model.

    One closed district, one private sector whose workers and capital stand, floor at a given
    rent: what is left of output after floor and roads is largest where roads take ``g_road``
    of output. Roads wear fast, to be at rest within a few years.
    """
    shares = tensor([0.05, 0.1, 0.2])
    simple = {
        "g_road": shares,
        "sigma_x": 1e12,
        "delta_g": 6.0,
        "lag_g": 3.0,
        "delta_k": 0.0,
        "seed_k": 0.0,
        "el_hours": 0.0,
        "eta_w": 0.1,
    }
    sectors = [0.85 if s == MANUFACTURING else NONE for s in range(PRIVATE)] + [0.15]
    city = with_free(line([0.0], None, one_type(1), sectors=sectors), simple)
    cases = len(shares)
    start = city.initial(cases)
    live = ["fiscal", "roads", "offers", "market", "settlement"]
    held = standing(city, cases, live)

    def run(roads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        asked = start.treasury.policy | {"road": torch.exp(roads).unsqueeze(-1)}
        state = replace(start, treasury=replace(start.treasury, policy=asked))
        _, flows = advance(city, state, 60, held)
        return (
            flows.market.sales.sum((1, 2)),
            flows.market.floor.sum(-1),
            flows.settlement.lines["road"],
        )

    def slope(roads: Tensor) -> Tensor:
        level = roads.detach().requires_grad_(True)
        sales, floor, cost = run(level)
        (gradient,) = torch.autograd.grad((sales - floor - cost).sum(), level)
        return gradient / cost.detach()

    best = summit(
        slope,
        torch.zeros(cases, dtype=torch.float64) + 1,
        torch.zeros(cases, dtype=torch.float64) + 1.5,
    )
    with torch.no_grad():
        sales, _, cost = run(best)
    return [
        Row(
            f"best share of output for roads, elasticity {float(g):g}", float(g), float(c / y), 1e-4
        )
        for g, c, y in zip(shares, cost, sales, strict=True)
    ]


def _single_tax(city: City, rows: int, good: Tensor) -> tuple[City, CityState]:
    """A city whose only revenue is the whole rent of land and a head tax.

    ``good`` ``[B]`` k$/month is what the public good costs. The head tax keeps the budget in
    surplus; the treasury hands the surplus back in equal parts, so that on balance a head pays
    what rent leaves uncovered.
    """
    f, start = city.fundamentals, city.initial(rows)
    pays_for_it = replace(
        f.treasury,
        budget=good,
        grant=torch.zeros_like(good),
        staff_cost=torch.zeros_like(f.treasury.staff_cost),
        facility_cost=torch.zeros_like(f.treasury.facility_cost),
    )
    city = replace(city, fundamentals=replace(f, treasury=pays_for_it))
    taxes = {"property_tax": 1e9, "income_tax": 0.0, "business_tax": 0.0, "rebate": -1.5}
    policy = start.treasury.policy | {
        name: torch.full_like(start.treasury.policy[name], rate) for name, rate in taxes.items()
    }
    return city, replace(start, treasury=replace(start.treasury, policy=policy))


def henry_george() -> list[Row]:
    """Land rent pays for a pure local public good in a city of the best size.

    One closed district, fixed floor, constant pay a head, and a good whose cost does not grow
    with the population. Gradients through the model find the population whose utility is
    highest: there the good costs a head the share of pay that goes into housing.
    """
    housing, share = tensor([0.2, 0.25, 0.4]), tensor([0.1, 0.3, 0.6])
    cases = len(housing)
    simple = {
        "housing_share": housing,
        "delta_h": 0.0,
        "chi": 0.0,
        "eta_r": 0.5,
        "dens_weight": 0.0,
        "rho_scale": 1e6,
        "grant_per_head": 0.0,
        "budget_share": tensor([[float(name == "transit") for name in BUDGET_LINES]]),
    }
    city = with_free(line([0.0], None, one_type(1)), simple)
    held = standing(city, cases, ["fiscal", "residents", "income", "value", "settlement"])
    market, commute = held["market"], held["commute"]
    none = torch.zeros_like(commute.fares)
    held |= {
        "market": replace(market, floor=NONE * market.floor),
        "commute": replace(commute, fares=none),
    }
    with torch.no_grad():
        pay = first_month(city, cases).income.gross[:, 0, 2]
    people = city.start.planning.people
    good = share * pay * people[:, 0, 2]
    city, start = _single_tax(city, cases, good)
    homes_only = replace(start.planning, work_rent=NONE * start.planning.work_rent)

    def run(size: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Utility, land rent and public spending at a log population ``[B]``."""
        grown = replace(homes_only, people=people * torch.exp(size).reshape(-1, 1, 1))
        _, flows = advance(city, replace(start, planning=grown), 60, held, mode="pooled")
        lines = flows.settlement.lines
        return flows.value.utility[:, 0, 2], lines["property_tax"], lines["transit"]

    def slope(size: Tensor) -> Tensor:
        level = size.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(run(level)[0].sum(), level)
        return gradient

    zero = torch.zeros(cases, dtype=torch.float64)
    best = summit(slope, zero, zero + 0.1)
    with torch.no_grad():
        _, rent, spent = run(best)
    sizes = (good / (housing * pay)).tolist()
    rows = []
    for k, alpha in enumerate(housing.tolist()):
        case = f"housing share {alpha:g}"
        found = float(torch.exp(best[k]) * people[0, 0, 2])
        rows.append(
            Row(f"land rent over public spending, {case}", 1.0, float(rent[k] / spent[k]), 1e-3)
        )
        rows.append(Row(f"best population, {case}", sizes[k], found, 1e-3, True))
    return rows
