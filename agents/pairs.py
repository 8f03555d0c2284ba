"""Tables that say which observation drives which lever.

A pair names an observation and a lever, each exactly or with one `*`; where both hold a `*`, it
stands for the same text: `quality[*]` -> `staff[*]` drives `staff[education]` by
`quality[education]`. A pair applies to every group that has both names and is idle elsewhere, so
that one table serves every scenario.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from agents.policy import Space


class Pair(Protocol):
    """One row of a rule's table."""

    @property
    def observation(self) -> str: ...

    @property
    def lever(self) -> str: ...


@dataclass(frozen=True)
class Wiring:
    """A pair table matched to one group, P matches.

    columns: observation column of each match; levers: lever column; rows: row of the pair table.
    """

    columns: tuple[int, ...]
    levers: tuple[int, ...]
    rows: tuple[int, ...]

    def read(self, observed: Tensor) -> Tensor:
        """Observations that drive levers: [B, n, P] from [B, n, O]."""
        return observed[..., list(self.columns)]

    def write(self, driven: Tensor, actions: Tensor) -> Tensor:
        """Add the matches' contributions [B, n, P] to their levers [B, n, A], kept in [-1, 1]."""
        index = torch.tensor(self.levers, dtype=torch.long, device=driven.device)
        return actions.index_add(-1, index, driven).clamp(-1.0, 1.0)


def wire(pairs: Sequence[Pair], space: Space) -> Wiring:
    """Match a table of pairs to the names of a group."""
    matches = [
        (column, lever, row)
        for row, pair in enumerate(pairs)
        for column, seen in enumerate(space.observation_names)
        for lever, moved in enumerate(space.action_names)
        if _matches(pair, seen, moved)
    ]
    columns, levers, rows = zip(*matches, strict=True) if matches else ((), (), ())
    return Wiring(tuple(columns), tuple(levers), tuple(rows))


def _matches(pair: Pair, observation: str, lever: str) -> bool:
    seen, moved = match(pair.observation, observation), match(pair.lever, lever)
    if seen is None or moved is None:
        return False
    return not seen or not moved or seen == moved


def match(pattern: str, name: str) -> tuple[str, ...] | None:
    """What the stars of a pattern stand for in a name; None where they do not fit."""
    expression = "(.*)".join(re.escape(part) for part in pattern.split("*"))
    found = re.fullmatch(expression, name)
    return found.groups() if found else None
