"""What supplies the ports of blocks that are not fully live: all four, or those around one.

The treasury couples the blocks and stays live, and so do commuting, household budgets and
valuation, which no block owns (MODEL section 10).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from envs.city.model import Flows
from envs.city.rules import ruled
from envs.city.wiring import BLOCKS, MODES, Held, Paired, Supply, ports_of

#: Port, ports of the first month and of the month before, strength, twins -> supply.
_Source = Callable[[str, Flows, Flows, float, int], Supply]


def _frozen(port: str, first: Flows, last: Flows, coupling: float, twins: int) -> Supply:
    return Held(getattr(first, port), coupling)


def _ruled(port: str, first: Flows, last: Flows, coupling: float, twins: int) -> Supply:
    return Held(lambda _: ruled(port, first, last), coupling)


def _replayed(port: str, first: Flows, last: Flows, coupling: float, twins: int) -> Supply:
    return Paired(twins, coupling)


_SOURCES: dict[str, _Source] = {"frozen": _frozen, "rule": _ruled, "replay": _replayed}


@dataclass(frozen=True)
class Boundary:
    """Which blocks lie outside, and what supplies their ports.

    Attributes:
        block: the one that is inside and live; "" where none is.
        others: "live" blocks respond; "frozen" ones stand still at the first month; "rule":
            they follow ``envs.city.rules``; "replay": they do what they do under the status
            quo in the same weather, month by month, whatever is governed.
        coupling: strength in [0, 1] of the live port; 0 holds the ports fully, 1 is "live".
    """

    block: str = ""
    others: str = "live"
    coupling: float = 0.0

    def problems(self) -> list[str]:
        """What is wrong with the choice, in words."""
        found = []
        if self.others not in MODES:
            found.append(f"others={self.others!r}: expected one of {', '.join(MODES)}")
        if not 0 <= self.coupling <= 1:
            found.append(f"coupling={self.coupling}: expected 0 to 1")
        return found

    @property
    def open(self) -> bool:
        """Whether every port is live."""
        return self.others == "live" or self.coupling >= 1

    @property
    def quiet(self) -> Boundary:
        """The same for a single row in a quiet world, where replay stands still."""
        return replace(self, others="frozen") if self.others == "replay" else self

    @property
    def outside(self) -> tuple[str, ...]:
        """Blocks whose ports are supplied; the treasury is always live."""
        if self.open:
            return ()
        return tuple(name for name in BLOCKS if name not in (self.block, "treasury"))

    def held(self, first: Flows, last: Flows, twins: int = 0) -> Mapping[str, Supply]:
        """What is held in a month.

        Args:
            first: ports of the city's first month; last: of the month before; rows
                ``[B, ...]`` both. twins: rows at the end that are under the status quo (replay
                needs them).
        """
        return {
            port: _SOURCES[self.others](port, first, last, self.coupling, twins)
            for port in ports_of(self.outside)
        }
