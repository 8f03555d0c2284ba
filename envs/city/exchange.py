"""What cities of a region do to each other: people move between them, knowledge spreads.

Cities are rows of one batch, N to a region, the members of a region next to each other. They meet
only in what the world does to each (``envs.city.shocks``): people who arrive, and productivity.
MODEL section 14: cities exchange migrants through a pool.

Shapes: R regions, N members, B = R N rows, K household types, Q tags.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from envs.city import planning, tags
from envs.city.model import City, CityState, Flows
from envs.city.parameters import Parameters


def standing(city: City, state: CityState) -> Tensor:
    """How much better each type thinks of each city than it did at first ``[B, K]``, log points;
    what recruiting promises included."""
    p, s, f = city.parameters, state.planning, city.fundamentals
    _, expected = planning.location_choice(p, s.perceived, s.home_floor)
    promised = tags.pull(p, f.industry.type_tags, state.industry.tags)
    return expected + promised - f.planning.outside


def migration(city: City, state: CityState, members: int, mobility: float) -> Tensor:
    """People who come from the other members in a month, share of residents by type ``[B, K]``.

    Between two members, ``mobility chi N_i N_j / sum N bound tanh((g_i - g_j) / bound)`` people of
    a type move to i, with ``g`` its standing: what one gains the other loses, so that the sum
    over a region is zero. For small gaps it is the response of an open city to what a type finds
    elsewhere, which here is the mean standing of the region (the pool).
    """
    p = city.parameters
    gained = _by_region(standing(city, state), members)
    people = _by_region(state.planning.people.sum(1), members)
    speed = _of_region(mobility * p.b.chi * p.b.migration_bound, gained)
    bound = _of_region(p.b.migration_bound, gained)
    gaps = (gained.unsqueeze(2) - gained.unsqueeze(1)) / bound.unsqueeze(1)
    share = (people / people.sum(1, keepdim=True)).unsqueeze(1)
    return (speed * (share * torch.tanh(gaps)).sum(2)).flatten(0, 1)


def likeness(city: City, state: CityState, flows: Flows, members: int) -> Tensor:
    """How useful what one member knows is to another ``[R, N, N]``: 1 for itself.

    Falls with the distance of their tags: the mean tag of a city's jobs, and its drift.
    """
    jobs = flows.market.employed.sum(1)
    share = (jobs / jobs.sum(-1, keepdim=True)).unsqueeze(1)
    marks = torch.matmul(share, city.fundamentals.industry.sector_tags).squeeze(1)
    places = _by_region(marks + state.industry.tags, members)
    apart = (places.unsqueeze(2) - places.unsqueeze(1)).pow(2).sum(-1)
    return torch.exp(-apart / _of_region(city.parameters.b.tag_distance, apart) ** 2)


def spilled(city: City, state: CityState, flows: Flows, members: int, spill: float) -> Tensor:
    """Log productivity ``[B]`` that the others' knowledge brings.

    ``spill`` times the mean over the other members of what research has added there, weighted by
    likeness; a member alone has none (strength assumed).
    """
    alike = likeness(city, state, flows, members)
    others = alike * (1 - torch.eye(members, dtype=alike.dtype, device=alike.device))
    known = _by_region(state.industry.knowledge, members)
    mean = torch.matmul(others, known.unsqueeze(-1)).squeeze(-1) / max(members - 1, 1)
    return (spill * mean).flatten()


def closed(city: City) -> City:
    """The same cities where nobody moves for what is found elsewhere (``chi`` is nothing)."""
    values = city.parameters.values
    still = {"chi": torch.zeros_like(values["chi"])}
    return replace(city, parameters=Parameters(values | still))


def _by_region(values: Tensor, members: int) -> Tensor:
    """``[B, ...]`` as ``[R, N, ...]``."""
    return values.reshape(-1, members, *values.shape[1:])


def _of_region(values: Tensor, like: Tensor) -> Tensor:
    """Mean over the members of a parameter ``[b]``, as ``[r, 1, 1]``."""
    wide = values if values.shape[0] == 1 else _by_region(values, like.shape[1]).mean(1)
    return wide.reshape(-1, 1, 1)
