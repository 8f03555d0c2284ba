"""Map over nested dataclasses and dicts of tensors: the shape of every state in this project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T")


def tree_map(function: Callable[..., Tensor], first: T, *rest: T) -> T:
    """Apply ``function`` to matching tensors of trees of one structure."""
    if isinstance(first, Tensor):
        return cast(T, function(first, *rest))
    if isinstance(first, dict):
        return cast(
            T,
            {
                key: tree_map(function, first[key], *(cast(Any, r)[key] for r in rest))
                for key in first
            },
        )
    if is_dataclass(first):
        values = {
            f.name: tree_map(function, getattr(first, f.name), *(getattr(r, f.name) for r in rest))
            for f in fields(first)
        }
        return cast(T, cast(Any, type(first))(**values))
    return first


def leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Named tensors of a tree, in a fixed order."""
    if isinstance(tree, Tensor):
        yield prefix, tree
        return
    if isinstance(tree, dict):
        items = list(tree.items())
    elif is_dataclass(tree):
        items = [(f.name, getattr(tree, f.name)) for f in fields(tree)]
    else:
        return
    for name, value in items:
        yield from leaves(value, f"{prefix}.{name}" if prefix else name)


def where(mask: Tensor, yes: T, no: T) -> T:
    """Rows of ``yes`` where ``mask`` ``[B]`` is true, rows of ``no`` elsewhere."""

    def choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(mask.reshape(-1, *(1,) * (b.dim() - 1)), a, b)

    return tree_map(choose, yes, no)


def expand(tree: T, rows: int) -> T:
    """Repeat a tree of one row to ``rows`` rows."""
    return tree_map(lambda x: x.expand(rows, *x.shape[1:]).clone(), tree)


def take(tree: T, index: Tensor) -> T:
    """Rows ``index`` of every tensor; tensors of one row stay shared."""
    return tree_map(lambda x: x if x.shape[0] == 1 else x[index], tree)


def concat(*trees: T) -> T:
    """Stack the rows of several trees."""
    return tree_map(lambda *xs: torch.cat(xs), trees[0], *trees[1:])


def to(tree: T, dtype: torch.dtype, device: torch.device | str | None = None) -> T:
    """Cast every tensor."""
    return tree_map(lambda x: x.to(device=device, dtype=dtype), tree)
