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

from envs.city.functions import minus, plus, product
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
    ke, fare = p.bdk.ke, fiscal.fare * f.money
    fares = fare.reshape(-1, 1, 1)
    each = f.money.reshape(-1, 1, 1) / p.bdk.occupancy
    per_trip, road_toll = fiscal.toll.unsqueeze(1) * each, roads.car_toll * each
    fuel = shocks["fuel"].reshape(-1, 1, 1)
    dearer = torch.expm1(fuel) / f.typical_value.reshape(-1, 1, 1)
    car_kernel = torch.exp(minus(f.car_static, (ke, plus(roads.car_cost, (dearer, f.car_money)))))
    constant = p.bd.mode_constant[:, 1].reshape(-1, 1, 1)
    transit_kernel = torch.exp(minus(constant, (ke, roads.transit_time)))
    kernel = _beside(car_kernel, transit_kernel, f.active_kernel)
    dislike = -ke / f.value_of_time.unsqueeze(-1)
    x = offers.attraction.mT.contiguous()
    weight = torch.cat([x * torch.exp(dislike * per_trip), x * torch.exp(dislike * fares), x], -1)

    phi = _over_modes(kernel, weight)
    n = f.participation.reshape(-1, 1, 1) * residents.people / phi
    coming = (weight * product(n.mT, kernel)).chunk(MODES, -1)
    by_road = slice(2 * residents.people.shape[1])
    flows = kernel[..., by_road] * product(n, weight[..., by_road])
    car, transit = flows.chunk(2, -1)
    minutes = kernel * _beside(roads.car_time, roads.transit_time, geography.active_time)
    own = weight[..., by_road] * torch.cat([per_trip, fares.expand_as(per_trip)], -1)
    common = car_kernel * plus(road_toll, (torch.exp(fuel), f.car_money))
    common = _over_modes(common, weight[..., : car.shape[-1]]) / phi
    return Commute(
        phi=phi,
        workers=sum(coming[1:], coming[0]).mT.contiguous(),
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
    return torch.cat([x if len(x) == rows else x.expand(rows, -1, -1) for x in by_mode], -1)


def _over_modes(kernel: Tensor, weight: Tensor) -> Tensor:
    """Sum ``[B, D, K]`` over modes and workplaces of kernel ``[B, D, M * D]`` times weight
    ``[B, K, M * D]``."""
    return product(kernel, weight.mT)


def expected_pay(commuting: Commute, pay: Tensor) -> Tensor:
    """Expected pay of an efficiency unit by residence ``[B, D, K]`` (pay: by workplace)."""
    weight = commuting.weight * torch.cat([pay.mT] * MODES, -1)
    return _over_modes(commuting.kernel, weight) / commuting.phi
