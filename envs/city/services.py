"""Basic public services: two-step catchment with queues (MODEL section 5(5))."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.functions import FLOOR, ces, ces_match, erlang
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
    share = f.facilities / f.facilities.sum(-1, keepdim=True)
    return Staffing(s.staff.sum(-1), (share * s.facilities / f.facilities).sum(-1))


def target_weights(people: Tensor, targeting: Tensor) -> Tensor:
    """Demand weight of each type ``[B, K, H]``, mean one over the population."""
    share = people.sum(1) / people.sum((1, 2)).unsqueeze(-1)
    return targeting / (targeting * share.unsqueeze(-1)).sum(1, keepdim=True)


def kernels(geography: Geography, p: Parameters, roads: Roads) -> Tensor:
    """Distance decay of each service ``[B, H, D, D]``."""
    walk = p.bdk.max_access * geography.distance
    minutes = ces_match(roads.car_time, walk.expand_as(roads.car_time), p.bdk.rho_access)
    rate = (p.bd.decay_access * p.bd.power_access).unsqueeze(-1).unsqueeze(-1)
    return torch.exp(-rate * minutes.unsqueeze(1))


def within_reach(kernel: Tensor, values: Tensor) -> Tensor:
    """``values`` ``[B, D, H]`` of other districts, by distance decay ``[B, H, D, D]``."""
    columns = values.transpose(1, 2).unsqueeze(-1)
    return torch.matmul(kernel, columns).squeeze(-1).transpose(1, 2).contiguous()


def arriving(kernel: Tensor, values: Tensor) -> Tensor:
    """What districts receive of the ``values`` ``[B, D, H]`` that others send."""
    rows = values.transpose(1, 2).unsqueeze(-2)
    return torch.matmul(rows, kernel).squeeze(-2).transpose(1, 2).contiguous()


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
    return 1 + p.bdk.co_reach * given / (p.bdk.co_half + given)


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
    people, policy = residents.people, fiscal.policy
    weights = target_weights(people, fiscal.targeting)
    use = torch.exp(-p.bd.fee_semi * policy["fee"])
    fee = policy["fee"] * f.money.unsqueeze(-1)
    illness = torch.exp(p.bd.contact_visits * shocks["contact"].unsqueeze(-1))
    visits = (p.bd.visits * use * illness).unsqueeze(1)
    by_service = weights.transpose(1, 2).contiguous()
    demand = torch.matmul(people, by_service.transpose(1, 2)) * visits

    capacity = f.facilities * ces(
        s.facilities / f.facilities, s.staff / f.staff, p.bdk.w_facility, p.bdk.rho_capacity
    )
    hours = policy["coproduction"]
    capacity = capacity * coproduced(f, p, residents, hours)
    kernel = kernels(geography, p, roads)
    reach = within_reach(kernel, capacity).clamp_min(FLOOR)
    load = arriving(kernel, demand / reach)
    met = p.bdk.top_quality / (1 + (load / p.bdk.knee) ** p.bdk.power_queue)
    access = within_reach(kernel, capacity * met) / reach
    proximity = torch.log(reach / capacity.sum(1, keepdim=True))
    quality = s.quality + p.bdk.gain_q * (access - s.quality)

    learnt = torch.log(quality / f.quality)
    worth = p.bdk.om_service * (learnt + p.bdk.prox_weight * (proximity - f.proximity))
    unmet = p.bd.om_fee * (1 - use)
    share = people.sum(1) / people.sum((1, 2)).unsqueeze(-1)
    relative = p.bd.efficiency / (share * p.bd.efficiency).sum(-1, keepdim=True)
    by_type = (p.bdk.om_service * torch.log(weights)).sum(-1) / relative - (
        unmet.unsqueeze(1) * weights
    ).sum(-1)
    overload = (load - 1).clamp_min(0) * capacity
    return ServiceUse(
        quality=quality,
        proximity=proximity,
        access=access,
        load=load,
        fees=((fee * visits.squeeze(1)).unsqueeze(1) * weights).sum(-1).unsqueeze(1),
        unserved=overload.sum((1, 2)),
        education=learnt[..., EDUCATION],
        utility=worth.sum(-1, keepdim=True)
        + by_type.unsqueeze(1)
        - p.bdk.co_time * hours.sum(-1, keepdim=True),
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
    wear = p.bdk.delta_fac / 12
    starts = wear * f.facilities * policy["facilities"] * paid
    pipe, done = erlang(s.pipe, starts, p.bdk.lag_fac)
    return ServicesState(
        facilities=(1 - wear) * s.facilities + done,
        staff=s.staff + p.bdk.rate_staff * (hired - s.staff),
        pipe=pipe,
        quality=use.quality,
    )
