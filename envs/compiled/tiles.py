"""Tensors by environment and the vectors of a program, back and forth.

Shapes: B environments, T tiles of L lanes (the last one filled up with copies), N numbers of an
environment. Tensors of rows have the governed ones first, then copies and twins ``[r B, ...]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Numbers of an environment one after another: shapes ``[r, ...]`` by name."""

    shapes: Mapping[str, torch.Size]

    @property
    def size(self) -> int:
        """Numbers N."""
        return sum(shape.numel() for shape in self.shapes.values())

    def places(self) -> dict[str, int]:
        """Where each begins."""
        found, first = {}, 0
        for name, shape in self.shapes.items():
            found[name] = first
            first += shape.numel()
        return found

    def flat(self, tensors: Mapping[str, Tensor], rows: int) -> Tensor:
        """Tensors ``[r B, ...]`` by name as ``[B, N]``; one row stands for all."""
        return torch.cat(
            [_by_environment(tensors[name], shape, rows) for name, shape in self.shapes.items()], 1
        )

    def named(self, flat: Tensor) -> dict[str, Tensor]:
        """Numbers ``[B, N]`` as tensors ``[r B, ...]`` by name."""
        found: dict[str, Tensor] = {}
        for (names, shape), part in zip(
            self._runs, torch.split(flat, self._widths, 1), strict=True
        ):
            if shape == (1,):
                found |= zip(names, part.unbind(1), strict=True)
            else:
                found[names[0]] = _by_row(part, shape)
        return found

    @cached_property
    def _runs(self) -> list[tuple[list[str], torch.Size]]:
        """Names one after another that hold one number of an environment, and every other name."""
        runs: list[tuple[list[str], torch.Size]] = []
        for name, shape in self.shapes.items():
            if runs and shape == runs[-1][1] == (1,):
                runs[-1][0].append(name)
            else:
                runs.append(([name], shape))
        return runs

    @cached_property
    def _widths(self) -> list[int]:
        return [len(names) * shape.numel() for names, shape in self._runs]


def tiled(flat: Tensor, lanes: int) -> Tensor:
    """Numbers ``[B, N]`` as tiles ``[T, N, L]`` of ``lanes`` L."""
    rows = flat.shape[0]
    missing = -rows % lanes
    if missing:
        flat = torch.cat([flat, flat[-1:].expand(missing, -1)])
    return flat.reshape(-1, lanes, flat.shape[1]).transpose(1, 2).contiguous()


def untiled(tiles: Tensor, rows: int) -> Tensor:
    """Tiles ``[T, N, L]`` as numbers ``[B, N]``."""
    return tiles.transpose(1, 2).clone(memory_format=torch.contiguous_format).flatten(0, 1)[:rows]


def tiles(rows: int, lanes: int) -> int:
    """Tiles of some environments."""
    return -(-rows // lanes)


def _by_row(part: Tensor, shape: torch.Size) -> Tensor:
    """``[B, r n]`` as ``[r B, ...]``."""
    rows, rest = shape[0], shape[1:]
    if rows > 1:
        part = part.reshape(-1, rows, rest.numel()).transpose(0, 1).flatten(0, 1)
    return part if len(rest) == 1 else part.reshape(-1, *rest)


def _by_environment(x: Tensor, shape: torch.Size, rows: int) -> Tensor:
    """``[r B, ...]`` as ``[B, r n]``; of more blocks of rows than asked for the first count."""
    if shape[0] == 1 and x.shape[0] == rows:
        return x.reshape(rows, -1)
    if x.shape[0] == 1:
        x = x.expand(rows * shape[0], *x.shape[1:])
    blocks = x.reshape(x.shape[0] // rows, rows, -1)[: shape[0]]
    return blocks.transpose(0, 1).reshape(rows, -1)
