"""What a scenario is made of, as tables that people and machines read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
import yaml

import envs
from agents.schema import closest
from envs.costs import COSTS, LIMITS
from envs.registry import DEFAULT_DISTRICTS, scenarios
from envs.scenario import build
from experiments.checks.check import Subject
from experiments.cities import SYNTHETIC, city_fault
from experiments.errors import InputError

Records = list[dict[str, Any]]
#: Steps of an episode, and synthetic cities, that checks take unless told otherwise.
STEPS, CITIES = 10, 2


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
        {"option": field.name, "default": str(getattr(default, field.name))}
        for field in fields(default)
    ]
    return {
        "governors": governors,
        "constraint costs": costs,
        "limits (option cost_limits)": limits,
        "options": choices,
    }


def subject(name: str, city: str, settings: Sequence[str]) -> Subject:
    """What `scenario check` checks: a scenario in a city, episodes of ten steps unless set.

    Args:
        settings: options of the scenario as KEY=VALUE, values as in YAML.

    Raises:
        InputError: an unknown scenario, city or option, or a bad value.
    """
    known = scenarios()
    if name not in known:
        raise InputError(f"unknown scenario {name!r}; {closest(name, known)}")
    problems = [f"--city: {fault}"] if (fault := city_fault(city)) else []
    problems += [f"{text}: not of the form KEY=VALUE" for text in settings if "=" not in text]
    pairs = [text.split("=", 1) for text in settings if "=" in text]
    options: dict[str, Any] = {key: yaml.safe_load(value) for key, value in pairs}
    options.setdefault("months_per_step", known[name]().months_per_step)
    try:
        options.setdefault("horizon", STEPS * options["months_per_step"])
        build(known[name], options)
    except (TypeError, ValueError) as error:
        problems.append(str(error))
    if problems:
        raise InputError(problems)
    if city == SYNTHETIC:
        options |= {"districts": DEFAULT_DISTRICTS, "cities": CITIES}
    return Subject(name, options | {"city": city})


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
