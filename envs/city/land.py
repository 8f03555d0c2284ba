"""Land: what is built on, what is free, and how the two add up (MODEL section 5(8)).

Homes, work places, facilities, roads and free land share a district. Released land, new roads
and new facilities take free land first; the less is left, the more they are squeezed together,
so that the free land never runs out and the shares always add up to the land that there is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from envs.city.geography import Geography
from envs.city.parameters import Parameters
from envs.city.ports import Land, Roads, Staffing


def taken(wanted: Tensor, free: Tensor) -> Tensor:
    """Share of ``wanted`` land that is found where ``free`` is left; 1 for land given back.

    ``free (1 - exp(-wanted / free)) / wanted``: 1 at 0, and all the free land at most.
    """
    pressure = (wanted / free).clamp_min(0)
    crowded = torch.where(pressure > 1e-6, pressure, torch.ones_like(pressure))
    return torch.where(pressure > 1e-6, -torch.expm1(-crowded) / crowded, 1 - pressure / 2)


def use(
    geography: Geography, p: Parameters, roads: Roads, staffing: Staffing, release: Tensor
) -> Land:
    """Land by use this month.

    Args:
        release: ``[B, D]`` land that planning wants built on, share of that for homes and work.
    """
    homes, works, facilities, streets = (p.bd.land_use[:, k : k + 1] for k in range(4))
    open_first = 1 - p.bd.land_use.sum(-1, keepdim=True)
    wider, larger = roads.stock - 1, staffing.facilities - 1
    wanted = (homes + works) * release + facilities * larger + streets * wider
    found = taken(wanted, open_first)
    total = geography.land
    growth = release * found
    return Land(
        homes=homes * (1 + growth) * total,
        works=works * (1 + growth) * total,
        facilities=facilities * (1 + larger * found) * total,
        roads=streets * (1 + wider * found) * total,
        free=(open_first - wanted * found) * total,
        release=growth,
        found=found,
        lost=wanted * found / (homes + works),
    )
