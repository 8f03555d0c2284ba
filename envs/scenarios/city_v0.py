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
from envs.scenario import Scenario, Scene
from envs.scenarios.levers import action_names, settings
from envs.scenarios.observables import (
    OWN,
    SHARED,
    against_twin,
    figure_columns,
    lever_columns,
    per_group,
    revised,
)
from envs.view import View

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

    def _extra(self, governor: str) -> tuple[str, ...]:
        """Figures that the options ``life_cycle`` and ``bulletin`` add."""
        works = figures_of(self._levers(governor)) if self.life_cycle else ()
        told = [name for name, row in BULLETIN.items() if row.subsystem == governor]
        return (*works, *told, *revised(OWN[governor])) if self.bulletin else works

    def groups(self, city: City) -> tuple[Group, ...]:
        return tuple(
            Group(
                name=governor,
                agents=(governor,),
                observation_names=(
                    *SHARED,
                    "elapsed",
                    *OWN[governor],
                    *(f"lever_{x}" for x in self._levers(governor)),
                    *self._extra(governor),
                ),
                action_names=action_names(self._levers(governor)),
                cost_names=costs.names(governor),
                budgets=self.budgets(costs.names(governor)),
            )
            for governor in GOVERNORS
        )

    def observe(self, view: View) -> dict[str, Tensor]:
        def columns(governor: str) -> list[Tensor]:
            return [
                *figure_columns(view, governor, SHARED),
                view.elapsed,
                *figure_columns(view, governor, OWN[governor]),
                *lever_columns(view, self._levers(governor)),
                *figure_columns(view, governor, self._extra(governor)),
            ]

        return {
            governor: per_group(torch.stack(columns(governor), -1), 1) for governor in GOVERNORS
        }

    def request(self, actions: Mapping[str, Tensor], policy: Policy) -> Policy:
        result = dict(policy)
        for governor in GOVERNORS:
            result |= settings(self._levers(governor), actions[governor], policy, self.reach)
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
