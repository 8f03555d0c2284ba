"""What is known at the end of a step: what goals, costs and reports read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from envs.city.information import formula_of
from envs.city.model import City, CityState, Flows


@dataclass(frozen=True)
class Scene:
    """What is known at the end of a step: the governed rows and their status-quo twins.

    said: what agents told each other with their last action (``Scenario.say``).
    """

    city: City
    state: CityState
    flows: Flows
    twin_state: CityState
    twin_flows: Flows
    start: Mapping[str, Tensor]
    elapsed: Tensor
    said: Mapping[str, Tensor] = field(default_factory=dict)
    _values: dict[str, Tensor] = field(default_factory=dict)

    def value(self, name: str) -> Tensor:
        """A figure as it truly is, worked out at its first use: ``[B]`` of the whole city,
        ``[B, D]`` of the districts where the name begins with ``district:``."""
        if name not in self._values:
            self._values[name] = formula_of(name)(self.city, self.state, self.flows)
        return self._values[name]
