"""Map over nested dataclasses and dicts of tensors: the shape of every state in this project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

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
    """Cast every tensor of real numbers, and move all; indices stay whole numbers."""

    def cast_one(x: Tensor) -> Tensor:
        return x.to(device=device, dtype=dtype if x.is_floating_point() else None)

    return tree_map(cast_one, tree)


def restore(kind: type[T], tensors: dict[str, Tensor], prefix: str = "") -> T:
    """Rebuild a tree of dataclass ``kind`` from the named tensors that ``leaves`` gave.

    Raises:
        ValueError: a tensor is missing; all missing names are listed.
    """
    missing: list[str] = []
    tree = _restored(kind, tensors, prefix, missing)
    if missing:
        raise ValueError(f"missing tensors: {', '.join(missing)}")
    return cast(T, tree)


def _restored(kind: Any, tensors: dict[str, Tensor], prefix: str, missing: list[str]) -> Any:
    values: dict[str, Any] = {}
    hints = get_type_hints(kind)
    for field in fields(kind):
        name = f"{prefix}.{field.name}" if prefix else field.name
        hint = _present(hints[field.name], tensors, name)
        if is_dataclass(hint):
            values[field.name] = _restored(hint, tensors, name, missing)
        elif get_origin(hint) is dict:
            start = f"{name}."
            values[field.name] = {
                key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)
            }
        elif name in tensors:
            values[field.name] = tensors[name]
        else:
            missing.append(name)
            values[field.name] = None
    return kind(**values)


def _present(hint: Any, tensors: dict[str, Tensor], name: str) -> Any:
    """Of a union of dataclasses, the one whose tensors are there (else the first)."""
    if not isinstance(hint, UnionType):
        return hint
    lacks: dict[Any, list[str]] = {kind: [] for kind in get_args(hint)}
    for kind, missing in lacks.items():
        _restored(kind, tensors, name, missing)
    return min(lacks, key=lambda kind: len(lacks[kind]))
