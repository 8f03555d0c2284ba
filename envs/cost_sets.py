"""Budgets that several governors share: joint costs, and what a Lagrangian learner does with them.

A set names a constraint cost and who answers for it together. Its joint cost is the cost of its
members taken as one actor: of the whole city where the members are whole groups (for what hangs
on levers, those of all members), else the mean over the districts of its members.

Shapes: B rows, n agents of a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.costs import COSTS
from envs.errors import ScenarioError
from envs.groups import Group
from envs.objectives import levers_of
from envs.scenario import Scenario
from envs.scene import Scene


@dataclass(frozen=True)
class CostSet:
    """A constraint cost that some agents share.

    cost: row of ``COSTS``; members: group -> positions of the agents that share it; whole: every
    group is in it with all its agents; budget: what the mean of the joint cost over an episode
    may reach.
    """

    cost: str
    members: dict[str, tuple[int, ...]]
    whole: bool
    budget: float


def cost_sets(options: Scenario, groups: Sequence[Group]) -> tuple[CostSet, ...]:
    """The sets of a scenario's option ``cost_sets``; members are agents, or groups for all theirs.

    Raises:
        ScenarioError: unknown members, or agents of several groups; all in one message.
    """
    found, problems = [], []
    for cost, names in options.cost_sets.items():
        members: dict[str, tuple[int, ...]] = {}
        for group in groups:
            chosen = names if group.name not in names else group.agents
            places = tuple(i for i, agent in enumerate(group.agents) if agent in chosen)
            if places:
                members[group.name] = places
        known = {name for group in groups for name in (group.name, *group.agents)}
        problems += [
            f"cost_sets: {cost}: {name!r} is no agent or group; known: {', '.join(sorted(known))}"
            for name in names
            if name not in known
        ]
        sizes = {group.name: group.size for group in groups}
        whole = all(len(places) == sizes[name] for name, places in members.items())
        if not whole and len(members) > 1:
            problems.append(f"cost_sets: {cost}: agents of several groups share it as whole groups")
        shares = len(members) if whole and COSTS[cost].governor == "all" else 1
        budget = options.cost_budgets.get(cost, COSTS[cost].budget) * shares
        found.append(CostSet(cost, members, whole, budget))
    if problems:
        raise ScenarioError("; ".join(problems))
    return tuple(found)


def joint_costs(
    sets: Sequence[CostSet], groups: Sequence[Group], options: Scenario, scene: Scene
) -> dict[str, Tensor]:
    """Joint cost of every set ``[B]``, by the name of the cost."""
    found = {}
    for joint in sets:
        sharing = [group for group in groups if group.name in joint.members]
        levers = tuple(dict.fromkeys(lever for group in sharing for lever in levers_of(group)))
        terms = options.terms(scene, levers, "" if joint.whole else "district")
        value = COSTS[joint.cost].value(scene, terms)
        if value.dim() > 1:
            (places,) = joint.members.values()
            value = value[:, list(places)].mean(-1)
        found[joint.cost] = value
    return found


def dual_step(
    multipliers: Mapping[str, float],
    means: Mapping[str, float],
    sets: Sequence[CostSet],
    rate: float,
) -> dict[str, float]:
    """Multipliers after a step of dual ascent: ``max(0, lambda + rate (cost - budget))``.

    Args:
        multipliers: by cost, 0 where absent; means: joint costs, means over an episode.
    """
    return {
        joint.cost: max(
            0.0,
            multipliers.get(joint.cost, 0.0) + rate * (means[joint.cost] - joint.budget),
        )
        for joint in sets
    }


def penalised(
    rewards: Mapping[str, Tensor],
    set_costs: Mapping[str, Tensor],
    multipliers: Mapping[str, float],
    sets: Sequence[CostSet],
) -> dict[str, Tensor]:
    """Rewards ``[B, n]`` by group less ``lambda cost`` of every set that an agent shares."""
    result = dict(rewards)
    for joint in sets:
        charge = multipliers.get(joint.cost, 0.0) * set_costs[joint.cost].unsqueeze(-1)
        for name, places in joint.members.items():
            bears = torch.zeros_like(result[name][0])
            bears[list(places)] = 1
            result[name] = result[name] - charge * bears
    return result
