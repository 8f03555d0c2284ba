"""A month of a city as the measures read it, and the formulas that several measures share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from envs.city import tree
from envs.city.measures.disturbance import port_coupling
from envs.city.measures.flows import Floats
from envs.city.measures.scaling import Exponent, scaling_exponent
from envs.city.measures.segregation import dissimilarity
from envs.city.measures.spatial import moran, spatial_weights
from envs.city.model import City, CityState, Flows
from envs.city.shocks import no_shocks

T = TypeVar("T")


@dataclass(frozen=True)
class Month:
    """One month of a city: its states before and after, and the ports between."""

    city: City
    before: CityState
    flows: Flows
    after: CityState

    @property
    def people(self) -> Tensor:
        """Residents ``[B, D, K]``."""
        return self.flows.residents.people

    @property
    def trips(self) -> Tensor:
        """Commuters by mode ``[B, D, M, D]``, home to work."""
        commute, people = self.flows.commute, self.people
        workers = self.city.fundamentals.travel.participation.reshape(-1, 1, 1) * people
        pulled = torch.matmul(workers / commute.phi, commute.weight)
        rows, districts = people.shape[:2]
        return (commute.kernel * pulled).reshape(rows, districts, -1, districts)

    @property
    def matches(self) -> Tensor:
        """Workers ``[B, K, S]`` of a type in a sector."""
        offers = self.flows.offers
        least = torch.finfo(offers.attraction.dtype).tiny
        per_pull = self.flows.commute.workers / offers.attraction.clamp_min(least)
        return offers.affinity * torch.einsum("bdk,bds->bks", per_pull, offers.jobs)


Formula = Callable[[Month], Tensor]


def density(m: Month) -> Tensor:
    """Residents per km2 ``[B, D]``."""
    return m.people.sum(-1) / m.city.geography.land


def job_density(m: Month) -> Tensor:
    """Jobs per km2 ``[B, D]``."""
    return m.flows.market.jobs / m.city.geography.land


def income(m: Month) -> Tensor:
    """Disposable income per resident ``[B, D]``."""
    return (m.people * m.flows.income.disposable).sum(-1) / m.people.sum(-1)


def output(m: Month) -> Tensor:
    """Private output ``[B, D]``."""
    return m.flows.market.sales.sum(-1)


def moved(now: Tensor, first: Tensor) -> Tensor:
    """Share ``[B]`` that would have to move back for the first year's pattern to return."""
    return dissimilarity(now.flatten(1), first.expand_as(now).flatten(1))


def commuters_moved(m: Month) -> Tensor:
    """The same of commuters by home, mode and workplace; the first year's are those of the
    city's first month under today's policy."""
    start = m.city.initial(m.people.shape[0])
    like = start.planning.home_rent
    quiet = no_shocks(like.shape[0], m.city.districts, like)
    after, flows = m.city.step(start, {}, quiet)
    return moved(m.trips, Month(m.city, start, flows, after).trips)


def association(values: Formula) -> Formula:
    """Moran's I of a quantity of districts."""
    return lambda m: moran(values(m), spatial_weights(m.city.geography.xy)).index


def association_z(values: Formula) -> Formula:
    """Distance of that index from a random pattern, standard deviations."""
    return lambda m: moran(values(m), spatial_weights(m.city.geography.xy)).z


def _column(values: Iterable[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)


def by_city(read: Callable[[Floats], T], value: Callable[[T], float]) -> Formula:
    """A measure of the commuting flows (all modes, home to work), city by city."""

    def formula(m: Month) -> Tensor:
        rows = m.trips.sum(2).double().cpu().numpy()
        return _column(value(read(row)) for row in rows)

    return formula


def exponents(m: Month, quantity: Formula) -> list[Exponent]:
    """Exponent of a district's quantity on the people present, residents and jobs, by city.

    Residents alone would say little of a centre where nobody lives and everybody works.
    """
    present = m.people.sum(-1) + m.flows.market.jobs
    sizes, values = present.cpu().numpy(), quantity(m).cpu().numpy()
    return [scaling_exponent(x, y) for x, y in zip(sizes, values, strict=True)]


def exponent(quantity: Formula) -> Formula:
    """That exponent ``[B]``."""
    return lambda m: _column(fit.exponent for fit in exponents(m, quantity))


def exponent_error(quantity: Formula) -> Formula:
    """Its standard error ``[B]``."""
    return lambda m: _column(fit.error for fit in exponents(m, quantity))


def mean_coupling(m: Month) -> Tensor:
    """Mean port coupling over pairs of blocks ``[B]``, in float64."""
    city, after = m.city.to(torch.float64), tree.to(m.after, torch.float64)
    found = []
    for row in range(after.treasury.debt.shape[0]):
        index = torch.tensor([row])
        found.append(port_coupling(city.select(index), tree.take(after, index)).nanmean())
    return torch.stack(found)
