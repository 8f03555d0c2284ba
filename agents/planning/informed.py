"""What a planner could earn who knew each city and its present, but not its future.

Between a policy, which sees a few indicators, and the clairvoyant, who knows what will happen:
what is missing to the first can be learnt or measured, what is missing to the second cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from agents.planning.ascent import highest
from agents.planning.clairvoyant import RATE, RATE_END, welfare_of

#: Steps after which plans are made anew.
EVERY = 4


def follow(
    env: Any,
    model: Any,
    seed: int,
    start: Mapping[str, Tensor],
    iterations: int,
    monthly_discount: float,
    tick: Callable[[], None],
) -> dict[str, Tensor]:
    """What is done in each row by plans that are made anew every `EVERY` steps.

    Plans climb in a copy of the row, from where the row stands, under the weather that is to be
    expected from today's on, as if it were certain; the first renewal takes twice the steps.

    Args:
        env: a batched environment that starts at ``seed``, without regime changes (a copy would
            know them). model: another with the same rows, in which plans are tried.
        start: group -> actions ``[T, B, n, A]`` that the first search begins with.
        iterations: gradient steps of a renewal.
        monthly_discount: of welfare, that of the whole with the stocks left at the end.
        tick: called after every step of all rows, of either environment.
    """
    plan = {name: x.detach().clone() for name, x in start.items()}
    steps = len(next(iter(plan.values())))
    env.reset(seed=seed)
    model.reset(seed=seed)
    for first in range(0, steps, EVERY):
        moment, weather = env.moment(), env.weather

        def value(rest: Mapping[str, Tensor], moment: Any = moment, now: Any = weather) -> Tensor:
            model.go_back(moment)
            model.expect(now)
            return welfare_of(model, rest, monthly_discount, tick)

        climbs = _climbs(first, iterations)
        rest = {name: x[first:] for name, x in plan.items()}
        for name, found in highest(rest, value, climbs, RATE, RATE_END).items():
            plan[name][first:] = found
        with torch.no_grad():
            now = {name: x[first : first + EVERY] for name, x in plan.items()}
            welfare_of(env, now, monthly_discount, tick)
    return plan


def steps_lived(steps: int, iterations: int) -> int:
    """Steps of all rows that `follow` takes, tried ones included, in an episode of so many."""
    tried = sum(
        (_climbs(first, iterations) + 1) * (steps - first) for first in range(0, steps, EVERY)
    )
    return tried + steps


def _climbs(first: int, iterations: int) -> int:
    return iterations if first else 2 * iterations
