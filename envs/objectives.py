"""What a reward is made of: the objective, whose welfare counts, and named parts (MODEL section 9).

The flow of welfare is a share of the first year's income a month. ``utilitarian`` is a population
measure of ``Welfare``; the other objectives are equally-distributed-equivalent incomes of the
consumption ``c_ik`` of those who live in the city, over the mean income of the first year: all
are money, and all count against the paired twin.

Shapes: B rows, n agents of a group, R parts of a reward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs.city import welfare
from envs.city.levers import LEVERS
from envs.costs import COSTS
from envs.groups import Group
from envs.scenario import Scenario
from envs.scene import Scene

#: Reward per month of income (fixed, so that returns are of order one to ten).
REWARD_SCALE = 10.0
#: Parts of a reward that are earned; the costs follow, each with a minus.
EARNED = ("whole", "stocks", "own")
PRICED = "intervention"


@dataclass(frozen=True)
class Objective:
    """What a month's welfare counts as ``[B]``, share of the first year's income.

    name: of ``welfare.OBJECTIVES``; aversion: to inequality, of the objective "atkinson";
    population: whose welfare the objective "utilitarian" counts. "gini" counts those who live in
    the city now, and so do the others unless it is "incumbents": those of the first year, by type.
    """

    name: str
    aversion: float
    population: str

    def __call__(self, now: welfare.Welfare, ref: welfare.Reference) -> Tensor:
        if self.name == "utilitarian":
            return welfare.measured(now, ref, self.population)
        base = ref.total / ref.people.sum(-1)
        if self.name == "gini":
            return welfare.gini_equivalent(now.consumption, now.people) / base
        aversion = self.aversion if self.name == "atkinson" else welfare.ATKINSON[self.name]
        if self.population == "incumbents":
            return welfare.settled_equivalent(now, ref, aversion) / base
        return now.atkinson(aversion) / base

    @property
    def shadow(self) -> welfare.Measure:
        """What co-states price stocks by: the critical level gives way to those of the first
        year, whose number does not hang on the stocks."""
        return "incumbents" if (self.name, self.population) == ("utilitarian", "total") else self


def objective(options: Scenario) -> Objective:
    """The objective that a scenario's options ask for."""
    return Objective(options.objective, options.aversion, options.population)


def levers_of(group: Group) -> tuple[str, ...]:
    """Levers that a group's actions move, by the names of the actions."""
    names = (name.partition("[")[0] for name in group.action_names)
    return tuple(dict.fromkeys(name for name in names if name in LEVERS))


def with_parts(group: Group, options: Scenario) -> Group:
    """A group that says what its rewards are made of, and with which weights."""
    costs = tuple(dict.fromkeys((*group.cost_names, PRICED)))
    mix = options.local_weight
    prices = [options.intervention_price if name == PRICED else 0.0 for name in costs]
    return replace(
        group,
        reward_names=(*EARNED, *(f"cost_{name}" for name in costs)),
        reward_weights=(1 - mix, 1 - mix, mix, *prices),
    )


@dataclass(frozen=True)
class Rewards:
    """Rewards of a step by group ``[B, n]``, and their parts ``[B, n, R]``."""

    total: dict[str, Tensor]
    parts: dict[str, Tensor]


def rewards(
    groups: Sequence[Group],
    options: Scenario,
    scene: Scene,
    flow: Tensor,
    stocks: Tensor,
    goals: Mapping[str, Tensor],
    costs: Mapping[str, Tensor],
) -> Rewards:
    """What every agent earns in a step.

    Args:
        flow, stocks: ``[agents of all groups or 1, B]`` credit for welfare and for stocks, months
            of income; goals: ``[B, n]``; costs: ``[B, n, C]``, by group.
    """
    mix, price = options.local_weight, options.intervention_price
    total, parts = {}, {}
    whole, first = REWARD_SCALE * (flow + stocks), 0
    for group in groups:
        own = goals[group.name]
        members = slice(first, first + group.size) if len(whole) > 1 else slice(0, 1)
        first += group.size
        moved = _intervention(group, options, scene, costs[group.name])
        earned = (1 - mix) * whole[members].T + mix * own
        total[group.name] = earned - price * moved if price else earned
        columns = [
            (REWARD_SCALE * flow[members]).T.expand_as(own),
            (REWARD_SCALE * stocks[members]).T.expand_as(own),
            own,
            *(-costs[group.name]).unbind(-1),
        ]
        if PRICED not in group.cost_names:
            columns.append(-moved.expand_as(own))
        parts[group.name] = torch.stack(columns, -1)
    return Rewards(total, parts)


def _intervention(group: Group, options: Scenario, scene: Scene, costs: Tensor) -> Tensor:
    """What a group's agents move of their own levers ``[B, n]`` (MODEL section 6, elasticity)."""
    if PRICED in group.cost_names:
        return costs[..., group.cost_names.index(PRICED)]
    axis = "district" if group.size == scene.city.districts else ""
    terms = options.terms(scene, levers_of(group), axis)
    value = COSTS[PRICED].value(scene, terms)
    return value if value.dim() > 1 else value.unsqueeze(-1)
