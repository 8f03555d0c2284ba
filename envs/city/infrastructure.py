"""Infrastructure: roads, transit, air and clean energy (MODEL sections 5(1), (4), (6), (13))."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city import energy
from envs.city.functions import diminishing, erlang, minus, plus, pull, saturate, without
from envs.city.geography import Geography
from envs.city.parameters import Parameters
from envs.city.ports import Commute, Energy, Fiscal, Market, Residents, Roads, Settlement, Traffic
from envs.city.roads import Reservoirs, Streets
from envs.city.shocks import Shocks
from envs.city.sizes import MANUFACTURING


@dataclass(frozen=True)
class InfrastructureState:
    """pace: ``[B, L]`` perceived min/km; road: ``[B, L]`` veh-km/h; road_pipe: ``[B, L, 3]``;
    condition: ``[B, L]``; frequency, crowding: ``[B]`` veh/h, index; clean, retrofit: ``[B]``
    capital index; clean_pipe, retrofit_pipe: ``[B, 3]``; pollution: ``[B, D]`` index."""

    pace: Tensor
    road: Tensor
    road_pipe: Tensor
    condition: Tensor
    frequency: Tensor
    crowding: Tensor
    clean: Tensor
    clean_pipe: Tensor
    retrofit: Tensor
    retrofit_pipe: Tensor
    pollution: Tensor


@dataclass(frozen=True)
class InfrastructureFundamentals:
    """Baseline values: pace, road, link_km, load ``[b, L]``; vehicle_km, pollution ``[b, D]``;
    toll_minutes: ``[b]`` minutes worth a unit of road toll to the people in a car; ridership,
    people ``[b]``; output: ``[b]`` manufacturing sales; floor: ``[b, D]`` residential m2; energy:
    ``[b]`` MWh a month; money: ``[b]`` local wage over the unit of money levers."""

    pace: Tensor
    road: Tensor
    link_km: Tensor
    load: Tensor
    vehicle_km: Tensor
    toll_minutes: Tensor
    pollution: Tensor
    ridership: Tensor
    people: Tensor
    output: Tensor
    floor: Tensor
    energy: Tensor
    money: Tensor


def congested_pace(
    roads: Reservoirs | Streets, p: Parameters, condition: Tensor, load: Tensor
) -> Tensor:
    """Minutes per km ``[B, L]`` by the BPR function with a soft cap on volume over capacity.

    condition: ``[B, L]``, 1 in the first year; load: ``[B, L]``.
    """
    speed = plus(p.one, (p.bd.cond_speed, condition - p.one))
    return roads.free_pace(p) / speed * roads.crowded(p, load)


def capacity(p: Parameters, road: Tensor, condition: Tensor) -> Tensor:
    """Usable capacity ``[B, L]`` veh-km/h."""
    return plus(road, (road, p.bd.cond_capacity * (condition - p.one)))


def transit_times(
    geography: Geography, p: Parameters, frequency: Tensor, crowding: Tensor
) -> Tensor:
    """Generalised transit times ``[B, D, D]`` minutes, waiting included."""
    waiting = 0.5 * 60 * p.b.wait_weight / frequency
    riding = (geography.transit_ride, crowding.reshape(-1, 1, 1))
    return plus(waiting.reshape(-1, 1, 1), riding)


def service_level(
    s: InfrastructureState,
    f: InfrastructureFundamentals,
    geography: Geography,
    p: Parameters,
    residents: Residents,
    fiscal: Fiscal,
    shocks: Shocks,
) -> Roads:
    """Times, routes and the road index per head, at begin-of-month stocks."""
    people = residents.people.sum((1, 2))
    stock = geography.roads.by_district(s.road) / geography.roads.by_district(f.road)
    toll = geography.roads.on_resources(fiscal.road_toll)
    chosen = geography.roads.choose(p, s.pace, toll, f.toll_minutes)
    avoided = plus(p.one, (p.b.contact_transit, shocks["contact"]))
    return Roads(
        car_time=chosen.time,
        car_cost=chosen.cost,
        car_toll=chosen.toll,
        shares=chosen.shares,
        transit_time=transit_times(geography, p, s.frequency, s.crowding * avoided),
        index=stock / ((people / f.people) ** p.b.road_crowding).unsqueeze(-1),
        stock=stock,
        frequency=torch.log(s.frequency / p.b.frequency),
    )


def commute_vehicle_km(geography: Geography, p: Parameters, shares: Tensor, car: Tensor) -> Tensor:
    """Peak-hour vehicle-km ``[B, L]`` of commuters by car ``[B, D, D]``, routes by their shares."""
    return geography.roads.traffic(shares, car / p.bdk.occupancy * p.bdk.peak)


def emissions_by_source(
    p: Parameters,
    f: InfrastructureFundamentals,
    s: InfrastructureState,
    vehicle_km: Tensor,
    market: Market,
    residents: Residents,
) -> Tensor:
    """Emissions index by district ``[B, D]``: traffic, industry, buildings; baseline mean 1."""
    capital = torch.stack([s.clean, s.retrofit])
    elasticity = torch.stack([p.b.el_renewables, p.b.el_retrofit])
    clean, retrofit = torch.exp(-elasticity * diminishing(capital)).unbind()
    split = p.bd.emission_split * vehicle_km.shape[-1]
    traffic, industry, buildings = split.unbind(-1)
    return plus(
        (traffic / f.vehicle_km.sum(-1)).unsqueeze(-1) * vehicle_km,
        ((industry / f.output * clean).unsqueeze(-1), market.sales[..., MANUFACTURING]),
        ((buildings / f.floor.sum(-1) * retrofit).unsqueeze(-1), residents.home_floor),
    )


def load(
    s: InfrastructureState,
    f: InfrastructureFundamentals,
    geography: Geography,
    p: Parameters,
    roads: Roads,
    commuting: Commute,
    market: Market,
    residents: Residents,
    shocks: Shocks,
) -> Traffic:
    """Traffic on each road resource, transit ridership, and the air."""
    work = commute_vehicle_km(geography, p, roads.shares, commuting.car)
    fewer = p.bd.nonwork_el * torch.log(s.pace / f.pace)
    fewer = plus(fewer, (p.bd.contact_trips, shocks["contact"].unsqueeze(-1)))
    other = p.bd.nonwork * torch.exp(-fewer)
    goods = market.sales[..., MANUFACTURING].sum(-1) / f.output
    freight = (p.bd.freight * f.link_km, goods.unsqueeze(-1))
    link_km = plus(work, (work, other), freight)
    room = capacity(p, s.road, s.condition)
    vehicle_km = geography.roads.by_district(link_km)
    emissions = emissions_by_source(p, f, s, vehicle_km, market, residents)
    concentration = push_air(geography, emissions)
    return Traffic(
        vehicle_km=vehicle_km,
        load=vehicle_km / geography.roads.by_district(room),
        link_km=link_km,
        link_load=link_km / room,
        pollution=torch.lerp(s.pollution, concentration, p.bd.rate_pol),
        emissions=emissions.mean(-1),
        ridership=commuting.transit.sum((1, 2)),
    )


def power(
    s: InfrastructureState,
    f: InfrastructureFundamentals,
    p: Parameters,
    residents: Residents,
    market: Market,
    traffic: Traffic,
    shocks: Shocks,
) -> Energy:
    """Energy that the month uses, its carbon and its price."""
    return energy.supply(
        p, s.clean, s.retrofit, f.energy, f.money, residents, market, traffic, shocks
    )


def push_air(geography: Geography, emissions: Tensor) -> Tensor:
    """Concentrations ``[B, D]`` that emissions ``[B, D]`` cause."""
    return pull(geography.air, emissions)


def advance(
    s: InfrastructureState,
    f: InfrastructureFundamentals,
    geography: Geography,
    p: Parameters,
    traffic: Traffic,
    fiscal: Fiscal,
    settlement: Settlement,
) -> InfrastructureState:
    """Perceived times, stocks and condition, as far as they are paid."""
    policy, scale = fiscal.policy, settlement.scale["infrastructure"]
    wear, slow = p.bd.delta_g / p.year, p.b.delta_g / p.year
    starts = geography.roads.on_resources(policy["road"] * scale.unsqueeze(-1))
    road_pipe, built = erlang(s.road_pipe, wear * f.road * starts, p.bd.lag_g)
    energy_pipe, installed = erlang(
        torch.stack([s.clean_pipe, s.retrofit_pipe]),
        torch.stack([policy["renewables"], policy["retrofit"]]) * (slow * scale),
        p.b.lag_g,
    )
    clean, retrofit = without(torch.stack([s.clean, s.retrofit]), slow) + installed
    target = congested_pace(geography.roads, p, s.condition, traffic.link_load)
    worse = (traffic.link_load - f.load) / p.bd.vc
    use = plus(p.one, (p.one - p.bd.wear_fixed, worse))
    upkeep = saturate(policy["maintenance"] * settlement.upkeep_scale, p.one, p.bd.cap_upkeep)
    upkeep = geography.roads.on_resources(upkeep)
    crowd = traffic.ridership / f.ridership / (s.frequency / p.b.frequency)
    crowding = plus(p.one, (p.b.crowding, crowd.square() - p.one))
    run = p.b.frequency * policy["transit"] * scale
    return InfrastructureState(
        pace=torch.lerp(s.pace, target, p.bd.gain_tau),
        road=without(s.road, wear) + built,
        road_pipe=road_pipe,
        condition=plus(s.condition, (wear, minus(upkeep, (s.condition, use)))),
        frequency=torch.lerp(s.frequency, run, p.b.rate_transit),
        crowding=torch.lerp(s.crowding, crowding, p.b.gain_crowd),
        clean=clean,
        clean_pipe=energy_pipe[0],
        retrofit=retrofit,
        retrofit_pipe=energy_pipe[1],
        pollution=traffic.pollution,
    )
