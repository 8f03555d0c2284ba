"""Assimilation: a year's figures update states, fundamentals and drifts of every member.

Real series move together, so each year is taken in two parts. The city means update what all
districts share (city-wide processes and the mean of every district state), so that 33
districts do not count as 33 independent witnesses; the deviations from the mean update each
district's own states, with the observations of its neighbours tapered (Gaspari & Cohn 1999).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs.city.model import CityState
from envs.city.roads import Roads
from envs.twin.ensemble import Members
from envs.twin.filter import Innovations, etkf, innovation_statistics, letkf
from envs.twin.localisation import observation_weights
from envs.twin.settings import TwinSettings

_DISTRICT_STATES: tuple[tuple[str, str], ...] = (
    ("planning", "people"),
    ("planning", "home_floor"),
    ("planning", "home_rent"),
    ("planning", "work_rent"),
    ("industry", "wage"),
    ("industry", "capital"),
    ("infrastructure", "pace"),
)
_DISTRICT_WORLD = ("productivity", "productivity_drift", "amenity", "amenity_drift")
_CITY_WORLD = (
    "outside",
    "outside_drift",
    "floor_cost",
    "floor_cost_drift",
    "price_level",
    "price_level_drift",
)


@dataclass(frozen=True)
class Update:
    """What an analysis did: the members after it, and the innovations of the city means and of
    the districts before it."""

    members: Members
    city: Innovations
    districts: Innovations


def _levels(roads: Roads, state: CityState) -> Tensor:
    """Log level of each district state ``[N, D, P]`` (types, sectors and links averaged)."""
    columns = []
    for block, name in _DISTRICT_STATES:
        value = getattr(getattr(state, block), name)
        if name == "pace":
            value = roads.district_mean(value, torch.ones_like(value))
        columns.append(torch.log(value if value.dim() == 2 else value.mean(-1)))
    return torch.stack(columns, -1)


def _scale(roads: Roads, state: CityState, change: Tensor) -> CityState:
    """Scale each district state by ``exp(change)`` ``[N, D, P]``."""
    blocks: dict[str, dict[str, Tensor]] = {}
    for column, (block, name) in enumerate(_DISTRICT_STATES):
        value = getattr(getattr(state, block), name)
        factor = torch.exp(change[..., column])
        if name == "pace":
            factor = roads.on_resources(factor)
        scaled = value * (factor if value.dim() == 2 else factor.unsqueeze(-1))
        blocks.setdefault(block, {})[name] = scaled
    planning = blocks["planning"]
    planning["home_pipe"] = state.planning.home_pipe * (
        planning["home_floor"] / state.planning.home_floor
    ).unsqueeze(-1)
    return replace(
        state,
        **{block: replace(getattr(state, block), **values) for block, values in blocks.items()},
    )


def assimilate(
    members: Members,
    predicted: Tensor,
    observed: Tensor,
    settings: TwinSettings,
    series: tuple[str, ...],
    distance: Tensor,
) -> Update:
    """Update an ensemble with one year of observations.

    Args:
        predicted: ``[N, V, D]`` members' log series against the first year.
        observed: ``[V, D]`` the same of the data, NaN where missing.
        distance: ``[D, D]`` km.
    """
    n, v, d = predicted.shape
    error = torch.tensor([settings.series[name].error for name in series], dtype=torch.float64)
    city_predicted, city_observed = _means(predicted, observed)
    count = (~observed.isnan()).sum(-1).clamp_min(1)
    city_variance = error**2 / count + (0.25 * error) ** 2
    own_predicted = (predicted - city_predicted.unsqueeze(-1)).reshape(n, -1)
    own_observed = (observed - city_observed.unsqueeze(-1)).reshape(-1)
    own_variance = (error**2).unsqueeze(-1).expand(v, d).reshape(-1)
    apart = distance * (1 - torch.eye(d, dtype=distance.dtype))
    weights = observation_weights(apart, torch.arange(d).repeat(v), settings.half_width_km)

    world = members.world
    roads = members.city.geography.roads
    levels = _levels(roads, members.state)
    blocks = torch.cat(
        [
            levels,
            torch.stack([getattr(world, name) for name in _DISTRICT_WORLD], -1),
            world.local.transpose(1, 2),
        ],
        -1,
    )
    shared = torch.stack([getattr(world, name) for name in _CITY_WORLD], -1)
    mean = blocks.mean(1)
    whole = torch.cat([shared, world.common, world.common_drift, mean], -1)
    whole = etkf(whole, city_predicted, city_observed, city_variance, settings.inflation)
    widths = [shared.shape[-1], v, v, mean.shape[-1]]
    shared, common, common_drift, mean_after = torch.split(whole, widths, -1)
    own = letkf(
        blocks - mean.unsqueeze(1),
        own_predicted,
        own_observed,
        own_variance,
        weights,
        settings.inflation,
    )
    own = own - own.mean(1, keepdim=True)
    analysed = own + mean_after.unsqueeze(1)

    states = len(_DISTRICT_STATES)
    extra = states + len(_DISTRICT_WORLD)
    fields: dict[str, Tensor] = dict(zip(_CITY_WORLD, shared.unbind(-1), strict=True))
    fields["common"], fields["common_drift"] = common, common_drift
    for column, name in enumerate(_DISTRICT_WORLD):
        fields[name] = analysed[..., states + column]
    fields["local"] = analysed[..., extra:].transpose(1, 2)
    after = Members(
        members.city,
        _scale(roads, members.state, analysed[..., :states] - levels),
        replace(world, **fields),
        members.year,
    )
    return Update(
        members=after,
        city=innovation_statistics(city_predicted, city_observed, city_variance),
        districts=innovation_statistics(own_predicted, own_observed, own_variance),
    )


def _means(predicted: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """City means over the districts that were observed ``[N, V]`` and ``[V]``."""
    seen = (~observed.isnan()).to(predicted.dtype)
    weight = seen / seen.sum(-1, keepdim=True).clamp_min(1)
    means = (observed.nan_to_num() * weight).sum(-1)
    means = torch.where(seen.sum(-1) > 0, means, torch.full_like(means, torch.nan))
    return (predicted * weight).sum(-1), means
