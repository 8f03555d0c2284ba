"""How ports reach the blocks: live from their writer, or held from outside (MODEL section 10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from envs.city import tree

T = TypeVar("T")

#: Where a port may come from.
MODES = ("live", "frozen", "rule", "replay")

#: Port -> what writes it. Travel, households and valuation are pure functions
#: that no block owns.
WRITERS: dict[str, str] = {
    "fiscal": "treasury",
    "residents": "planning",
    "roads": "infrastructure",
    "staffing": "services",
    "land": "planning",
    "offers": "industry",
    "commute": "travel",
    "market": "industry",
    "services": "services",
    "income": "households",
    "shopping": "industry",
    "traffic": "infrastructure",
    "energy": "infrastructure",
    "value": "valuation",
    "settlement": "treasury",
}
BLOCKS: tuple[str, ...] = ("planning", "industry", "services", "infrastructure", "treasury")


@dataclass(frozen=True)
class Held:
    """A port that does not come from its writer, or not fully.

    Attributes:
        value: the port, or a rule that makes it from the ports written before it.
        coupling: strength of the live port in [0, 1]: 0 holds the value, 1 is live, and
            between them every number of the port is interpolated.
    """

    value: Any | Callable[[Mapping[str, Any]], Any]
    coupling: float = 0.0


@dataclass(frozen=True)
class Paired:
    """A port that rows take from their twins at the end of the batch, where it is live.

    Attributes:
        twins: number of rows that are followed; row i follows twin ``i % twins``.
        coupling: strength of the followers' own live port in [0, 1].
    """

    twins: int
    coupling: float = 0.0

    def follow(self, live: T) -> T:
        """A tree of rows ``[k twins, ...]`` where all but the twins follow; shared rows stay."""

        def pair(x: Tensor) -> Tensor:
            if x.shape[0] == 1:
                return x
            own, other = x[: -self.twins], x[-self.twins :]
            led = other.repeat(len(own) // self.twins, *(1,) * (x.dim() - 1))
            return torch.cat([led + self.coupling * (own - led), other])

        return tree.tree_map(pair, live)


#: How a port is supplied that is not fully live.
Supply = Held | Paired


class Wiring:
    """The ports of one month as they are written."""

    def __init__(self, held: Mapping[str, Supply]) -> None:
        self.ports: dict[str, Any] = {}
        self._held = held

    def __call__(self, name: str, live: Callable[[], T]) -> T:
        """Write a port; ``live`` is not called where the port is fully held."""
        held = self._held.get(name)
        if held is None or held.coupling >= 1:
            port = live()
        elif isinstance(held, Paired):
            port = held.follow(live())
        else:
            value = held.value(self.ports) if callable(held.value) else held.value
            port = cast(T, value)
            if held.coupling > 0:
                port = tree.tree_map(_towards(held.coupling), port, live())
        self.ports[name] = port
        return port

    def after(self, block: str, before: T, advance: Callable[[], T]) -> T:
        """The next state of a block.

        It stays as it is where every port that the block writes is held, since nobody asks for
        it, and is the other row's where every port follows another row.
        """
        supplies = [self._held.get(name) for name in ports_of((block,))]
        outside = [x for x in supplies if x is not None and x.coupling == 0]
        pairs = [x for x in outside if isinstance(x, Paired)]
        if len(outside) == len(supplies) and not pairs:
            return before
        state = advance()
        return pairs[0].follow(state) if len(pairs) == len(supplies) else state


def _towards(strength: float) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda held, live: held + strength * (live - held)


def ports_of(blocks: Iterable[str]) -> tuple[str, ...]:
    """Ports that the named writers write."""
    chosen = set(blocks)
    return tuple(name for name, writer in WRITERS.items() if writer in chosen)
