"""The best that could be done after a break by one who knows it: the yardstick of regret.

A plan for every city, found by gradient through the city itself with its parameters and its
shocks, from the state that the frozen policy left it in. No governor has that knowledge.

Shapes: C cities (rows), n agents of a group, A levers, T steps that are planned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor

from agents.planning.ascent import ascend
from envs.city import tree
from envs.city.valuation import discount_factor

Actions = dict[str, Tensor]


@dataclass(frozen=True)
class Climb:
    """How plans climb: gradient steps of Adam, learning rate at the start (falls to a tenth), and
    steps until the slope of what is left is worked out anew."""

    iterations: int = 60
    rate: float = 0.05
    renew: int = 15


def best_plan(
    env: Any, moment: Any, start: Sequence[Actions], climb: Climb, tick: Callable[[], None]
) -> list[Actions]:
    """The plan that earns most from a moment on, today's policy after its end.

    Args:
        env: stands where its rows are to be governed at ``moment``; it is left there.
        start: actions of each step ``[C, n, A]`` that the climb begins with.
        tick: called after each gradient step.
    """
    plan = {
        name: torch.stack([step[name] for step in start]).detach().clone().requires_grad_()
        for name in start[0]
    }
    adam = torch.optim.Adam(plan.values(), lr=climb.rate)
    slope: Any = None
    for iteration in range(climb.iterations):
        adam.param_groups[0]["lr"] = climb.rate * (1 - 0.9 * iteration / climb.iterations)
        with torch.enable_grad():
            env.go_back(moment)
            earned, weight = _lived(env, plan)
            if iteration % climb.renew == 0:
                slope = _slope(env)
            ascend(adam, plan, earned + weight * _dot(env.moment().state, slope, env.num_envs))
        tick()
    env.go_back(moment)
    return [{name: x[step].detach() for name, x in plan.items()} for step in range(len(start))]


def _lived(env: Any, plan: Actions) -> tuple[Tensor, Tensor]:
    """Welfare of the planned steps, discounted to their start, and the weight of what follows."""
    step_of = unwrap(type(env).step)  # environments may step without gradients
    beta = discount_factor(env.city)[0] ** env.months_per_step
    total, weight = torch.zeros(()), torch.ones(())
    for step in range(len(next(iter(plan.values())))):
        result = step_of(env, {name: x[step] for name, x in plan.items()})
        total = total + weight * result.info["welfare"]["overall"]
        weight = weight * beta
    return total, weight


def _slope(env: Any) -> Any:
    """Gradient of what the stocks of all rows are worth, as a tree of states."""
    here = env.moment()
    state = tree.tree_map(lambda x: x.detach().requires_grad_(x.is_floating_point()), here.state)
    env.go_back(replace(here, state=state, flows=tree.tree_map(Tensor.detach, here.flows)))
    env.worth().sum().backward()
    env.go_back(here)
    return tree.tree_map(lambda x: torch.zeros_like(x) if x.grad is None else x.grad, state)


def _dot(state: Any, slope: Any, rows: int) -> Tensor:
    """Stocks at their slopes, of the governed rows."""
    parts = zip(tree.leaves(state), tree.leaves(slope), strict=True)
    return sum(
        ((x * s)[:rows].reshape(rows, -1).sum(1) for (_, x), (_, s) in parts), torch.zeros(())
    )
