"""The limit of Ahlfeldt et al. (2015): what a city is made of, recovered (MODEL section 15, 7)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from envs.city import industry
from envs.city.inversion import invert
from envs.city.model import City, CityState, Flows
from envs.city.panel import Panel
from envs.city.parameters import Parameters
from envs.city.sizes import KNOWLEDGE, PRIVATE, SECTORS
from envs.city.synthetic import synthetic_panel
from experiments.verify.oracle import Row
from experiments.verify.worlds import NONE, advance, free


def _simple() -> Parameters:
    """The city of Ahlfeldt et al.: workplaces, residences, floor and one private sector.

    No size terms, congestion, services, local prices or air; nobody enters or leaves. Fast
    stocks change when a city comes to rest, not where.
    """
    absent = (
        "bpr_alpha",
        "cond_speed",
        "crowding",
        "om_service",
        "om_pol",
        "om_far",
        "om_transit",
        "om_energy",
    )
    still = ("eta_p", "seed_k", "chi", "size_jobs", "size_floor")
    quick = {"mobility": 0.1, "gain_v": 0.3, "gain_f": 0.3, "delta_h": 0.2, "lag_h": 9.0}
    return free(dict.fromkeys((*absent, *still), 0.0) | quick | {"delta_k": 0.3})


def _observe(city: City, state: CityState, flows: Flows) -> Panel:
    """What a statistician sees of a city."""
    jobs, market = flows.market.jobs, flows.market
    output = market.sales.sum(-1) + market.wages[..., PRIVATE]
    return Panel(
        xy=city.geography.xy,
        land=city.geography.land,
        people=state.planning.people,
        jobs=jobs,
        output_per_job=output / jobs,
        sectors=market.employed / market.employed.sum(-1, keepdim=True),
    )


def _centred(values: Tensor) -> Tensor:
    """Differences from the mean over districts: what is known up to scale ``[B, D, ...]``."""
    return values - values.mean(1, keepdim=True)


def inversion() -> list[Row]:
    """Shift what a city is made of, let it find its equilibrium, and recover the shifts.

    Inversion sees only the new equilibrium: people, jobs, pay and floor space. It finds
    productivity and amenity with the spillovers of density in them, which known elasticities
    take out again.
    """
    p = _simple()
    panel = synthetic_panel([5], 6)
    sectors = torch.full((1, 6, SECTORS), NONE, dtype=torch.float64)
    sectors[..., KNOWLEDGE] = 1
    with torch.no_grad():
        city = invert(replace(panel, sectors=sectors), p)
        f = city.fundamentals
        draw = torch.Generator().manual_seed(0)
        better = 0.03 * torch.randn(1, 6, 1, generator=draw, dtype=torch.float64)
        nicer = 0.1 * torch.randn(1, 6, 6, generator=draw, dtype=torch.float64)
        production = replace(f.industry, productivity=f.industry.productivity + better)
        homes = replace(f.planning, amenity=f.planning.amenity + nicer)
        known = replace(city, fundamentals=replace(f, industry=production, planning=homes))
        state, flows = advance(known, known.initial(), 1200)
        seen = _observe(known, state, flows)
        floor = {
            "floor_home": state.planning.home_floor / seen.people.sum(-1),
            "floor_job": state.planning.work_floor / seen.jobs,
        }
        found = invert(seen, Parameters(p.values | floor)).fundamentals
    moved = torch.log(state.planning.people.sum(-1) / f.planning.people)
    crowding = p.bd.dens_weight * p.bd.eta_dens * moved
    spill = industry.spill_density(city.geography, state.industry.employed) / f.industry.spill
    agglomeration = p.bd.agglomeration[:, KNOWLEDGE] * torch.log(spill)
    trade = (..., KNOWLEDGE)
    recovered = {
        "productivity": (
            production.productivity[trade],
            found.industry.productivity[trade] - agglomeration,
        ),
        "amenity": (homes.amenity, found.planning.amenity - crowding.unsqueeze(-1)),
        "pull of workplaces": (
            torch.log(f.industry.workplace[trade]),
            torch.log(found.industry.workplace[trade]),
        ),
    }
    return [
        _worst(f"{name}, log points off its mean", _centred(first), _centred(ours), 1e-6)
        for name, (first, ours) in recovered.items()
    ]


def _worst(case: str, theory: Tensor, ours: Tensor, tolerance: float) -> Row:
    """The entry where ours is furthest from theory."""
    worst = int((ours - theory).abs().argmax())
    return Row(case, float(theory.flatten()[worst]), float(ours.flatten()[worst]), tolerance)
