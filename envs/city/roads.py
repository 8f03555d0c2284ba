"""The road resources of a city: one reservoir a district, or the links of a network.

Both answer the same questions (MODEL sections 2 and 5(1), (4)): what a trip between two
districts costs, where its traffic goes, and how resources belong to districts. L resources:
the D districts themselves, or links; b is 1 where rows share the network, else B.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.functions import plus, product, push, soft_cap
from envs.city.network import along, expected_cost, onto, route_shares
from envs.city.parameters import Parameters
from envs.city.routes import Routes


@dataclass(frozen=True)
class Choice:
    """What drivers expect and do.

    time: ``[B, D, D]`` minutes on the routes they take; cost: ``[B, D, D]`` generalised minutes of
    the pair, tolls included; toll: ``[B, D, D]`` toll on the routes they take, in units of the
    lever; shares: ``[B, D * D, R]`` of the routes.
    """

    time: Tensor
    cost: Tensor
    toll: Tensor
    shares: Tensor


@dataclass(frozen=True)
class Reservoirs:
    """One reservoir of traffic a district; routes run straight (N0).

    incidence: ``[b, D * D, D]`` km that the route of a pair spends in each district.
    """

    incidence: Tensor

    @property
    def count(self) -> int:
        """Number of resources L."""
        return self.incidence.shape[-1]

    def on_resources(self, values: Tensor) -> Tensor:
        """Values ``[B, D]`` of districts at their resources ``[B, L]``."""
        return values

    def by_district(self, values: Tensor) -> Tensor:
        """Sums ``[B, D]`` of ``values`` ``[B, L]`` over the resources of each district."""
        return values

    def district_mean(self, values: Tensor, weight: Tensor) -> Tensor:
        """Means ``[B, D]`` of ``values`` ``[B, L]`` over the resources of each district."""
        return values

    def free_pace(self, p: Parameters) -> Tensor:
        """Minutes per km ``[b, 1]`` of an empty road in its first condition."""
        return 60 / p.bd.free_speed

    def crowded(self, p: Parameters, load: Tensor) -> Tensor:
        """Time over free time ``[B, L]`` at volumes over capacity ``[B, L]``."""
        capped = soft_cap(load, p.bd.vc_cap, p.bd.vc_power)
        return plus(p.one, (p.bd.bpr_alpha, capped**p.bd.bpr_beta))

    def choose(self, p: Parameters, pace: Tensor, toll: Tensor, toll_minutes: Tensor) -> Choice:
        """The one route of each pair at paces and tolls ``[B, L]`` per km.

        Args:
            toll_minutes: ``[b]`` minutes that are worth one unit of toll.
        """
        districts = pace.shape[1]
        both = torch.stack([pace, toll.expand_as(pace)], 1)
        on_route = product(both, self.incidence.mT).view(-1, 2, districts, districts)
        time, paid = on_route.unbind(1)
        return Choice(
            time=time,
            cost=plus(time, (toll_minutes.reshape(-1, 1, 1), paid)),
            toll=paid,
            shares=pace.new_ones(1, districts * districts, 1),
        )

    def first_capacity(self, p: Parameters, vehicle_km: Tensor) -> Tensor:
        """Veh-km/h ``[B, L]`` at which the first traffic ``[B, L]`` meets the assumed load."""
        return vehicle_km / p.bd.vc

    def traffic(self, shares: Tensor, vehicles: Tensor) -> Tensor:
        """Vehicle-km ``[B, L]`` of trips ``[B, D, D]``."""
        flat = vehicles.reshape(vehicles.shape[0], -1)
        return push(self.incidence, flat)


@dataclass(frozen=True)
class Streets:
    """Links of a network and the local streets of each district (N1).

    The links come first, then one local street a district, which carries the trips within it. A
    link belongs to the district of its tail.

    Attributes:
        owner: ``[1, L]`` district of each link.
        length: ``[b, L]`` km. free: ``[b, L]`` minutes per km of the empty link.
        capacity: ``[b, L]`` veh-km/h relative to one another; 0 where it follows the first load.
        alpha, beta: ``[b, L]`` of the BPR function.
        routes: R alternatives of each pair of districts, row by row.
    """

    owner: Tensor
    length: Tensor
    free: Tensor
    capacity: Tensor
    alpha: Tensor
    beta: Tensor
    routes: Routes

    @property
    def count(self) -> int:
        """Number of resources L."""
        return self.owner.shape[-1]

    @property
    def districts(self) -> int:
        """Number of districts D: their local streets are the last links."""
        return math.isqrt(self.routes.pairs)

    def on_resources(self, values: Tensor) -> Tensor:
        """Values ``[B, D]`` of districts at their links ``[B, L]``."""
        return values[..., self.owner[0]]

    def by_district(self, values: Tensor) -> Tensor:
        """Sums ``[B, D]`` of ``values`` ``[B, L]`` over the links of each district."""
        total = values.new_zeros(*values.shape[:-1], self.districts)
        return total.index_add(-1, self.owner[0], values)

    def district_mean(self, values: Tensor, weight: Tensor) -> Tensor:
        """Means ``[B, D]`` of ``values`` ``[B, L]`` over the links of each district."""
        return self.by_district(weight * values) / self.by_district(weight)

    def free_pace(self, p: Parameters) -> Tensor:
        """Minutes per km ``[b, L]`` of an empty link in its first condition."""
        return self.free

    def crowded(self, p: Parameters, load: Tensor) -> Tensor:
        """Time over free time ``[B, L]`` at volumes over capacity ``[B, L]``."""
        capped = soft_cap(load, p.bd.vc_cap, p.bd.vc_power)
        return plus(p.one, (self.alpha, capped**self.beta))

    def choose(self, p: Parameters, pace: Tensor, toll: Tensor, toll_minutes: Tensor) -> Choice:
        """Route choice by path-size logit at paces and tolls ``[B, L]`` per km.

        Args:
            toll_minutes: ``[b]`` minutes that are worth one unit of toll.
        """
        rows, square = pace.shape[0], (-1, self.districts, self.districts)
        both = torch.cat([pace * self.length, (toll * self.length).expand_as(pace)])
        time, paid = along(self.routes, both).tensor_split((rows,))
        cost = plus(time, (toll_minutes.reshape(-1, 1, 1), paid))
        shares = route_shares(self.routes, cost, p.b.route_scale)
        return Choice(
            time=(shares * time).sum(-1).reshape(square),
            cost=expected_cost(self.routes, cost, p.b.route_scale).reshape(square),
            toll=(shares * paid).sum(-1).reshape(square),
            shares=shares,
        )

    def first_capacity(self, p: Parameters, vehicle_km: Tensor) -> Tensor:
        """Veh-km/h ``[B, L]``: as the network says, on the scale of the first traffic ``[B, L]``.

        The mean load, weighted with traffic, is the assumed one; local streets have it each.
        """
        known = self.capacity > 0
        apart = torch.where(known, self.capacity, 1.0)
        on_links = torch.where(known, vehicle_km, 0.0)
        mean = (on_links * on_links / apart).sum(-1, keepdim=True) / p.bd.vc
        scale = mean / on_links.sum(-1, keepdim=True)
        return torch.where(known, scale * apart, vehicle_km / p.bd.vc)

    def traffic(self, shares: Tensor, vehicles: Tensor) -> Tensor:
        """Vehicle-km ``[B, L]`` of trips ``[B, D, D]`` that take routes by their shares."""
        flat = vehicles.reshape(vehicles.shape[0], -1, 1)
        return onto(self.routes, flat * shares) * self.length


Roads = Reservoirs | Streets
