"""Shared pieces of scenarios: observations from indicators, actions from levers, goals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from envs.city.indicators import change
from envs.city.information import DISTRICT, indicator_of
from envs.city.levers import LEVERS
from envs.city.model import City
from envs.city.sizes import SERVICE_NAMES
from envs.scenario import Scene
from envs.view import View

_REVISED = "revised_"

#: Figures of the city that everybody sees.
SHARED = ("population", "income", "output", "revenue", "debt_ratio", "spending_met")
#: Figures of the city that those who govern a block see.
OWN: dict[str, tuple[str, ...]] = {
    "planning": ("rent", "rent_share", "floor_per_head", "property_value", "low_income_share"),
    "industry": ("jobs", "unemployment", "capital"),
    "services": ("service_load", *(f"quality_{name}" for name in SERVICE_NAMES)),
    "infrastructure": (
        "commute_time",
        "traffic",
        "congestion",
        "transit_trips",
        "road_condition",
        "emissions",
    ),
}
#: What a district is like beside the others.
PLACE = ("share_people", "share_jobs", "density", "distance_to_centre")


def revised(names: Sequence[str]) -> tuple[str, ...]:
    """Names of observations that are a year old and revised."""
    return tuple(f"{_REVISED}{name}" for name in names)


def figure_columns(view: View, viewer: str, names: Sequence[str], place: str = "") -> list[Tensor]:
    """Normalised changes of published figures since the first year ``[B]`` or ``[B, D]`` each.

    Args:
        names: of indicators, or of ``revised`` ones; place: ``DISTRICT`` or nothing.
    """
    return [
        view.change(place + name.removeprefix(_REVISED), viewer, name.startswith(_REVISED))
        for name in names
    ]


def lever_columns(view: View, names: Sequence[str]) -> list[Tensor]:
    """Mean setting in force of levers ``[B]`` each, 0 at today's, 1 at the upper bound."""
    columns = []
    for name in names:
        lever = LEVERS[name]
        value = view.policy[name]
        mean = value.reshape(value.shape[0], -1).mean(-1)
        columns.append((mean - lever.default) / (lever.high - lever.low))
    return columns


def per_group(columns: Tensor, agents: int) -> Tensor:
    """Give every agent of a group the same columns: ``[B, C]`` to ``[B, agents, C]``."""
    return columns.unsqueeze(1).expand(-1, agents, -1)


def against_twin(scene: Scene, name: str, district: bool = False) -> Tensor:
    """An indicator against the twin, in notable changes, signed so that more is better."""
    row = indicator_of(name)
    formula = row.district if district else row.city
    if formula is None:
        raise ValueError(f"indicator {name!r} has no district values")
    value = formula(scene.city, scene.state, scene.flows) if district else scene.value(name)
    twin = formula(scene.city, scene.twin_state, scene.twin_flows)
    return row.better * change(row, value, twin)


def place_columns(view: View, viewer: str) -> list[Tensor]:
    """Columns ``PLACE`` of every district ``[B, D]`` each."""
    city = view.city
    people = view.value(DISTRICT + "population", viewer)
    jobs = view.value(DISTRICT + "jobs", viewer)
    everyone = view.value("population", viewer).unsqueeze(-1)
    every_job = view.value("jobs", viewer).unsqueeze(-1)
    land = city.geography.land
    return [
        people / (everyone / city.districts) - 1,
        torch.log(jobs / (every_job / city.districts)),
        torch.log(people / land / (everyone / land.sum(-1, keepdim=True))),
        _distance_to_jobs(city, city.start.industry.employed).expand(people.shape),
    ]


def _distance_to_jobs(city: City, employed: Tensor) -> Tensor:
    """Distance to the job-weighted centre over its mean, minus one ``[b, D]``."""
    weight = employed / employed.sum(-1, keepdim=True)
    xy = city.geography.xy
    centre = (weight.unsqueeze(-1) * xy).sum(1, keepdim=True)
    distance = (xy - centre).pow(2).sum(-1).sqrt()
    return distance / distance.mean(-1, keepdim=True) - 1
