"""Generalised advantage estimation on whole episodes (Schulman et al. 2016).

Shapes: T steps, the rest is free.
"""

from __future__ import annotations

import torch
from torch import Tensor


def advantages(
    rewards: Tensor, values: Tensor, last: Tensor, discount: float, decay: float
) -> Tensor:
    """Advantages `[T, ...]` of one episode.

    A_t = d_t + discount decay A_(t+1) with d_t = r_t + discount V_(t+1) - V_t.

    Args:
        rewards, values: `[T, ...]`; values are of the states that rewards were earned from.
        last: `[...]` value of what comes after the last step: zero where the episode ended.
        decay: lambda; 1 gives discounted sums less the value, 0 one-step errors.
    """
    following = torch.cat([values[1:], last.unsqueeze(0)])
    errors = rewards + discount * following - values
    found = torch.empty_like(errors)
    running = torch.zeros_like(last)
    for step in range(len(errors) - 1, -1, -1):
        running = torch.add(errors[step], running, alpha=discount * decay)
        found[step] = running
    return found


def standardised(values: Tensor, networks: int) -> Tensor:
    """Values `[N, a]` less their mean over their deviation, for each network by itself."""
    over = (0, 1) if networks == 1 else (0,)
    if values.numel() // networks < 2:
        return values
    deviation, mean = torch.std_mean(values, over, keepdim=True)
    return (values - mean) / (deviation + 1e-8)
