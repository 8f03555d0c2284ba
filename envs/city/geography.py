"""Static geography of a city: places, distances, routes and spatial kernels.

All tensors carry a leading batch dimension: 1 where every row is the same city, B where
each row is a city of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.parameters import Parameters
from envs.city.roads import Reservoirs, Roads
from envs.city.streets import StreetPlan, build_streets

_SAMPLES = 21
#: Distances (km) that differ by less are equal: far above rounding, far below any district.
_AS_NEAR = 1e-6


@dataclass(frozen=True)
class Geography:
    """Where things are.

    Attributes:
        xy: ``[b, D, 2]`` km. land: ``[b, D]`` km2.
        distance: ``[b, D, D]`` road km, half the district's width within it.
        roads: one reservoir of traffic a district, or the links of a network.
        transit_ride: ``[b, D, D]`` access, egress and ride, minutes.
        active_time: ``[b, D, D]`` minutes on foot or by bicycle.
        spill: ``[b, D, D]`` production spillover kernel (decay on local travel time).
        air: ``[b, D, D]`` dispersion of emissions; the shares of a source sum to one.
    """

    xy: Tensor
    land: Tensor
    distance: Tensor
    roads: Roads
    transit_ride: Tensor
    active_time: Tensor
    spill: Tensor
    air: Tensor

    @property
    def districts(self) -> int:
        """Number of districts D."""
        return self.land.shape[-1]


def build_geography(
    xy: Tensor, land: Tensor, p: Parameters, plan: StreetPlan | None = None
) -> Geography:
    """Geography from coordinates ``[b, D, 2]`` (km) and land ``[b, D]`` (km2).

    Cars drive on the streets of ``plan``; without one, straight through the districts.
    Spillovers decay on local travel time, taken as 0.35 of the drive time between
    districts (block-level decays of Ahlfeldt et al. 2015 would vanish at this distance).
    """
    districts = land.shape[1]
    straight = torch.cdist(xy, xy)
    own = 0.5 * land.sqrt()
    eye = torch.eye(districts, dtype=land.dtype, device=land.device)
    distance = p.bdk.detour * straight * (1 - eye) + own.unsqueeze(-1) * eye

    minutes = distance * 60 / p.bdk.free_speed
    air = torch.exp(-p.bdk.decay_pol * distance)
    return Geography(
        xy=xy,
        land=land,
        distance=distance,
        roads=straight_roads(xy, distance) if plan is None else build_streets(plan, own, p),
        transit_ride=p.bdk.transit_access + p.bdk.transit_pace * distance,
        active_time=p.bdk.active_pace * distance,
        spill=torch.exp(-p.bdk.decay_agg * p.bdk.local_time * minutes),
        air=air / air.sum(1, keepdim=True),
    )


def straight_roads(xy: Tensor, distance: Tensor) -> Reservoirs:
    """Reservoirs that straight routes of length ``distance`` ``[b, D, D]`` run through.

    Each sampled point of a route belongs to the nearest district centre. Centres that are as
    near share it, as the two ends of a route share its middle: the order of the districts does
    not matter.
    """
    b, districts = distance.shape[:2]
    steps = torch.linspace(0, 1, _SAMPLES, dtype=distance.dtype, device=distance.device)
    incidence = distance.new_zeros(b, districts * districts, districts)
    for step in steps:
        points = xy[:, :, None, :] * (1 - step) + xy[:, None, :, :] * step
        away = torch.cdist(points.reshape(b, -1, 2), xy)
        nearest = (away <= away.amin(-1, keepdim=True) + _AS_NEAR).to(distance.dtype)
        incidence += nearest / (_SAMPLES * nearest.sum(-1, keepdim=True))
    return Reservoirs(incidence * distance.reshape(b, -1, 1))
