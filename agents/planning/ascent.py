"""Gradient ascent of plans, each row on its own, within the bounds of the levers."""

from __future__ import annotations

from collections.abc import Mapping

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
