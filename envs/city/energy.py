"""Energy by use, its carbon, and what it costs (MODEL section 5(6)).

Homes, workplaces, industry and transport use energy; what is not renewable emits carbon; and a
grid that runs close to its capacity charges more.
"""

from __future__ import annotations

import torch
from torch import Tensor

from envs.city.functions import diminishing, plus, without
from envs.city.parameters import Parameters
from envs.city.ports import Energy, Market, Residents, Traffic
from envs.city.shocks import Shocks
from envs.city.sizes import MANUFACTURING


def renewable_share(p: Parameters, clean: Tensor) -> Tensor:
    """Share of energy that is renewable ``[B]`` at clean capital ``[B]`` over the first year's.

    The odds rise in proportion to the capital, so that the share stays below one.
    """
    odds = p.b.renewable / (p.one - p.b.renewable) * clean
    return odds / (p.one + odds)


def scarcity(p: Parameters, load: Tensor) -> Tensor:
    """Log price of energy over an idle grid's, at a load over capacity ``[B]``."""
    return torch.log1p(p.b.grid_price * load**p.b.grid_power)


def used(
    p: Parameters,
    retrofit: Tensor,
    money: Tensor,
    residents: Residents,
    market: Market,
    vehicle_km: Tensor,
) -> Tensor:
    """Energy by use ``[B, D, C]`` MWh a month.

    Args:
        retrofit: ``[B]`` capital over the first year's. money: ``[b]`` local wage over the unit in
            which sales are stated. vehicle_km: ``[B, D]`` per peak hour.
    """
    saved = torch.exp(-p.b.el_retrofit * diminishing(retrofit)).unsqueeze(-1)
    quantities = (
        residents.home_floor * saved,
        residents.work_floor,
        market.sales[..., MANUFACTURING] / money.unsqueeze(-1),
        vehicle_km / p.bd.peak * p.bd.legs,
    )
    return torch.stack(quantities, -1) * p.bdk.energy_use


def supply(
    p: Parameters,
    clean: Tensor,
    retrofit: Tensor,
    first_use: Tensor,
    money: Tensor,
    residents: Residents,
    market: Market,
    traffic: Traffic,
    shocks: Shocks,
) -> Energy:
    """Energy of the month.

    Args:
        clean, retrofit: ``[B]`` capital over the first year's. first_use: ``[b]`` MWh a month of
            the whole city in the first year. money: ``[b]`` local wage over the unit of money.
    """
    use = used(p, retrofit, money, residents, market, traffic.vehicle_km)
    renewable = renewable_share(p, clean)
    base = torch.lerp(p.one, clean, p.b.grid_renewable)
    load = p.b.grid_load * use.sum((1, 2)) / first_use / base
    price = scarcity(p, load) - scarcity(p, p.b.grid_load)
    return Energy(
        use=use,
        carbon=without(use * p.bdk.carbon, renewable.reshape(-1, 1, 1)),
        renewable=renewable,
        load=load,
        price=plus(price, (p.b.fuel_energy, shocks["fuel"])),
    )
