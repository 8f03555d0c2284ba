"""Reverse-mode differentiation in segments, without keeping more than one segment's graph.

Cheaper than `torch.utils.checkpoint`, whose hooks on every saved tensor cost as much as a step of
a small city.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from envs.city import tree

Carry = TypeVar("Carry")
Segment = Callable[[int, Carry], tuple[Carry, Tensor]]


def forward(segment: Segment[Carry], start: Carry, span: range) -> tuple[Tensor, list[Carry]]:
    """Sum of a recursion's values, and the carries before each segment and after the last.

    Args:
        segment: ``(number, carry) -> (carry, value)``; the carry is a tree of tensors.
        start: the carry before the first segment.
        span: numbers of the segments, at least one.
    """
    kept, values = [start], []
    with torch.no_grad():
        for number in span:
            carry, value = segment(number, kept[-1])
            kept.append(carry)
            values.append(value)
    return torch.stack(values).sum(0), kept


def backward(
    segment: Segment[Carry], kept: Sequence[Carry], span: range, pull: Carry | None
) -> Carry:
    """Add the gradients of the values' sum to the leaf tensors that ``segment`` closes over.

    Args:
        kept: carries of ``forward``; every segment runs again from its own.
        pull: gradients with respect to the last carry of what comes after; default none.

    Returns:
        The gradients with respect to the first carry.
    """
    for number, before in zip(reversed(span), reversed(kept[:-1]), strict=True):
        carry = tree.tree_map(_leaf, before)
        with torch.enable_grad():
            after, value = segment(number, carry)
        roots, weights = [value], [torch.ones_like(value)]
        if pull is not None:
            for (_, root), (_, weight) in zip(tree.leaves(after), tree.leaves(pull), strict=True):
                if root.requires_grad:
                    roots.append(root)
                    weights.append(weight)
        torch.autograd.backward(roots, weights)
        pull = tree.tree_map(lambda x: torch.zeros_like(x) if x.grad is None else x.grad, carry)
    if pull is None:
        raise ValueError("backward: no segments")
    return pull


def _leaf(x: Tensor) -> Tensor:
    """A tensor as a variable of its own; whole numbers and flags carry no gradient."""
    return x.detach().requires_grad_(x.is_floating_point())
