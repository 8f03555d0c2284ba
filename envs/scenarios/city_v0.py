"""city_v0: the four governors of a city, with city-wide levers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs import costs
from envs.city.information import BULLETIN
from envs.city.levers import GOVERNORS, LEVERS, Policy
from envs.city.lifecycle import figures_of
from envs.city.model import City
from envs.city.sizes import SERVICE_NAMES
from envs.groups import Group
from envs.scenario import Scenario, Scene, scaled
from envs.scenarios.observables import (
    against_twin,
    figure_columns,
    lever_columns,
    per_group,
    revised,
    spread,
)
from envs.view import View

_SHARED = ("population", "income", "output", "revenue", "debt_ratio", "spending_met")
_OWN: dict[str, tuple[str, ...]] = {
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
_GOALS: dict[str, tuple[str, ...]] = {
    "planning": ("rent_share",),
    "industry": ("income", "unemployment"),
    "services": tuple(f"quality_{name}" for name in SERVICE_NAMES),
    "infrastructure": ("commute_time", "road_condition"),
}


@dataclass(frozen=True)
class CityV0(Scenario):
    """Planning, industry, services and infrastructure, one governor each.

    A lever has one setting for the whole city; levers by service, sector or household type have
    one action each. ``targeting`` is one action: positive gives low incomes more weight, negative
    less. Who evades or claims under a false tag, governors see in the revenue alone.
    """

    def _levers(self, governor: str) -> list[str]:
        return [
            lever.name
            for lever in LEVERS.values()
            if lever.governor == governor
            and (lever.name != "budget_split" or self.budget == "departments")
        ]

    def _actions(self, governor: str) -> tuple[str, ...]:
        names: list[str] = []
        for name in self._levers(governor):
            parts = LEVERS[name].parts
            names += [f"{name}[{part}]" for part in parts] if parts else [name]
        return tuple(names)

    def _extra(self, governor: str) -> tuple[str, ...]:
        """Figures that the options ``life_cycle`` and ``bulletin`` add."""
        works = figures_of(self._levers(governor)) if self.life_cycle else ()
        told = [name for name, row in BULLETIN.items() if row.subsystem == governor]
        return (*works, *told, *revised(_OWN[governor])) if self.bulletin else works

    def groups(self, city: City) -> tuple[Group, ...]:
        return tuple(
            Group(
                name=governor,
                agents=(governor,),
                observation_names=(
                    *_SHARED,
                    "elapsed",
                    *_OWN[governor],
                    *(f"lever_{x}" for x in self._levers(governor)),
                    *self._extra(governor),
                ),
                action_names=self._actions(governor),
                cost_names=costs.names(governor),
                budgets=self.budgets(costs.names(governor)),
            )
            for governor in GOVERNORS
        )

    def observe(self, view: View) -> dict[str, Tensor]:
        def columns(governor: str) -> list[Tensor]:
            return [
                *figure_columns(view, governor, _SHARED),
                view.elapsed,
                *figure_columns(view, governor, _OWN[governor]),
                *lever_columns(view, self._levers(governor)),
                *figure_columns(view, governor, self._extra(governor)),
            ]

        return {
            governor: per_group(torch.stack(columns(governor), -1), 1) for governor in GOVERNORS
        }

    def request(self, actions: Mapping[str, Tensor], policy: Policy) -> Policy:
        result = dict(policy)
        for governor in GOVERNORS:
            columns = actions[governor][:, 0].unbind(-1)
            column = 0
            for name in self._levers(governor):
                like = policy[name]
                parts = LEVERS[name].parts
                if parts:
                    cells = torch.stack(columns[column : column + len(parts)], -1)
                    value = scaled(name, cells, self.reach)
                    while value.dim() < like.dim():
                        value = value.unsqueeze(1)
                    result[name] = value.expand_as(like)
                    column += len(parts)
                elif name == "targeting":
                    kinds = like.shape[1]
                    level = torch.linspace(1, -1, kinds, dtype=like.dtype, device=like.device)
                    tilt = (self.reach * columns[column]).reshape(-1, 1, 1)
                    result[name] = (2 ** (tilt * level.reshape(1, -1, 1))).expand_as(like)
                    column += 1
                else:
                    result[name] = spread(scaled(name, columns[column], self.reach), like)
                    column += 1
        return result

    def goals(self, scene: Scene) -> dict[str, Tensor]:
        return {
            governor: torch.stack(
                [against_twin(scene, name) for name in _GOALS[governor]], -1
            ).mean(-1, keepdim=True)
            for governor in GOVERNORS
        }

    def costs(self, scene: Scene) -> dict[str, Tensor]:
        return {
            governor: costs.evaluate(
                costs.names(governor), scene, self.terms(scene, self._levers(governor)), 1
            )
            for governor in GOVERNORS
        }
