"""taxation_v0: a treasury that sets the schedule of income tax, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs import costs
from envs.city.information import BULLETIN
from envs.city.levers import Policy
from envs.city.model import City, Flows
from envs.city.sizes import TYPE_NAMES
from envs.groups import Group
from envs.scenario import Scenario, Scene
from envs.scenarios.levers import action_names, in_force, settings
from envs.scenarios.observables import (
    OWN,
    SHARED,
    against_twin,
    figure_columns,
    per_group,
    revised,
)
from envs.view import View

TREASURY = "treasury"
#: Levers of a schedule: a flat rate alone, or with a rebate for each household type.
SCHEDULES: dict[str, tuple[str, ...]] = {
    "linear": ("income_tax",),
    "types": ("income_tax", "rebate"),
}
_VIEWER = "industry"
_FIGURES = (*SHARED, *OWN["industry"], "income_low", "low_income_share")
_MIX = tuple(f"mix[{name}]" for name in TYPE_NAMES)
_GOALS = ("income_low", "spending_met")
_COSTS = ("deficit", "displacement", "intervention")


@dataclass(frozen=True)
class TaxationV0(Scenario):
    """A tax year after another: one rate of income tax for all, and who gets what back.

    The pooled treasury pays what today's services ask for; a surplus comes back as an equal
    dividend to every resident, so that a higher rate is a revenue-neutral linear tax. Nobody can
    be taxed by head: a rate below today's is paid for by services. Everything else stays at
    today's setting. Welfare counts by Atkinson over the first year's residents: driving the poor
    out is no gain. The treasury also sees the mix of household types in the first year, but no
    calendar: it does not know when the episode ends.

    Attributes:
        schedule: "linear", the rate alone; "types", also a rebate for each household type, which
            others may claim under a false tag.
    """

    months_per_step: int = 12
    horizon: int = 120
    local_weight: float = 0.0
    objective: str = "atkinson"
    aversion: float = 1.0
    population: str = "incumbents"
    schedule: str = "types"

    def problems(self) -> list[str]:
        found = super().problems()
        if self.schedule not in SCHEDULES:
            expected = ", ".join(SCHEDULES)
            found.append(f"schedule={self.schedule!r}: expected one of {expected}")
        return found

    @property
    def levers(self) -> tuple[str, ...]:
        """What the treasury sets."""
        return SCHEDULES[self.schedule]

    def _extra(self) -> tuple[str, ...]:
        """Figures that the option ``bulletin`` adds."""
        return (*BULLETIN, *revised(_FIGURES)) if self.bulletin else ()

    def groups(self, city: City) -> tuple[Group, ...]:
        actions = action_names(self.levers)
        return (
            Group(
                name=TREASURY,
                agents=(TREASURY,),
                observation_names=(
                    *_FIGURES,
                    *_MIX,
                    *(f"lever_{name}" for name in actions),
                    *self._extra(),
                ),
                action_names=actions,
                cost_names=_COSTS,
                budgets=self.budgets(_COSTS),
            ),
        )

    def observe(self, view: View) -> dict[str, Tensor]:
        people = view.city.start.planning.people.sum(1)
        mix = len(TYPE_NAMES) * people / people.sum(-1, keepdim=True) - 1
        figures = figure_columns(view, _VIEWER, _FIGURES)
        columns = [
            *figures,
            *(x.expand_as(view.elapsed) for x in mix.unbind(-1)),
            *in_force(self.levers, view.policy, 1)[:, 0].unbind(-1),
            *figure_columns(view, _VIEWER, self._extra()),
        ]
        return {TREASURY: per_group(torch.stack(columns, -1), 1)}

    def request(self, actions: Mapping[str, Tensor], policy: Policy) -> Policy:
        return dict(policy) | settings(self.levers, actions[TREASURY], policy, self.reach)

    def goals(self, scene: Scene) -> dict[str, Tensor]:
        values = [against_twin(scene, name) for name in _GOALS]
        return {TREASURY: torch.stack(values, -1).mean(-1, keepdim=True)}

    def costs(self, scene: Scene) -> dict[str, Tensor]:
        return {TREASURY: costs.evaluate(_COSTS, scene, self.terms(scene, self.levers), 1)}

    def measures(self, scene: Scene, view: View) -> dict[str, Tensor]:
        """How the tax base answers, in log points against the twin, and what comes back.

        ``base`` is declared income, the sum of ``population``, ``earnings`` (gross pay a head:
        hours, wages, and who lives here) and ``honesty`` (the share that is declared);
        ``net_rate`` is one minus the rate in force; their ratio is the elasticity of taxable
        income. ``rate`` in force; ``demogrant``: the equal dividend, share of mean gross pay.
        """
        mine, twin = _tax_base(scene.flows), _tax_base(scene.twin_flows)
        answer = {name: torch.log(mine[name] / twin[name]) for name in mine}
        declared = [1 - s.treasury.evasion[:, 0] for s in (scene.state, scene.twin_state)]
        answer["honesty"] = torch.log(declared[0] / declared[1])
        rates = [f.fiscal.policy["income_tax"] for f in (scene.flows, scene.twin_flows)]
        pay = mine["population"] * mine["earnings"]
        return {
            "base": torch.stack(list(answer.values())).sum(0),
            **answer,
            "net_rate": torch.log((1 - rates[0]) / (1 - rates[1])),
            "rate": rates[0],
            "demogrant": scene.flows.settlement.dividend / pay,
        }


def _tax_base(flows: Flows) -> dict[str, Tensor]:
    """Residents ``[B]``, and their gross pay a head ``[B]`` k$/month."""
    people = flows.residents.people
    everyone = people.sum((1, 2))
    return {
        "population": everyone,
        "earnings": (people * flows.income.gross).sum((1, 2)) / everyone,
    }
