"""Commuting: joint logit over workplace, sector and mode (MODEL sections 5(1)-(2)).

A pure function that belongs to no block. Exponentials exist only at ``[B, D, D]`` per
mode; the types enter as separable factors, so every reduction is a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.functions import pull, push
from envs.city.geography import Geography
from envs.city.parameters import Parameters
from envs.city.ports import Commute, JobOffers, Roads


@dataclass(frozen=True)
class TravelFundamentals:
    """What inversion fixes about travel.

    value_of_time: ``[b, K]`` k$/min; participation: ``[b]`` workers per resident;
    car_static, active_kernel: ``[b, D, D]``; car_money: ``[b, D, D]`` k$/trip.
    """

    value_of_time: Tensor
    participation: Tensor
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
    typical = value_of_time.mean(-1).reshape(-1, 1, 1)
    constant = p.bd.mode_constant
    return TravelFundamentals(
        value_of_time=value_of_time,
        participation=participation,
        car_static=-p.bdk.ke * car_money / typical + constant[:, 0].reshape(-1, 1, 1),
        active_kernel=torch.exp(
            -p.bdk.ke * geography.active_time + constant[:, 2].reshape(-1, 1, 1)
        ),
        car_money=car_money,
    )


def commute(
    f: TravelFundamentals,
    geography: Geography,
    p: Parameters,
    roads: Roads,
    offers: JobOffers,
    people: Tensor,
    toll: Tensor,
    fare: Tensor,
) -> Commute:
    """Workplace and mode choice of ``people`` ``[B, D, K]``.

    Args:
        toll: ``[B, D]`` k$ per vehicle that ends in the district.
        fare: ``[B]`` k$ per trip.
    """
    ke = p.bdk.ke
    car_kernel = torch.exp(f.car_static - ke * roads.car_time)
    transit_kernel = torch.exp(p.bd.mode_constant[:, 1].reshape(-1, 1, 1) - ke * roads.transit_time)
    toll_share = toll.unsqueeze(-1) / p.bdk.occupancy
    vot = f.value_of_time.unsqueeze(1)
    toll_factor = torch.exp(-ke * toll_share / vot)
    fare_factor = torch.exp(-ke * fare.reshape(-1, 1, 1) / vot)

    x = offers.attraction
    by_car, by_transit = x * toll_factor, x * fare_factor
    kinds = x.shape[-1]
    reach = pull(car_kernel, torch.cat([by_car, by_car * toll_share], -1))
    phi_transit = pull(transit_kernel, by_transit)
    phi = reach[..., :kinds] + phi_transit + pull(f.active_kernel, x)

    n = f.participation.reshape(-1, 1, 1) * people / phi
    workers = (
        by_car * push(car_kernel, n)
        + by_transit * push(transit_kernel, n)
        + x * push(f.active_kernel, n)
    )
    car = car_kernel * torch.matmul(n, by_car.transpose(-1, -2))
    transit = transit_kernel * torch.matmul(n, by_transit.transpose(-1, -2))

    minutes = (
        pull(car_kernel * roads.car_time, by_car)
        + pull(transit_kernel * roads.transit_time, by_transit)
        + pull(f.active_kernel * geography.active_time, x)
    ) / phi
    fares = fare.reshape(-1, 1, 1)
    money = (
        pull(car_kernel * f.car_money, by_car) + reach[..., kinds:] + fares * phi_transit
    ) / phi
    entering = car.sum(1)
    return Commute(
        phi=phi,
        workers=workers,
        car=car,
        transit=transit,
        minutes=minutes,
        money=money,
        car_kernel=car_kernel,
        transit_kernel=transit_kernel,
        toll_factor=toll_factor,
        fare_factor=fare_factor,
        tolls=p.b.legs * (entering * toll_share.squeeze(-1)).sum(-1),
        fares=p.b.legs * fare * transit.sum((1, 2)),
    )


def expected_pay(
    f: TravelFundamentals, commuting: Commute, offers: JobOffers, pay: Tensor
) -> Tensor:
    """Expected pay of an efficiency unit by residence ``[B, D, K]`` (pay: by workplace)."""
    x = offers.attraction * pay
    total = (
        pull(commuting.car_kernel, x * commuting.toll_factor)
        + pull(commuting.transit_kernel, x * commuting.fare_factor)
        + pull(f.active_kernel, x)
    )
    return total / commuting.phi
