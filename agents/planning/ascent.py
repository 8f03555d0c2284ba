"""Gradient ascent of plans, each row on its own, within the bounds of the levers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def ascend(optimiser: torch.optim.Adam, plans: Mapping[str, Tensor], returns: Tensor) -> None:
    """One step up; a row whose gradient is not finite stays where it is."""
    found = torch.autograd.grad(returns, list(plans.values()), torch.ones_like(returns))
    for plan, gradient in zip(plans.values(), found, strict=True):
        plan.grad = -gradient.nan_to_num(0.0, 0.0, 0.0)
    optimiser.step()
    with torch.no_grad():
        for plan in plans.values():
            plan.clamp_(-1.0, 1.0)


def highest(
    start: Mapping[str, Tensor],
    value: Callable[[Mapping[str, Tensor]], Tensor],
    iterations: int,
    rate: float,
    rate_end: float,
) -> dict[str, Tensor]:
    """The best plan of every row that is met on the way up; none is worse than the start.

    Args:
        start: group -> actions ``[T, B, n, A]`` of every step, row, agent and lever.
        value: of the rows under their plans ``[B]``, differentiable.
        iterations: gradient steps of Adam; 0 gives the start back. rate, rate_end: of the first
            and of the last step, in units of a lever's range.
    """
    plan = {name: x.detach().clone().requires_grad_() for name, x in start.items()}
    best = {name: x.detach().clone() for name, x in start.items()}
    optimiser = torch.optim.Adam(plan.values(), lr=rate)
    most: Tensor | None = None
    for number in range(iterations + 1):
        found = value(plan)
        reached = found.detach().nan_to_num(-torch.inf, -torch.inf, -torch.inf)
        most = torch.full_like(reached, -torch.inf) if most is None else most
        better = reached > most
        most = torch.where(better, reached, most)
        best = {
            name: torch.where(better[:, None, None], x.detach(), best[name])
            for name, x in plan.items()
        }
        if number == iterations:
            break
        for group in optimiser.param_groups:
            group["lr"] = rate + (rate_end - rate) * number / iterations
        ascend(optimiser, plan, found)
    return best
