"""region_v0: the mayors of several cities, who compete for people, talent and industry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs import costs
from envs.city.information import BULLETIN
from envs.city.levers import Policy
from envs.city.lifecycle import figures_of
from envs.city.model import City
from envs.city.sizes import PRIVATE, SECTOR_NAMES
from envs.groups import Group
from envs.regional import MAYORS, RegionalScenario
from envs.scenario import Scenario, Scene, scaled
from envs.scenarios.levers import spread
from envs.scenarios.observables import figure_columns, lever_columns, per_group, revised
from envs.view import View

_VIEWER = "mayor"
_SECTORS = SECTOR_NAMES[:PRIVATE]
_FIGURES = (
    "population",
    "income",
    "output",
    "jobs",
    "capital",
    "unemployment",
    "rent",
    "rent_share",
    "low_income_share",
    "commute_time",
    "revenue",
    "debt_ratio",
    "spending_met",
)
_MEANS = ("population", "income", "output", "unemployment", "rent", "revenue")
_LEVERS = (
    "business_tax",
    "income_tax",
    "subsidy",
    "talent",
    "research",
    "far",
    "release",
    "transit",
    "staff",
)
_RIVALS = tuple(f"lever_{name}" for name in ("business_tax", "income_tax", "subsidy", "talent"))
_COSTS = ("deficit", "emissions", "service_minimum", "displacement", "intervention")


@dataclass(frozen=True)
class Mayor(Scenario):
    """One city of a region: taxes, talent, research, subsidies, housing, transit and services,
    each with one setting for the whole city; business tax has one a sector."""

    def _extra(self) -> tuple[str, ...]:
        """Figures that the options ``life_cycle`` and ``bulletin`` add."""
        works = figures_of(_LEVERS) if self.life_cycle else ()
        return (*works, *BULLETIN, *revised(_FIGURES)) if self.bulletin else works

    def groups(self, city: City) -> tuple[Group, ...]:
        return (
            Group(
                name=MAYORS,
                agents=(_VIEWER,),
                observation_names=(
                    *_FIGURES,
                    "elapsed",
                    *(f"lever_{name}" for name in _LEVERS),
                    *self._extra(),
                ),
                action_names=(*(f"business_tax[{name}]" for name in _SECTORS), *_LEVERS[1:]),
                cost_names=_COSTS,
                budgets=self.budgets(_COSTS),
            ),
        )

    def observe(self, view: View) -> dict[str, Tensor]:
        columns = [
            *figure_columns(view, _VIEWER, _FIGURES),
            view.elapsed,
            *lever_columns(view, _LEVERS),
            *figure_columns(view, _VIEWER, self._extra()),
        ]
        return {MAYORS: per_group(torch.stack(columns, -1), 1)}

    def request(self, actions: Mapping[str, Tensor], policy: Policy) -> Policy:
        raw, result = actions[MAYORS][:, 0], dict(policy)
        result["business_tax"] = scaled("business_tax", raw[:, :PRIVATE], self.reach)
        for name, column in zip(_LEVERS[1:], raw[:, PRIVATE:].unbind(-1), strict=True):
            result[name] = spread(scaled(name, column, self.reach), policy[name])
        return result

    def goals(self, scene: Scene) -> dict[str, Tensor]:
        """None but welfare: the region weighs a mayor's own city itself."""
        return {MAYORS: torch.zeros_like(scene.elapsed).unsqueeze(-1)}

    def costs(self, scene: Scene) -> dict[str, Tensor]:
        return {MAYORS: costs.evaluate(_COSTS, scene, self.terms(scene, _LEVERS), 1)}


@dataclass(frozen=True)
class RegionV0(RegionalScenario):
    """Several cities with a mayor each, coupled by people who move and knowledge that spreads.

    A mayor sees its own city's figures, the region's means, and where the others have set taxes,
    subsidies and talent policy, which are public; figures come as they are published.
    """

    def mayor(self) -> Scenario:
        return Mayor(**self.shared_options() | {"local_weight": 0.0})

    def means(self) -> tuple[str, ...]:
        return _MEANS

    def rivals(self) -> tuple[str, ...]:
        return _RIVALS
