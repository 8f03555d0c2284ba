"""Smooth response functions: used instead of min, max and clip so that gradients survive."""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = 1e-9
#: Stages of a delivery chain.
STAGES = 3


def plus(value: Tensor, *products: tuple[Tensor, Tensor]) -> Tensor:
    """``value + sum_i a_i b_i`` of the pairs ``(a_i, b_i)``."""
    for a, b in products:
        value = torch.addcmul(value, a, b)
    return value


def minus(value: Tensor, *products: tuple[Tensor, Tensor]) -> Tensor:
    """``value - sum_i a_i b_i`` of the pairs ``(a_i, b_i)``."""
    for a, b in products:
        value = torch.addcmul(value, a, b, value=-1)
    return value


def without(value: Tensor, share: Tensor) -> Tensor:
    """``value (1 - share)``: what is left of ``value`` when a share of it is taken away."""
    return torch.addcmul(value, value, share, value=-1)


def saturate(q: Tensor, psi: Tensor, cap: Tensor) -> Tensor:
    """``cap q^psi / (cap - 1 + q^psi)``: 0 at 0, 1 at 1, ``cap`` at infinity."""
    log_power = psi * torch.log(q.clamp_min(FLOOR))
    return cap * torch.exp(log_power) / (cap + torch.expm1(log_power))


def ces_match(a: Tensor, b: Tensor, rho: Tensor | float) -> Tensor:
    """Smooth minimum ``(a^-rho + b^-rho)^(-1/rho)``, homogeneous of degree one.

    The matching function of den Haan, Ramey & Watson (2000); always below ``min(a, b)``.
    """
    low, high = torch.minimum(a, b), torch.maximum(a, b).clamp_min(FLOOR)
    powered = torch.exp(rho * torch.log((low / high).clamp_min(FLOOR)))
    return low * torch.exp(-torch.log1p(powered) / rho)


def ces(a: Tensor, b: Tensor, weight: Tensor, rho: Tensor) -> Tensor:
    """CES aggregate ``(weight a^-rho + (1 - weight) b^-rho)^(-1/rho)``; equal inputs pass."""
    a, b = a.clamp_min(FLOOR), b.clamp_min(FLOOR)
    low = torch.minimum(a, b)
    inner = torch.lerp((low / b) ** rho, (low / a) ** rho, weight)
    return low * torch.exp(-torch.log(inner) / rho)


def soft_cap(x: Tensor, cap: Tensor, power: Tensor) -> Tensor:
    """``x`` bounded by ``cap``: ``x (1 + (x / cap)^power)^(-1/power)``."""
    return x * torch.exp(-torch.log1p((x / cap) ** power) / power)


def erlang(pipe: Tensor, inflow: Tensor, lag: Tensor) -> tuple[Tensor, Tensor]:
    """One month of an Erlang-3 delivery chain of mean ``lag`` months.

    Args:
        pipe: ``[..., 3]`` work in progress; inflow: ``[...]`` starts; lag: mean lag.

    Returns:
        The new pipe and the completions; mass is conserved exactly.
    """
    pace = torch.full_like(lag, STAGES) / lag
    before = torch.cat([(inflow / pace).unsqueeze(-1), pipe[..., :-1]], -1)
    return torch.lerp(pipe, before, pace.unsqueeze(-1)), pace * pipe[..., -1]


def erlang_steady(inflow: Tensor, lag: Tensor) -> Tensor:
    """Pipe ``[..., 3]`` in which completions equal a constant ``inflow``."""
    return (inflow * lag / STAGES).unsqueeze(-1).expand(*inflow.shape, STAGES).clone()


def diminishing(x: Tensor) -> Tensor:
    """Concave response to a spending multiplier: 0 and slope 1 at 1, -2 at 0, 2 at infinity."""
    one = torch.ones_like(x)
    half = (x - one) / (x + one)
    return half + half


def product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix products ``[B, n, m]`` of ``[B, n, k]`` and ``[B, k, m]``, or of one row of either
    that all rows share."""
    if a.shape[0] == b.shape[0]:
        return torch.bmm(a, b)
    return torch.matmul(a, b[0] if b.shape[0] == 1 else b)


def mix(values: Tensor, weights: Tensor) -> Tensor:
    """``values`` ``[B, D, C]`` times ``weights`` ``[b, C, E]``, shared by the rows or one each."""
    return product(values, weights)


def pull(kernel: Tensor, values: Tensor) -> Tensor:
    """``sum_j kernel[i, j] values[j]`` with ``values`` ``[B, D]`` or ``[B, D, C]``."""
    if values.dim() == 2:
        return push(kernel.mT, values)
    return product(kernel, values)


def push(kernel: Tensor, values: Tensor) -> Tensor:
    """``sum_i kernel[i, j] values[i]`` with ``values`` ``[B, D]`` or ``[B, D, C]``.

    Rows times matrices are many times faster than matrices times columns.
    """
    if values.dim() == 3:
        return product(kernel.mT, values)
    if kernel.shape[0] == 1:
        return torch.mm(values, kernel[0])
    return product(values.unsqueeze(1), kernel).squeeze(1)
