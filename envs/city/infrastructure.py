"""Infrastructure: roads, transit, air and clean energy (MODEL sections 5(1), (4), (6), (13))."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city import energy
from envs.city.functions import diminishing, erlang, pull, saturate
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
    free = roads.free_pace(p) / (1 - p.bd.cond_speed + p.bd.cond_speed * condition)
    return free * roads.crowded(p, load)


def capacity(p: Parameters, road: Tensor, condition: Tensor) -> Tensor:
    """Usable capacity ``[B, L]`` veh-km/h."""
    return road * (1 - p.bd.cond_capacity + p.bd.cond_capacity * condition)


def transit_times(
    geography: Geography, p: Parameters, frequency: Tensor, crowding: Tensor
) -> Tensor:
    """Generalised transit times ``[B, D, D]`` minutes, waiting included."""
    waiting = p.b.wait_weight * 60 / (2 * frequency)
    return geography.transit_ride * crowding.reshape(-1, 1, 1) + waiting.reshape(-1, 1, 1)


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
    avoided = 1 + p.b.contact_transit * shocks["contact"]
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
    split = p.bd.emission_split
    districts = vehicle_km.shape[-1]
    industry = market.sales[..., MANUFACTURING] / f.output.unsqueeze(-1) * districts
    industry = industry * torch.exp(-p.bd.el_renewables * diminishing(s.clean).unsqueeze(-1))
    buildings = residents.home_floor / f.floor.mean(-1, keepdim=True)
    buildings = buildings * torch.exp(-p.bd.el_retrofit * diminishing(s.retrofit).unsqueeze(-1))
    traffic = vehicle_km / f.vehicle_km.mean(-1, keepdim=True)
    return split[:, :1] * traffic + split[:, 1:2] * industry + split[:, 2:] * buildings


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
    other = p.bd.nonwork * (s.pace / f.pace) ** (-p.bd.nonwork_el)
    other = other * torch.exp(-p.bd.contact_trips * shocks["contact"].unsqueeze(-1))
    goods = market.sales[..., MANUFACTURING].sum(-1) / f.output
    link_km = work * (1 + other) + p.bd.freight * f.link_km * goods.unsqueeze(-1)
    room = capacity(p, s.road, s.condition)
    vehicle_km = geography.roads.by_district(link_km)
    emissions = emissions_by_source(p, f, s, vehicle_km, market, residents)
    concentration = push_air(geography, emissions)
    return Traffic(
        vehicle_km=vehicle_km,
        load=vehicle_km / geography.roads.by_district(room),
        link_km=link_km,
        link_load=link_km / room,
        pollution=s.pollution + p.bd.rate_pol * (concentration - s.pollution),
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
    paid = scale.unsqueeze(-1)
    wear = p.bd.delta_g / 12
    starts = geography.roads.on_resources(policy["road"] * paid)
    road_pipe, built = erlang(s.road_pipe, wear * f.road * starts, p.bd.lag_g)
    clean_pipe, clean = erlang(
        s.clean_pipe, p.b.delta_g / 12 * policy["renewables"] * scale, p.b.lag_g
    )
    retro_pipe, retro = erlang(
        s.retrofit_pipe, p.b.delta_g / 12 * policy["retrofit"] * scale, p.b.lag_g
    )
    target = congested_pace(geography.roads, p, s.condition, traffic.link_load)
    use = 1 + (1 - p.bd.wear_fixed) * (traffic.link_load - f.load) / p.bd.vc
    upkeep = saturate(
        policy["maintenance"] * settlement.upkeep_scale, torch.ones_like(paid), p.bd.cap_upkeep
    )
    upkeep = geography.roads.on_resources(upkeep)
    crowd = traffic.ridership / f.ridership / (s.frequency / p.b.frequency)
    return InfrastructureState(
        pace=s.pace + p.bd.gain_tau * (target - s.pace),
        road=(1 - wear) * s.road + built,
        road_pipe=road_pipe,
        condition=s.condition + wear * (upkeep - s.condition * use),
        frequency=s.frequency
        + p.b.rate_transit * (p.b.frequency * policy["transit"] * scale - s.frequency),
        crowding=s.crowding + p.b.gain_crowd * (1 + p.b.crowding * (crowd**2 - 1) - s.crowding),
        clean=(1 - p.b.delta_g / 12) * s.clean + clean,
        clean_pipe=clean_pipe,
        retrofit=(1 - p.b.delta_g / 12) * s.retrofit + retro,
        retrofit_pipe=retro_pipe,
        pollution=traffic.pollution,
    )
