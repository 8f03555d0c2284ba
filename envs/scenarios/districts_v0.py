"""districts_v0: one board per district, a homogeneous group of D governors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs import costs
from envs.city.information import BULLETIN, DISTRICT
from envs.city.levers import LEVERS, Policy
from envs.city.lifecycle import figures_of
from envs.city.model import City
from envs.city.sizes import SERVICE_NAMES
from envs.groups import Group
from envs.scenario import Scenario, Scene, scaled
from envs.scenarios.observables import (
    PLACE,
    against_twin,
    figure_columns,
    place_columns,
    revised,
)
from envs.view import View

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
_LEVERS = ("property_tax", "release", "maintenance")
_GOALS = (("income", 0.5), ("rent_share", 0.25), ("commute_time", 0.25))
_COSTS = tuple(costs.COSTS)
_VIEWER = "boards"


@dataclass(frozen=True)
class DistrictsV0(Scenario):
    """Property tax, service staffing mix, land release and road maintenance by district.

    Each board spends its own property tax plus its first-year grant (``budget="boards"``);
    everything else stays as it is today.
    """

    budget: str = "boards"

    def _extra(self) -> tuple[str, ...]:
        """Figures that the options ``life_cycle`` and ``bulletin`` add."""
        works = figures_of((*_LEVERS, "staff"), local=True) if self.life_cycle else ()
        return (*works, *BULLETIN, *revised(_LOCAL)) if self.bulletin else works

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
                    *PLACE,
                    *(f"lever_{name}" for name in _LEVERS),
                    *(f"lever_staff[{name}]" for name in SERVICE_NAMES),
                    *self._extra(),
                ),
                action_names=(*_LEVERS, *(f"staff[{name}]" for name in SERVICE_NAMES)),
                cost_names=_COSTS,
                budgets=self.budgets(_COSTS),
            ),
        )

    def observe(self, view: View) -> dict[str, Tensor]:
        policy, place = view.policy, place_columns(view, _VIEWER)
        shape = place[0].shape
        shared = [*figure_columns(view, _VIEWER, _SHARED), view.elapsed]
        columns = [
            *(column.unsqueeze(-1).expand(shape) for column in shared),
            *figure_columns(view, _VIEWER, _LOCAL, DISTRICT),
            *place,
            *((policy[name] - LEVERS[name].default) / _range(name) for name in _LEVERS),
            *(policy["staff"] - 1).unbind(-1),
            *figure_columns(view, _VIEWER, self._extra(), DISTRICT),
        ]
        return {_VIEWER: torch.stack(columns, -1)}

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
        """Each board's own district; debt and emissions are everybody's."""
        terms = self.terms(scene, (*_LEVERS, "staff"), "district")
        return {_VIEWER: costs.evaluate(_COSTS, scene, terms, scene.city.districts)}


def _range(lever: str) -> float:
    return LEVERS[lever].high - LEVERS[lever].low
