"""What a scenario is made of, as tables that people and machines read."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch

import envs
from agents.schema import closest
from envs.costs import COSTS, LIMITS
from envs.registry import DEFAULT_DISTRICTS, scenarios
from envs.scenario import accepts
from experiments.cities import SYNTHETIC, city_fault
from experiments.errors import InputError

Records = list[dict[str, Any]]


def describe(name: str, city: str) -> dict[str, Records]:
    """Groups, constraint costs, the limits in their formulas and the options of a scenario.

    Args:
        city: by name or folder; decides how many districts there are, and today's costs.

    Raises:
        InputError: an unknown scenario or city.
    """
    known = scenarios()
    if name not in known:
        raise InputError(f"unknown scenario {name!r}; {closest(name, known)}")
    if fault := city_fault(city):
        raise InputError(f"--city: {fault}")
    options: dict[str, Any] = {"dynamics": "steady", "terminal": "tail"}
    if city == SYNTHETIC:
        options |= {"districts": DEFAULT_DISTRICTS, "cities": 1}
    env = envs.make(name, city=city, **options)
    today = _today(env)
    governors = [
        {
            "group": group.name,
            "agents": str(len(group.agents)),
            "observations": list(group.observation_names),
            "levers": list(group.action_names),
        }
        for group in env.groups
    ]
    carriers = {name: [group for group in env.groups if name in group.cost_names] for name in COSTS}
    costs = [
        {
            "cost": name,
            "group": [group.name for group in groups],
            "budget": float(groups[0].budgets[groups[0].cost_names.index(name)]),
            "today": sum(today[group.name][name] for group in groups) / len(groups),
            "unit": COSTS[name].unit,
            "formula": COSTS[name].formula,
        }
        for name, groups in carriers.items()
        if groups
    ]
    used = {limit for name, groups in carriers.items() if groups for limit in COSTS[name].limits}
    limits = [
        {
            "limit": limit.name,
            "value": float(limit.default),
            "range": f"{limit.low:g} to {limit.high:g}",
            "unit": limit.unit,
            "meaning": limit.meaning,
            "source": limit.source,
        }
        for limit in LIMITS.values()
        if limit.name in used
    ]
    default = known[name]()
    choices = [
        {
            "option": field.name,
            "default": str(getattr(default, field.name)),
            "accepts": accepts(field.name),
        }
        for field in fields(default)
    ]
    return {
        "governors": governors,
        "constraint costs": costs,
        "limits (option cost_limits)": limits,
        "options": choices,
    }


def _today(env: Any) -> dict[str, dict[str, float]]:
    """Costs of the status quo after one step by group and name, mean over a group's agents."""
    quiet = {
        group.name: torch.zeros(1, group.size, len(group.action_names)) for group in env.groups
    }
    with torch.no_grad():
        costs = env.step(quiet).costs
    means = {name: value[0].mean(0).tolist() for name, value in costs.items()}
    return {
        group.name: dict(zip(group.cost_names, means[group.name], strict=True))
        for group in env.groups
    }
