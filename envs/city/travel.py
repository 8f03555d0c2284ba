"""Commuting: joint logit over workplace, sector and mode (MODEL sections 5(1)-(2)).

A pure function that belongs to no block. Exponentials exist only at ``[B, D, D]`` per
mode; the types enter as separable factors, so every reduction is a matrix product. The modes
(car, transit, active) lie side by side along the workplaces, and types are rows: few wide
products are much faster than many narrow ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.geography import Geography
from envs.city.parameters import Parameters
from envs.city.ports import Commute, Fiscal, JobOffers, Residents, Roads
from envs.city.shocks import Shocks

#: Car, transit, active.
MODES = 3


@dataclass(frozen=True)
class TravelFundamentals:
    """What inversion fixes about travel.

    value_of_time: ``[b, K]`` k$/min; typical_value: ``[b]`` k$/min at which all weigh the costs
    of a car, the mean of the types as they are cut in the first year; participation: ``[b]``
    workers per resident; money: ``[b]`` local wage over the unit of money levers; car_static,
    active_kernel: ``[b, D, D]``; car_money: ``[b, D, D]`` k$/trip.
    """

    value_of_time: Tensor
    typical_value: Tensor
    participation: Tensor
    money: Tensor
    car_static: Tensor
    active_kernel: Tensor
    car_money: Tensor


def travel_fundamentals(
    geography: Geography, p: Parameters, wage: Tensor, participation: Tensor
) -> TravelFundamentals:
    """Static kernels; ``wage`` ``[b]`` is the city's wage per efficiency unit."""
    value_of_time = p.bd.vot_share * wage.unsqueeze(-1) * p.bd.efficiency / p.bd.work_minutes
    money = (wage / p.b.wage_unit).reshape(-1, 1, 1)
    car_money = p.bdk.car_cost * money * geography.distance / p.bdk.occupancy
    typical = value_of_time.mean(-1)
    minutes = car_money / typical.reshape(-1, 1, 1)
    constant = p.bd.mode_constant
    return TravelFundamentals(
        value_of_time=value_of_time,
        typical_value=typical,
        participation=participation,
        money=wage / p.b.wage_unit,
        car_static=-p.bdk.ke * minutes + constant[:, 0].reshape(-1, 1, 1),
        active_kernel=torch.exp(
            -p.bdk.ke * geography.active_time + constant[:, 2].reshape(-1, 1, 1)
        ),
        car_money=car_money,
    )


def toll_minutes(f: TravelFundamentals, p: Parameters) -> Tensor:
    """Minutes ``[b]`` that a unit of a toll lever on a car is worth to those who share it."""
    return f.money / (p.b.occupancy * f.typical_value)


def commute(
    f: TravelFundamentals,
    geography: Geography,
    p: Parameters,
    roads: Roads,
    offers: JobOffers,
    residents: Residents,
    fiscal: Fiscal,
    shocks: Shocks,
) -> Commute:
    """Workplace and mode choice of the residents.

    The toll is paid per vehicle that ends in a district, the road toll per km on the routes that
    drivers choose, the fare per trip; tolls and fares are what the average traveller pays, cheats
    included.
    """
    people = residents.people
    toll = fiscal.toll * f.money.unsqueeze(-1)
    fare = fiscal.fare * f.money
    ke, fares = p.bdk.ke, fare.reshape(-1, 1, 1)
    fuel = torch.exp(shocks["fuel"]).reshape(-1, 1, 1)
    typical = f.typical_value.reshape(-1, 1, 1)
    dearer = (fuel - 1) / typical * f.car_money
    car_kernel = torch.exp(f.car_static - ke * (roads.car_cost + dearer))
    transit_kernel = torch.exp(p.bd.mode_constant[:, 1].reshape(-1, 1, 1) - ke * roads.transit_time)
    kernel = _beside(car_kernel, transit_kernel, f.active_kernel)
    per_trip = toll.unsqueeze(1) / p.bdk.occupancy
    vot = f.value_of_time.unsqueeze(-1)
    x = offers.attraction.transpose(1, 2).contiguous()
    weight = torch.cat(
        [x * torch.exp(-ke * per_trip / vot), x * torch.exp(-ke * fares / vot), x], -1
    )

    phi = _over_modes(kernel, weight)
    n = f.participation.reshape(-1, 1, 1) * people / phi
    districts = people.shape[1]
    coming = (weight * torch.matmul(n.transpose(1, 2), kernel)).chunk(MODES, -1)
    by_road = slice(2 * districts)
    flows = kernel[..., by_road] * torch.matmul(n, weight[..., by_road])
    car, transit = flows.chunk(2, -1)
    minutes = kernel * _beside(roads.car_time, roads.transit_time, geography.active_time)
    road_toll = f.money.reshape(-1, 1, 1) / p.bdk.occupancy * roads.car_toll
    ones = torch.ones_like(per_trip)
    own = weight[..., by_road] * torch.cat([per_trip, fares * ones], -1)
    common = (
        _over_modes(car_kernel * (fuel * f.car_money + road_toll), weight[..., :districts]) / phi
    )
    return Commute(
        phi=phi,
        workers=sum(coming[1:], coming[0]).transpose(1, 2).contiguous(),
        car=car,
        transit=transit,
        minutes=_over_modes(minutes, weight) / phi,
        money=_over_modes(kernel[..., by_road], own) / phi + common,
        common=common,
        kernel=kernel,
        weight=weight,
        tolls=p.b.legs * ((per_trip + road_toll) * car).sum((1, 2)),
        fares=p.b.legs * fare * transit.sum((1, 2)),
    )


def _beside(*by_mode: Tensor) -> Tensor:
    """Matrices ``[B, D, D]`` of the modes (or ``[1, D, D]``) side by side ``[B, D, M * D]``."""
    rows = max(x.shape[0] for x in by_mode)
    return torch.cat([x.expand(rows, -1, -1) for x in by_mode], -1)


def _over_modes(kernel: Tensor, weight: Tensor) -> Tensor:
    """Sum ``[B, D, K]`` over modes and workplaces of kernel ``[B, D, M * D]`` times weight
    ``[B, K, M * D]``."""
    return torch.matmul(kernel, weight.transpose(1, 2))


def expected_pay(commuting: Commute, pay: Tensor) -> Tensor:
    """Expected pay of an efficiency unit by residence ``[B, D, K]`` (pay: by workplace)."""
    by_type = pay.transpose(1, 2).contiguous()
    weight = commuting.weight * torch.cat([by_type] * MODES, -1)
    return _over_modes(commuting.kernel, weight) / commuting.phi
