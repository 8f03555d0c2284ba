"""How ports reach the blocks: live from their writer, or held from outside (MODEL section 10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from torch import Tensor

from envs.city import tree

T = TypeVar("T")

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


class Wiring:
    """The ports of one month as they are written."""

    def __init__(self, held: Mapping[str, Held]) -> None:
        self.ports: dict[str, Any] = {}
        self._held = held

    def __call__(self, name: str, live: Callable[[], T]) -> T:
        """Write a port; ``live`` is not called where the port is fully held."""
        held = self._held.get(name)
        if held is None or held.coupling >= 1:
            port = live()
        else:
            value = held.value(self.ports) if callable(held.value) else held.value
            port = cast(T, value)
            if held.coupling > 0:
                port = tree.tree_map(_towards(held.coupling), port, live())
        self.ports[name] = port
        return port

    def moves(self, block: str) -> bool:
        """Whether a block's own state matters: some port it writes is live, at least in part."""
        return any(
            name not in self._held or self._held[name].coupling > 0
            for name, writer in WRITERS.items()
            if writer == block
        )


def _towards(strength: float) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda held, live: held + strength * (live - held)


def ports_of(blocks: Iterable[str]) -> tuple[str, ...]:
    """Ports that the named writers write."""
    chosen = set(blocks)
    return tuple(name for name, writer in WRITERS.items() if writer in chosen)
