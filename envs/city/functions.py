"""Smooth response functions: used instead of min, max and clip so that gradients survive."""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = 1e-9


def saturate(q: Tensor, psi: Tensor, cap: Tensor) -> Tensor:
    """``cap q^psi / (cap - 1 + q^psi)``: 0 at 0, 1 at 1, ``cap`` at infinity."""
    powered = q.clamp_min(FLOOR) ** psi
    return cap * powered / (cap - 1 + powered)


def ces_match(a: Tensor, b: Tensor, rho: Tensor | float) -> Tensor:
    """Smooth minimum ``(a^-rho + b^-rho)^(-1/rho)``, homogeneous of degree one.

    The matching function of den Haan, Ramey & Watson (2000); always below ``min(a, b)``.
    """
    low, high = torch.minimum(a, b), torch.maximum(a, b).clamp_min(FLOOR)
    return low * (1 + (low / high).clamp_min(FLOOR) ** rho) ** (-1 / rho)


def ces(a: Tensor, b: Tensor, weight: Tensor, rho: Tensor) -> Tensor:
    """CES aggregate ``(weight a^-rho + (1 - weight) b^-rho)^(-1/rho)``; equal inputs pass."""
    low = torch.minimum(a, b).clamp_min(FLOOR)
    inner = (
        weight * (low / a.clamp_min(FLOOR)) ** rho
        + (1 - weight) * (low / b.clamp_min(FLOOR)) ** rho
    )
    return low * inner ** (-1 / rho)


def soft_cap(x: Tensor, cap: Tensor, power: Tensor) -> Tensor:
    """``x`` bounded by ``cap``: ``x (1 + (x / cap)^power)^(-1/power)``."""
    return x * (1 + (x / cap) ** power) ** (-1 / power)


def erlang(pipe: Tensor, inflow: Tensor, lag: Tensor) -> tuple[Tensor, Tensor]:
    """One month of an Erlang-3 delivery chain of mean ``lag`` months.

    Args:
        pipe: ``[..., 3]`` work in progress; inflow: ``[...]`` starts; lag: mean lag.

    Returns:
        The new pipe and the completions; mass is conserved exactly.
    """
    out = pipe * (3 / lag).unsqueeze(-1)
    arriving = torch.stack([inflow, out[..., 0], out[..., 1]], dim=-1)
    return pipe - out + arriving, out[..., 2]


def erlang_steady(inflow: Tensor, lag: Tensor) -> Tensor:
    """Pipe ``[..., 3]`` in which completions equal a constant ``inflow``."""
    return (inflow * lag / 3).unsqueeze(-1).expand(*inflow.shape, 3).clone()


def diminishing(x: Tensor) -> Tensor:
    """Concave response to a spending multiplier: 0 and slope 1 at 1, -2 at 0, 2 at infinity."""
    return 2 * (x - 1) / (x + 1)


def mix(values: Tensor, weights: Tensor) -> Tensor:
    """``values`` ``[B, D, C]`` times ``weights`` ``[b, C, E]``, shared by the rows or one each."""
    return torch.matmul(values, weights[0] if weights.shape[0] == 1 else weights)


def pull(kernel: Tensor, values: Tensor) -> Tensor:
    """``sum_j kernel[i, j] values[j]`` with ``values`` ``[B, D]`` or ``[B, D, C]``."""
    if values.dim() == 2:
        return torch.matmul(kernel, values.unsqueeze(-1)).squeeze(-1)
    return torch.matmul(kernel, values)


def push(kernel: Tensor, values: Tensor) -> Tensor:
    """``sum_i kernel[i, j] values[i]`` with ``values`` ``[B, D]`` or ``[B, D, C]``."""
    return pull(kernel.transpose(-1, -2), values)
