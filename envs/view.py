"""What governors may look at: published figures, their own levers, the map and the calendar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from envs.city.indicators import change
from envs.city.information import indicator_of
from envs.city.levers import Policy
from envs.city.model import City

#: A figure as a viewer sees it: name, viewer, whether revised.
Look = Callable[[str, str, bool], Tensor]


@dataclass(frozen=True)
class View:
    """The side of the world that a scenario turns into observations; no state, no flows.

    city: as calibrated, its first year and its map; start: first-year values of figures;
    policy: levers in force; elapsed: ``[B]`` share of the episode that has passed; look: how
    figures reach a viewer; shared: every viewer sees the same; said: what agents told each other
    with their last action.
    """

    city: City
    start: Mapping[str, Tensor]
    policy: Policy
    elapsed: Tensor
    look: Look
    shared: bool = True
    said: Mapping[str, Tensor] = field(default_factory=dict)
    _changes: dict[tuple[str, str, bool], Tensor] = field(default_factory=dict)

    def value(self, figure: str, viewer: str, revised: bool = False) -> Tensor:
        """A figure as published to a viewer: ``[B]``, or ``[B, D]`` where it is by district."""
        return self.look(figure, viewer, revised)

    def change(self, figure: str, viewer: str, revised: bool = False) -> Tensor:
        """Its change since the first year in units of a notable change."""
        key = (figure, "" if self.shared else viewer, revised)
        if key not in self._changes:
            value = self.value(figure, viewer, revised)
            self._changes[key] = change(indicator_of(figure), value, self.start[figure])
        return self._changes[key]
