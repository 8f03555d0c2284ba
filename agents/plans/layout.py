"""Which cells of the levers move together: the columns that a plan sets.

A cell is one entry of one lever (staff of a service in a district). A layout groups cells into
columns, in raw settings: 0 is today's setting, -1 and 1 are the lever's bounds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

import torch
from torch import Tensor

from envs.city.levers import LEVERS, PARTS, SHAPES, Lever
from envs.city.model import City
from envs.city.sizes import TYPES
from envs.scenarios.city_v0 import CityV0

#: Relative weights of types: one setting for all types moves nothing, so that the merged column
#: tilts them from the lowest incomes to the highest.
TILTED = frozenset({"targeting"})


@dataclass(frozen=True)
class Layout:
    """Columns of raw settings and the cells that each of them moves.

    Attributes:
        districts: D.
        names: of the columns. governors: who holds each column.
        low, high: ``[C]`` bounds of raw settings; a lever at a bound today has one live side.
        members: ``[N]`` column of each cell of all levers in their order; C where none.
        weight: ``[N]`` what a cell takes of its column's setting.
    """

    districts: int
    names: tuple[str, ...]
    governors: tuple[str, ...]
    low: Tensor
    high: Tensor
    members: Tensor
    weight: Tensor

    @classmethod
    def of(cls, city: City, apart: Collection[str] = ()) -> Layout:
        """What the governors of ``city_v0`` set, each column for the whole city.

        Args:
            apart: axes with one column an entry: "D" districts, "K" household types.
        """
        actions = [name for group in CityV0().groups(city) for name in group.action_names]
        split = {name.partition("[")[0] for name in actions if "[" in name}
        held = {name.partition("[")[0] for name in actions}
        names: list[str] = []
        bounds: list[tuple[float, float]] = []
        governors: list[str] = []
        members, weights = [], []
        for lever in LEVERS.values():
            axes = {*apart, *(PARTS if lever.name in split else ())}
            known: dict[tuple[str, ...], int] = {}
            for labels, weight in _cells(lever, city.districts, axes):
                if lever.name not in held:
                    members.append(-1)
                    weights.append(0.0)
                    continue
                if labels not in known:
                    known[labels] = len(names)
                    names.append(f"{lever.name}[{','.join(labels)}]" if labels else lever.name)
                    governors.append(lever.governor)
                    bounds.append(live_range(lever))
                members.append(known[labels])
                weights.append(weight)
        columns = torch.tensor(members)
        low, high = torch.tensor(bounds).reshape(-1, 2).unbind(-1)
        return cls(
            city.districts,
            tuple(names),
            tuple(governors),
            low,
            high,
            torch.where(columns < 0, len(names), columns),
            torch.tensor(weights),
        )

    def held_by(self, governor: str) -> Tensor:
        """Mask ``[C]``: 1 where the governor holds the column."""
        return torch.tensor([float(name == governor) for name in self.governors])

    def cells(self, raw: Tensor) -> Tensor:
        """Raw settings of every cell ``[R, N]`` from columns ``[R, C]``."""
        blank = raw.new_zeros(raw.shape[0], 1)
        return torch.cat([raw, blank], -1).index_select(-1, self.members) * self.weight.to(raw)

    def adopt(self, coarse: Layout, raw: Tensor) -> Tensor:
        """Columns ``[R, C]`` that set every cell as ``raw`` ``[R, C']`` of a coarser layout."""
        members = self.members.tolist()
        first = torch.tensor([members.index(column) for column in range(len(self.names))])
        return coarse.cells(raw)[:, first] / self.weight[first].to(raw)

    def moved(self) -> frozenset[str]:
        """Levers with at least one column."""
        return frozenset(name.partition("[")[0] for name in self.names)


def live_range(lever: Lever) -> tuple[float, float]:
    """Bounds of a lever's raw setting: a side on which nothing is left to move is dead."""
    return -float(lever.low < lever.default), float(lever.high > lever.default)


def settings(cells: Tensor, districts: int, levers: Collection[str]) -> dict[str, Tensor]:
    """Physical settings ``[R, *lever shape]`` of ``levers`` from raw cells ``[R, N]``."""
    sizes = [lever.size(districts) for lever in LEVERS.values()]
    parts = torch.split(cells, [prod(size) for size in sizes], -1)  # type: ignore[no-untyped-call]
    return {
        lever.name: lever.physical(part.reshape(-1, *size))
        for lever, size, part in zip(LEVERS.values(), sizes, parts, strict=True)
        if lever.name in levers
    }


def _cells(
    lever: Lever, districts: int, apart: Collection[str]
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Labels of the column and weight of each cell of a lever, in the order of its tensor."""
    labels = {
        **PARTS,
        "D": tuple(f"district {i + 1}" for i in range(districts)),
    }
    axes = SHAPES[lever.shape]
    tilted = lever.name in TILTED and "K" not in apart
    for index in product(*(range(len(labels[axis])) for axis in axes)):
        if tilted:
            yield (), 1 - 2 * index[axes.index("K")] / (TYPES - 1)
            continue
        held = zip(axes, index, strict=True)
        yield tuple(labels[a][i] for a, i in held if a in apart), 1.0
