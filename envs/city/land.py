"""Land: what is built on, what is free, and how the two add up (MODEL section 5(8)).

Homes, work places, facilities, roads and free land share a district. Released land, new roads
and new facilities take free land first; the less is left, the more they are squeezed together,
so that the free land never runs out and the shares always add up to the land that there is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from envs.city.functions import plus
from envs.city.geography import Geography
from envs.city.parameters import Parameters
from envs.city.ports import Land, Roads, Staffing


def taken(wanted: Tensor, free: Tensor) -> Tensor:
    """Share of ``wanted`` land that is found where ``free`` is left; 1 for land given back.

    ``free (1 - exp(-wanted / free)) / wanted``: 1 at 0, and all the free land at most.
    """
    pressure = (wanted / free).clamp_min(0)
    small = pressure <= 1e-6
    crowded = pressure.masked_fill(small, 1)
    return torch.where(small, 1 - pressure / 2, -torch.expm1(-crowded) / crowded)


def use(
    geography: Geography, p: Parameters, roads: Roads, staffing: Staffing, release: Tensor
) -> Land:
    """Land by use this month.

    Args:
        release: ``[B, D]`` land that planning wants built on, share of that for homes and work.
    """
    share, total = p.bdk.land_use, geography.land
    more = [release, release, staffing.facilities - p.one, roads.stock - p.one]
    growth = share * torch.stack(more, -1)
    wanted, open_first = growth.sum(-1), p.one - p.bd.land_use.sum(-1, keepdim=True)
    found = taken(wanted, open_first)
    gone = wanted * found
    built = plus(share, (growth, found.unsqueeze(-1))) * total.unsqueeze(-1)
    homes, works, facilities, streets = built.unbind(-1)
    return Land(
        homes=homes,
        works=works,
        facilities=facilities,
        roads=streets,
        free=(open_first - gone) * total,
        release=release * found,
        found=found,
        lost=gone / p.bd.land_use[:, :2].sum(-1, keepdim=True),
    )
