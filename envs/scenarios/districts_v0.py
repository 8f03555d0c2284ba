"""districts_v0: one board per district, a homogeneous group of D governors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.indicators import INDICATORS, change
from envs.city.levers import LEVERS, Policy
from envs.city.model import City
from envs.city.sizes import SERVICE_NAMES
from envs.groups import Group
from envs.scenario import Scenario, Scene, scaled
from envs.scenarios.observables import (
    COST_BUDGETS,
    against_twin,
    per_group,
    shared_columns,
    stack_costs,
)

_SHARED = ("population", "income", "output", "debt_ratio", "spending_met", "unemployment")
_LOCAL = (
    "population",
    "income",
    "rent",
    "rent_share",
    "property_value",
    "jobs",
    "service_load",
    *(f"quality_{name}" for name in SERVICE_NAMES),
    "commute_time",
    "congestion",
    "road_condition",
)
_PLACE = ("share_people", "share_jobs", "density", "distance_to_centre")
_LEVERS = ("property_tax", "release", "maintenance")
_GOALS = (("income", 0.5), ("rent_share", 0.25), ("commute_time", 0.25))
_COSTS = ("service_minimum", "displacement")


@dataclass(frozen=True)
class DistrictsV0(Scenario):
    """Property tax, service staffing mix, land release and road maintenance by district.

    Each board spends its own property tax plus its first-year grant (``budget="boards"``);
    everything else stays as it is today.
    """

    budget: str = "boards"

    def groups(self, city: City) -> tuple[Group, ...]:
        agents = tuple(f"board_{i:02d}" for i in range(city.districts))
        return (
            Group(
                name="boards",
                agents=agents,
                observation_names=(
                    *(f"city_{name}" for name in _SHARED),
                    "elapsed",
                    *_LOCAL,
                    *_PLACE,
                    *(f"lever_{name}" for name in _LEVERS),
                    *(f"lever_staff[{name}]" for name in SERVICE_NAMES),
                ),
                action_names=(*_LEVERS, *(f"staff[{name}]" for name in SERVICE_NAMES)),
                cost_names=_COSTS,
                budgets=tuple(COST_BUDGETS[name] for name in _COSTS),
            ),
        )

    def observe(self, scene: Scene) -> dict[str, Tensor]:
        city, state, flows = scene.city, scene.state, scene.flows
        start = city.start
        columns: list[Tensor] = []
        for name in _LOCAL:
            row = INDICATORS[name]
            if row.district is None:
                raise ValueError(f"indicator {name!r} has no district values")
            value = row.district(city, state, flows)
            base = scene.start[f"district:{name}"]
            columns.append(change(row, value, base))
        people = flows.residents.people.sum(-1)
        land = city.geography.land
        centre = _distance_to_jobs(city, start.industry.employed)
        shape = people.shape
        columns += [
            people / people.mean(-1, keepdim=True) - 1,
            torch.log(flows.market.jobs / flows.market.jobs.mean(-1, keepdim=True)),
            torch.log(people / land / (people.sum(-1) / land.sum(-1)).unsqueeze(-1)),
            centre[: shape[0]].expand(shape) if centre.shape[0] == 1 else centre[: shape[0]],
        ]
        policy = state.treasury.policy
        for name in _LEVERS:
            lever = LEVERS[name]
            columns.append((policy[name] - lever.default) / (lever.high - lever.low))
        columns += list((policy["staff"] - 1).unbind(-1))
        shared = per_group(shared_columns(scene, _SHARED), shape[1])
        return {"boards": torch.cat([shared, torch.stack(columns, -1)], -1)}

    def request(self, actions: Mapping[str, Tensor], policy: Policy) -> Policy:
        raw = actions["boards"]
        result = dict(policy)
        for column, name in enumerate(_LEVERS):
            result[name] = scaled(name, raw[..., column], self.reach)
        result["staff"] = scaled("staff", raw[..., len(_LEVERS) :], self.reach)
        return result

    def goals(self, scene: Scene) -> dict[str, Tensor]:
        parts = [weight * against_twin(scene, name, district=True) for name, weight in _GOALS]
        return {"boards": torch.stack(parts).sum(0)}

    def costs(self, scene: Scene) -> dict[str, Tensor]:
        return {"boards": per_group(stack_costs(scene, _COSTS), scene.city.districts)}


def _distance_to_jobs(city: City, employed: Tensor) -> Tensor:
    """Distance to the job-weighted centre over its mean, minus one ``[b, D]``."""
    weight = employed / employed.sum(-1, keepdim=True)
    xy = city.geography.xy
    centre = (weight.unsqueeze(-1) * xy).sum(1, keepdim=True)
    distance = (xy - centre).pow(2).sum(-1).sqrt()
    return distance / distance.mean(-1, keepdim=True) - 1
