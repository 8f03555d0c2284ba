"""What a planner could earn who knew each city and its future: a ceiling, not a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor

from agents.planning.ascent import highest

#: Of Adam, in units of a lever's range: at the start, and where it falls to.
RATE, RATE_END = 0.05, 0.005


def climb(
    env: Any,
    seed: int,
    start: Mapping[str, Tensor],
    iterations: int,
    monthly_discount: float,
    tick: Callable[[], None],
) -> dict[str, Tensor]:
    """A plan for each row, by gradient through the row itself with its shocks.

    What is climbed is welfare of the whole with the stocks left at the end, whatever agents are
    paid. The plan that each row is left with is its best on the way; so it is no worse than the
    start, and as a search of so many steps a lower bound of what can be earned.

    Args:
        env: a batched environment that starts at ``seed``.
        start: group -> actions ``[T, B, n, A]`` of every step, row, agent and lever.
        iterations: gradient steps; 0 gives the start back.
        monthly_discount: of welfare.
        tick: called after every step of all rows.
    """

    def value(plan: Mapping[str, Tensor]) -> Tensor:
        env.reset(seed=seed)
        return welfare_of(env, plan, monthly_discount, tick)

    return highest(start, value, iterations, RATE, RATE_END)


def welfare_of(
    env: Any, plan: Mapping[str, Tensor], monthly_discount: float, tick: Callable[[], None]
) -> Tensor:
    """Discounted welfare of every row, months of income, under a plan from now on ``[B]``.

    With what stocks are worth at the end of the episode, where the plan goes on until then.
    """
    step = unwrap(type(env).step)  # environments may step without gradients
    total = torch.zeros(env.num_envs, dtype=env.dtype, device=env.device)
    for number in range(len(next(iter(plan.values())))):
        found = step(env, {name: x[number] for name, x in plan.items()}).info["welfare"]
        weight = monthly_discount ** (number * env.months_per_step)
        total = total + weight * (found["overall"] + found["terminal"])
        tick()
    return total
