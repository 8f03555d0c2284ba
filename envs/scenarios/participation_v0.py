"""participation_v0: a city that provides services, and citizen panels that speak up and help.

One panel a district: services are staffed, built and helped along district by district, so that
a panel says where something is short, which complaints do not; and residents of all types in a
district share its queues, so that a panel speaks for those who stay silent too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs import costs
from envs.city.functions import FLOOR
from envs.city.information import BULLETIN, DISTRICT, HOTLINE
from envs.city.levers import LEVERS, Policy
from envs.city.lifecycle import figures_of
from envs.city.model import City, Flows
from envs.city.sizes import SERVICE_NAMES, SERVICES, TYPE_NAMES
from envs.groups import Group
from envs.scenario import Scenario, Scene, scaled
from envs.scenarios.levers import tilted
from envs.scenarios.observables import (
    against_twin,
    figure_columns,
    lever_columns,
    per_group,
    revised,
)
from envs.view import View

CITY, PANELS = "city", "panels"
#: The city reads statistics as the services department does.
_READER = "services"
#: Shortfall of quality, log points, of which a voice of one speaks.
FULL_VOICE = 0.3
#: Change of a panel's welfare, log points, that counts as one in its reward.
NOTABLE = 0.01
#: Types that complain less than they feel.
SILENT = 3
#: Utility regained, log points, that is more than rounding.
FELT = 1e-6

_QUALITIES = tuple(f"quality_{name}" for name in SERVICE_NAMES)
_CITY_FIGURES = (
    "population",
    "income",
    "revenue",
    "debt_ratio",
    "spending_met",
    "service_load",
    *_QUALITIES,
)
_CITY_LEVERS = ("staff", "facilities", "fee", "targeting", "rebate")
_CITY_COSTS = ("deficit", "service_minimum", "intervention")
#: The qualities come first: what an honest panel speaks of.
_LIVED = (
    *_QUALITIES,
    "service_load",
    "rent",
    "rent_share",
    "income",
    "commute_time",
    "congestion",
    "emissions",
)
_PANEL_COSTS = ("service_minimum",)
_EFFORT = "coproduction"


@dataclass(frozen=True)
class ParticipationV0(Scenario):
    """A city with the levers of services, and panels that voice needs and give time.

    The city sees published figures, complaints as they reach it (the hotline: louder where more
    people complain of what they feel), and what panels say. A panel sees its own district as it
    is, and need not say what it sees: a voice of 1 claims a quality of a service ``FULL_VOICE``
    log points below the first year's, and the reward of a panel mixes its own district's
    welfare with that of the whole (``local_weight``). The time that residents give to a service
    raises its capacity in their district, at a cost in their own welfare (lever
    ``coproduction``).

    The city staffs services district by district; its other levers are city-wide.
    """

    local_weight: float = 0.5
    information: float = 0.5

    def _extra(self) -> tuple[str, ...]:
        """Figures that the options ``life_cycle`` and ``bulletin`` add for the city."""
        works = figures_of(_CITY_LEVERS) if self.life_cycle else ()
        told = [name for name, row in BULLETIN.items() if row.subsystem == _READER]
        return (*works, *told, *revised(_QUALITIES)) if self.bulletin else works

    def groups(self, city: City) -> tuple[Group, ...]:
        places = [f"{i:02d}" for i in range(city.districts)]
        everywhere = [f"{name}_{place}" for place in places for name in SERVICE_NAMES]
        return (
            Group(
                name=CITY,
                agents=(CITY,),
                observation_names=(
                    *_CITY_FIGURES,
                    "elapsed",
                    *(f"lever_{name}" for name in (*_CITY_LEVERS, _EFFORT)),
                    *(f"complaints_{place}" for place in places),
                    *(f"voice_{name}" for name in everywhere),
                    *self._extra(),
                ),
                action_names=(
                    *(f"staff[{name}]" for name in everywhere),
                    *(f"facilities[{name}]" for name in SERVICE_NAMES),
                    *(f"fee[{name}]" for name in SERVICE_NAMES),
                    "targeting",
                    *(f"rebate[{name}]" for name in TYPE_NAMES),
                ),
                cost_names=_CITY_COSTS,
                budgets=self.budgets(_CITY_COSTS),
            ),
            Group(
                name=PANELS,
                agents=tuple(f"panel_{place}" for place in places),
                observation_names=(
                    *_LIVED,
                    "elapsed",
                    "share_people",
                    "share_silent",
                    *(f"lever_staff[{name}]" for name in SERVICE_NAMES),
                    *(f"lever_{_EFFORT}[{name}]" for name in SERVICE_NAMES),
                    *(f"voice_{name}" for name in SERVICE_NAMES),
                ),
                action_names=(
                    *(f"voice[{name}]" for name in SERVICE_NAMES),
                    *(f"{_EFFORT}[{name}]" for name in SERVICE_NAMES),
                ),
                cost_names=_PANEL_COSTS,
                budgets=self.budgets(_PANEL_COSTS),
            ),
        )

    def witnesses(self) -> tuple[str, ...]:
        return (PANELS,)

    def say(self, actions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What each panel says it lacks ``[B, D, H]``."""
        return {"voice": actions[PANELS][..., :SERVICES]}

    def observe(self, view: View) -> dict[str, Tensor]:
        return {CITY: self._seen_by_city(view), PANELS: self._lived_by_panels(view)}

    def _seen_by_city(self, view: View) -> Tensor:
        columns = [
            *figure_columns(view, _READER, _CITY_FIGURES),
            view.elapsed,
            *lever_columns(view, (*_CITY_LEVERS, _EFFORT)),
            *figure_columns(view, _READER, (HOTLINE.name,), DISTRICT)[0].unbind(-1),
            *view.said["voice"].flatten(1).unbind(-1),
            *figure_columns(view, _READER, self._extra()),
        ]
        return per_group(torch.stack(columns, -1), 1)

    def _lived_by_panels(self, view: View) -> Tensor:
        people = view.value("district:population", PANELS)
        first = view.city.start.planning.people
        silent = first[..., :SILENT].sum(-1) / first.sum(-1)
        effort = LEVERS[_EFFORT]
        columns = [
            *figure_columns(view, PANELS, _LIVED, DISTRICT),
            view.elapsed.unsqueeze(-1).expand_as(people),
            people * view.city.districts / people.sum(-1, keepdim=True) - 1,
            silent.expand_as(people),
            *(view.policy["staff"] - 1).unbind(-1),
            *(view.policy[_EFFORT] / effort.high).unbind(-1),
            *view.said["voice"].unbind(-1),
        ]
        return torch.stack(columns, -1)

    def request(self, actions: Mapping[str, Tensor], policy: Policy) -> Policy:
        raw, result = actions[CITY][:, 0], dict(policy)
        staff, facilities, fee, targeting, rebate = torch.split(
            raw, [policy["staff"][0].numel(), SERVICES, SERVICES, 1, len(TYPE_NAMES)], -1
        )
        result["staff"] = scaled("staff", staff.reshape(policy["staff"].shape), self.reach)
        wide = scaled("facilities", facilities, self.reach).unsqueeze(1)
        result["facilities"] = wide.expand_as(policy["facilities"])
        result["fee"] = scaled("fee", fee, self.reach)
        result["rebate"] = scaled("rebate", rebate, self.reach)
        result["targeting"] = tilted(self.reach * targeting[:, 0], policy["targeting"])
        result[_EFFORT] = scaled(_EFFORT, actions[PANELS][..., SERVICES:], self.reach)
        return result

    def goals(self, scene: Scene) -> dict[str, Tensor]:
        """The city: quality of services; a panel: the welfare of its own district, time given
        included, both against the twin."""
        quality = [against_twin(scene, name) for name in _QUALITIES]
        people = scene.flows.residents.people
        lived = scene.flows.value.welfare - scene.twin_flows.value.welfare
        own = (people * lived).sum(-1) / people.sum(-1)
        return {
            CITY: torch.stack(quality, -1).mean(-1, keepdim=True),
            PANELS: own / NOTABLE,
        }

    def costs(self, scene: Scene) -> dict[str, Tensor]:
        """Debt, needs and meddling are the city's; a panel answers for its own district."""
        here = self.terms(scene, (_EFFORT,), "district")
        districts = scene.city.districts
        return {
            CITY: costs.evaluate(_CITY_COSTS, scene, self.terms(scene, _CITY_LEVERS), 1),
            PANELS: costs.evaluate(_PANEL_COSTS, scene, here, districts),
        }

    def measures(self, scene: Scene, view: View) -> dict[str, Tensor]:
        """What complaints and voices tell of true needs, and who goes short.

        Rank correlations over districts with the utility that residents lose to short services:
        of ``complaints`` as they reach the city, and of ``voices``; and over districts and
        services of ``voices_by_service`` with shortfalls. ``exaggeration``: mean voice over the
        truth. ``relief_silent`` and ``relief_others``: utility, log points, that the types that
        complain least and the rest have regained against the status quo, in districts where it
        leaves services short; ``reached_silent`` and ``reached_others``: the shares of them that
        have regained any. ``hours`` that a resident gives a month.
        """
        short, voice = shortfall(scene, scene.flows), scene.said["voice"]
        worth = scene.city.parameters.bd.om_service.unsqueeze(1)
        need = (worth * short).sum(-1)
        heard = view.value(DISTRICT + HOTLINE.name, _READER) - view.start[DISTRICT + HOTLINE.name]
        people = scene.flows.residents.people
        left = (worth * shortfall(scene, scene.twin_flows)).sum(-1)
        relief = torch.where(left > 0, left - need, 0.0)
        groups = {"silent": people[..., :SILENT].sum(-1), "others": people[..., SILENT:].sum(-1)}
        needy = {name: (group * (left > 0)).sum(-1) for name, group in groups.items()}
        given = scene.flows.fiscal.policy[_EFFORT].sum(-1)
        return {
            "complaints": rank_correlation(heard, need),
            "voices": rank_correlation((worth * voice).sum(-1), need),
            "voices_by_service": rank_correlation(voice.flatten(1), short.flatten(1)),
            "exaggeration": (voice - truthful(short)).mean((1, 2)),
            **{
                f"relief_{name}": (relief * group).sum(-1) / group.sum(-1)
                for name, group in groups.items()
            },
            **{
                f"reached_{name}": (group * (relief > FELT)).sum(-1) / needy[name].clamp_min(1.0)
                for name, group in groups.items()
            },
            "hours": (given * people.sum(-1)).sum(-1) / people.sum((1, 2)),
        }


def shortfall(scene: Scene, flows: Flows) -> Tensor:
    """How far the quality met is below the first year's ``[B, D, H]``, log points."""
    first = [scene.start[f"{DISTRICT}{name}"] for name in _QUALITIES]
    return -torch.log(flows.services.access / torch.stack(first, -1))


def truthful(short: Tensor) -> Tensor:
    """The voice in [-1, 1] that says what is so."""
    return (short / FULL_VOICE).clamp(-1, 1)


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rank correlation ``[B]`` of ``[B, n]`` pairs; 0 where either does not vary."""
    ranks = []
    for values in (a, b):
        order = values.argsort(-1).argsort(-1).to(b.dtype)
        varies = values.amax(-1, keepdim=True) - values.amin(-1, keepdim=True) > FLOOR
        ranks.append(torch.where(varies, order - order.mean(-1, keepdim=True), 0.0))
    size = (ranks[0].pow(2).sum(-1) * ranks[1].pow(2).sum(-1)).sqrt()
    return (ranks[0] * ranks[1]).sum(-1) / size.clamp_min(FLOOR)
