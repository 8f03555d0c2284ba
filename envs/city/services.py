"""Basic public services: two-step catchment with queues (MODEL section 5(5))."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.functions import FLOOR, ces, ces_match, erlang, plus, without
from envs.city.geography import Geography
from envs.city.parameters import Parameters
from envs.city.ports import Fiscal, Residents, Roads, ServiceUse, Settlement, Staffing
from envs.city.shocks import Shocks
from envs.city.sizes import EDUCATION


@dataclass(frozen=True)
class ServicesState:
    """facilities: ``[B, D, H]`` visits/month; staff: ``[B, D, H]`` efficiency units; pipe:
    ``[B, D, H, 3]`` visits/month; quality: ``[B, D, H]`` perceived index."""

    facilities: Tensor
    staff: Tensor
    pipe: Tensor
    quality: Tensor


@dataclass(frozen=True)
class ServicesFundamentals:
    """facilities, staff, quality, proximity: baseline values ``[b, D, H]``; money: ``[b]``
    local wage over the unit of money levers."""

    facilities: Tensor
    staff: Tensor
    quality: Tensor
    proximity: Tensor
    money: Tensor


def staffing(s: ServicesState, f: ServicesFundamentals) -> Staffing:
    """Staff that the services employ, and what their buildings have grown to."""
    return Staffing(s.staff.sum(-1), s.facilities.sum(-1) / f.facilities.sum(-1))


def target_weights(share: Tensor, targeting: Tensor) -> Tensor:
    """Demand weight of each type ``[B, K, H]``, mean one over a population of shares ``[B, K]``."""
    return targeting / (targeting * share.unsqueeze(-1)).sum(1, keepdim=True)


def kernels(geography: Geography, p: Parameters, roads: Roads) -> Tensor:
    """Distance decay of each service ``[B, H, D, D]``."""
    walk = p.bdk.max_access * geography.distance
    minutes = ces_match(roads.car_time, walk, p.bdk.rho_access)
    rate = (p.bd.decay_access * p.bd.power_access).unsqueeze(-1).unsqueeze(-1)
    return torch.exp(-rate * minutes.unsqueeze(1))


def within_reach(kernel: Tensor, values: Tensor) -> Tensor:
    """``values`` ``[B, H, D]`` of other districts, by distance decay ``[B, H, D, D]``."""
    return arriving(kernel.mT, values)


def arriving(kernel: Tensor, values: Tensor) -> Tensor:
    """What districts receive of the ``values`` ``[B, H, D]`` that others send."""
    rows = values.flatten(0, 1).unsqueeze(1)
    return torch.bmm(rows, kernel.flatten(0, 1)).view_as(values)


def coproduced(
    f: ServicesFundamentals, p: Parameters, residents: Residents, hours: Tensor
) -> Tensor:
    """Capacity over what staff and facilities alone would have ``[B, D, H]``: 1 without help.

    Residents' time raises the capacity of their district's services by ``co_reach x / (co_half
    + x)``, with x the hours a month for each person that the services are made for: returns
    diminish, and a few residents cannot run what serves many (form and numbers assumed).

    Args:
        hours: ``[B, D, H]`` that each resident gives a month.
    """
    served = f.facilities * p.bdk.utilisation / p.bdk.visits
    given = hours * residents.people.sum(-1, keepdim=True) / served
    return plus(p.one, (p.bdk.co_reach, given / (p.bdk.co_half + given)))


def serve(
    s: ServicesState,
    f: ServicesFundamentals,
    geography: Geography,
    p: Parameters,
    roads: Roads,
    residents: Residents,
    fiscal: Fiscal,
    shocks: Shocks,
) -> ServiceUse:
    """Demand, queues, quality and access this month.

    Capacity is what staff and facilities have, raised by residents' own time; that time is lost
    to them, each hour the same share of income for every type.
    A visit is worth the same money to every type, so that targeting gains nothing in money
    and matters to a welfare that is averse to inequality (MODEL section 22.7).
    """
    people, policy, hours = residents.people, fiscal.policy, fiscal.policy["coproduction"]
    kinds = people.sum(1)
    share = kinds / kinds.sum(-1, keepdim=True)
    weights = target_weights(share, fiscal.targeting)
    use = torch.exp(-p.bd.fee_semi * policy["fee"])
    illness = torch.exp(p.bd.contact_visits * shocks["contact"].unsqueeze(-1))
    visits = p.bd.visits * use * illness

    capacity = f.facilities * ces(
        s.facilities / f.facilities, s.staff / f.staff, p.bdk.w_facility, p.bdk.rho_capacity
    )
    capacity = capacity * coproduced(f, p, residents, hours)
    # By service from here on, as the kernels are: [B, H, D].
    kernel, offered = kernels(geography, p, roads), capacity.mT.contiguous()
    demand = torch.bmm(weights.mT, people.mT) * visits.unsqueeze(-1)
    reach = within_reach(kernel, offered).clamp_min(FLOOR)
    load = arriving(kernel, demand / reach)
    met = p.bdk.top_quality / (p.one + (load / p.bdk.knee) ** p.bdk.power_queue)
    access = (within_reach(kernel, offered * met) / reach).mT.contiguous()
    proximity = torch.log(reach / offered.sum(-1, keepdim=True)).mT.contiguous()
    overload = (load - p.one).clamp_min(0) * offered

    quality = torch.lerp(s.quality, access, p.bdk.gain_q)
    learnt = torch.log(quality / f.quality)
    noticed = plus(learnt, (p.bdk.prox_weight, proximity - f.proximity))
    worth = p.bdk.om_service * noticed - p.bdk.co_time * hours
    unmet = (p.bd.om_fee * (p.one - use)).unsqueeze(1)
    relative = p.bd.efficiency / (share * p.bd.efficiency).sum(-1, keepdim=True)
    by_type = (p.bdk.om_service * torch.log(weights)).sum(-1) / relative - (unmet * weights).sum(-1)
    paid = visits * policy["fee"] * f.money.unsqueeze(-1)
    return ServiceUse(
        quality=quality,
        proximity=proximity,
        access=access,
        load=load.mT,
        fees=(paid.unsqueeze(1) * weights).sum(-1).unsqueeze(1),
        unserved=overload.sum((1, 2)),
        education=learnt[..., EDUCATION],
        utility=worth.sum(-1, keepdim=True) + by_type.unsqueeze(1),
    )


def advance(
    s: ServicesState,
    f: ServicesFundamentals,
    p: Parameters,
    use: ServiceUse,
    fiscal: Fiscal,
    settlement: Settlement,
) -> ServicesState:
    """Hiring, building and perceived quality, as far as they are paid."""
    policy = fiscal.policy
    paid = settlement.scale["services"].reshape(-1, 1, 1)
    hired = f.staff * policy["staff"] * settlement.staff_scale.unsqueeze(-1)
    wear = p.bdk.delta_fac / p.year
    starts = wear * f.facilities * policy["facilities"] * paid
    pipe, done = erlang(s.pipe, starts, p.bdk.lag_fac)
    return ServicesState(
        facilities=without(s.facilities, wear) + done,
        staff=torch.lerp(s.staff, hired, p.bdk.rate_staff),
        pipe=pipe,
        quality=use.quality,
    )
