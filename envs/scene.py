"""What is known at the end of a step: what goals, costs and reports read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from envs.city.indicators import INDICATORS
from envs.city.model import City, CityState, Flows


@dataclass(frozen=True)
class Scene:
    """What is known at the end of a step: the governed rows and their status-quo twins."""

    city: City
    state: CityState
    flows: Flows
    twin_state: CityState
    twin_flows: Flows
    start: Mapping[str, Tensor]
    elapsed: Tensor
    _values: dict[str, Tensor] = field(default_factory=dict)

    def value(self, name: str) -> Tensor:
        """An indicator of the whole city ``[B]``, worked out at its first use."""
        if name not in self._values:
            self._values[name] = INDICATORS[name].city(self.city, self.state, self.flows)
        return self._values[name]
