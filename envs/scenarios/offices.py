"""One block of the city with the offices that govern it, the other blocks held or live.

``planning_v0``, ``industry_v0``, ``services_v0`` and ``infrastructure_v0`` are tables of
offices. A new lever of the block goes to the office that holds what is left. A scenario of another
package is such a table too, with ``goals`` of its own where indicators alone do not say them
(``docs/researchers-hour.md``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from envs import costs
from envs.city.boundary import Boundary
from envs.city.information import BULLETIN, DISTRICT
from envs.city.information import FIGURES as EVERY
from envs.city.levers import LEVERS, Policy
from envs.city.lifecycle import figures_of
from envs.city.model import City
from envs.groups import Group
from envs.scenario import Scenario, Scene
from envs.scenarios.levers import CELLS, OWN, action_names, in_force, settings
from envs.scenarios.observables import OWN as FIGURES
from envs.scenarios.observables import (
    PLACE,
    SHARED,
    against_twin,
    figure_columns,
    per_group,
    place_columns,
    revised,
)
from envs.view import View


@dataclass(frozen=True)
class Office:
    """A group of agents: one agent, or one for each district, service or private sector.

    Attributes:
        name: of the group, and of its agent where there is one.
        goals: its own indicators, which count alike.
        levers: what it holds; () for whatever levers of the block no other office holds.
        axis: "" one agent; "district", "service" or "private": one agent a cell.
        agent: first part of the agents' names where there are several.
        sees: figures beside the city's and the block's; of its own district where agents are
            districts. ``{}`` in ``sees`` and ``goals`` stands for the agent's own cell.
        costs: constraint costs beside its own intervention.
    """

    name: str
    goals: tuple[str, ...]
    levers: tuple[str, ...] = ()
    axis: str = ""
    agent: str = ""
    sees: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        """Whether its agents are districts."""
        return self.axis == "district"

    @property
    def carried(self) -> tuple[str, ...]:
        """Names of its constraint costs."""
        return (*self.costs, "intervention")

    def cells(self, city: City) -> tuple[str, ...]:
        """The cell of each agent; one empty name where there is one agent."""
        if self.local:
            return tuple(f"{i:02d}" for i in range(city.districts))
        return CELLS.get(self.axis, ("",))

    def agents(self, city: City) -> tuple[str, ...]:
        """Names of its agents."""
        return tuple(f"{self.agent}_{cell}" if cell else self.name for cell in self.cells(city))


@dataclass(frozen=True)
class Offices(Scenario):
    """Options of a scenario with one live block.

    Attributes:
        others: what the other blocks do: "replay", what they do under the status quo in the
            same weather, whatever is governed; "frozen", they stand still at the first month (no
            weather reaches services and infrastructure then but a crisis); "rule", they follow
            constant elasticities (``envs.city.rules``); "live".
        coupling: strength in [0, 1] of the other blocks' live response; 0 is ``others`` in
            full, 1 is "live".
    """

    others: str = "replay"
    coupling: float = 0.0

    block: ClassVar[str]
    offices: ClassVar[tuple[Office, ...]]

    def problems(self) -> list[str]:
        found = super().problems() + self.boundary().problems()
        mine = [lever.name for lever in LEVERS.values() if lever.governor == self.block]
        for office in self.offices:
            tables: tuple[tuple[str, Sequence[str], Collection[str]], ...] = (
                ("levers", office.levers, mine),
                ("goals", [name for name in office.goals if "{" not in name], EVERY),
                ("costs", office.costs, costs.COSTS),
            )
            found += [
                f"office {office.name!r}: {what}: {name!r} is unknown; known: {', '.join(known)}"
                for what, names, known in tables
                for name in names
                if name not in known
            ]
        return found

    def boundary(self) -> Boundary:
        return Boundary(self.block, self.others, self.coupling)

    def holdings(self) -> dict[str, tuple[str, ...]]:
        """Levers of each office; every lever of the block has one holder."""
        named = {name for office in self.offices for name in office.levers}
        mine = [
            lever.name
            for lever in LEVERS.values()
            if lever.governor == self.block
            and (lever.name != "budget_split" or self.budget == "departments")
        ]
        return {
            office.name: tuple(
                name
                for name in mine
                if name in office.levers or (not office.levers and name not in named)
            )
            for office in self.offices
        }

    def groups(self, city: City) -> tuple[Group, ...]:
        held = self.holdings()
        return tuple(
            Group(
                name=office.name,
                agents=office.agents(city),
                observation_names=self._names(office, held[office.name]),
                action_names=action_names(held[office.name], office.axis),
                cost_names=office.carried,
                budgets=self.budgets(office.carried),
            )
            for office in self.offices
        )

    def observe(self, view: View) -> dict[str, Tensor]:
        held = self.holdings()
        return {
            office.name: self._columns(view, office, held[office.name]) for office in self.offices
        }

    def request(self, actions: Mapping[str, Tensor], policy: Policy) -> Policy:
        result, held = dict(policy), self.holdings()
        for office in self.offices:
            levers, raw = held[office.name], actions[office.name]
            result |= settings(levers, raw, policy, self.reach, office.axis)
        return result

    def goals(self, scene: Scene) -> dict[str, Tensor]:
        def goal(office: Office, cell: str) -> Tensor:
            values = [against_twin(scene, name.format(cell)) for name in office.goals]
            return torch.stack(values).mean(0)

        found = {}
        for office in self.offices:
            if office.local:
                values = [against_twin(scene, name, district=True) for name in office.goals]
                found[office.name] = torch.stack(values).mean(0)
            else:
                cells = office.cells(scene.city)
                found[office.name] = torch.stack([goal(office, cell) for cell in cells], -1)
        return found

    def costs(self, scene: Scene) -> dict[str, Tensor]:
        held = self.holdings()
        return {
            office.name: costs.evaluate(
                office.carried,
                scene,
                self.terms(scene, held[office.name], office.axis),
                len(office.cells(scene.city)),
            )
            for office in self.offices
        }

    def _names(self, office: Office, levers: tuple[str, ...]) -> tuple[str, ...]:
        actions = (f"lever_{name}" for name in action_names(levers, office.axis))
        extra = self._extra(office, levers)
        if office.local:
            shared = (f"city_{name}" for name in SHARED)
            return (*shared, "elapsed", *office.sees, *PLACE, *actions, *extra)
        sees = (name.format(OWN) for name in office.sees)
        return (*SHARED, "elapsed", *FIGURES[self.block], *sees, *actions, *extra)

    def _columns(self, view: View, office: Office, levers: tuple[str, ...]) -> Tensor:
        """Observations of an office ``[B, n, obs]``, in the order of ``_names``."""
        cells, place = office.cells(view.city), DISTRICT if office.local else ""

        def by_agent(columns: list[Tensor]) -> list[Tensor]:
            """``[B, n, C]`` of columns that all agents share or each has its own of."""
            if not columns:
                return []
            stacked = torch.stack(columns, -1)
            return [per_group(stacked, len(cells)) if stacked.dim() == 2 else stacked]

        shared = [*figure_columns(view, self.block, SHARED), view.elapsed]
        if office.local:
            own = figure_columns(view, self.block, office.sees, DISTRICT)
            own += place_columns(view, self.block)
        else:
            shared += figure_columns(view, self.block, FIGURES[self.block])
            own = [
                torch.stack(figure_columns(view, self.block, [n.format(c) for c in cells]), -1)
                for n in office.sees
            ]
        extra = figure_columns(view, self.block, self._extra(office, levers), place)
        levers_now = in_force(levers, view.policy, len(cells), office.axis)
        return torch.cat([*by_agent(shared), *by_agent(own), levers_now, *by_agent(extra)], -1)

    def _extra(self, office: Office, levers: tuple[str, ...]) -> tuple[str, ...]:
        """Figures that the options ``life_cycle`` and ``bulletin`` add."""
        works = figures_of(levers, office.local) if self.life_cycle else ()
        if not self.bulletin:
            return works
        told = (
            name
            for name, row in BULLETIN.items()
            if row.subsystem == self.block and name not in office.sees
        )
        return (*works, *told, *revised(office.sees if office.local else FIGURES[self.block]))
