"""What a plan with feedback sees of its city at a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from envs.city import tree
from envs.city.channel import Channel, ChannelState
from envs.city.indicators import INDICATORS, first_values
from envs.city.information import BIASES
from envs.city.levers import GOVERNORS
from envs.city.model import City, CityState, Flows
from envs.city.shocks import no_shocks
from envs.scenarios.city_v0 import CityV0


class Senses(Protocol):
    """Turns the months that pass into observations; a memory is a tree of tensors."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the F observations."""
        ...

    def start(self, draws: Tensor) -> Any:
        """What is remembered before the first month; ``draws`` ``[R]`` are the rows' futures."""
        ...

    def month(self, month: int, memory: Any, state: CityState, flows: Flows) -> Any:
        """What is remembered after a month; state is the one at its end."""
        ...

    def read(self, memory: Any) -> Tensor:
        """Observations ``[R, V, F]`` of about unit size, by governor V of ``GOVERNORS``."""
        ...


def watched(city: City) -> tuple[str, ...]:
    """Indicators that the governors of ``city_v0`` watch."""
    names = {name for group in CityV0().groups(city) for name in group.observation_names}
    return tuple(name for name in INDICATORS if name in names)


@dataclass(frozen=True)
class _Scale:
    """The first year's figures ``[1, F]`` and how changes from it are counted."""

    first: Tensor
    logs: Tensor
    notable: Tensor

    @classmethod
    def of(cls, names: Sequence[str], values: Mapping[str, Tensor]) -> _Scale:
        rows = [INDICATORS[name] for name in names]
        first = torch.stack([values[name] for name in names], -1)
        logs = torch.tensor([row.log for row in rows])
        return cls(first, logs, first.new_tensor([row.scale for row in rows]))

    def change(self, figures: Tensor) -> Tensor:
        """Changes in notable ones, of figures ``[..., F]`` (as ``indicators.change``)."""
        one = torch.ones_like(self.first)
        ratio = torch.where(self.logs, figures, one) / torch.where(self.logs, self.first, one)
        return torch.where(self.logs, torch.log(ratio), figures - self.first) / self.notable


def _first_month(city: City) -> tuple[CityState, Flows]:
    start = city.initial()
    like = start.planning.home_rent
    with torch.no_grad():
        _, flows = city.step(start, {}, no_shocks(like.shape[0], like.shape[1], like))
    return start, flows


class Perfect:
    """Every governor sees every indicator, exact and at once."""

    def __init__(self, city: City, interval: int) -> None:
        """Args: city: one row; interval: months between decisions, nobody looks in between."""
        self.names = watched(city)
        self._city, self._interval = city, interval
        self._scale = _Scale.of(self.names, first_values(city, *_first_month(city)))

    def start(self, draws: Tensor) -> Tensor:
        return self._scale.first.expand(len(draws), -1)

    def month(self, month: int, memory: Tensor, state: CityState, flows: Flows) -> Tensor:
        if (month + 1) % self._interval:
            return memory
        figures = [INDICATORS[name].city(self._city, state, flows) for name in self.names]
        return torch.stack(figures, -1)

    def read(self, memory: Tensor) -> Tensor:
        return self._scale.change(memory).unsqueeze(1).expand(-1, len(GOVERNORS), -1)


@dataclass(frozen=True)
class Heard:
    """What the channel remembers of each row, and the rows' futures ``[R]``."""

    channel: ChannelState
    draws: Tensor


class Published:
    """What the information channel lets through: late, noisy, in part, to each governor its own.

    The errors belong to the future: the same draw has the same errors under every plan.
    """

    def __init__(self, city: City, seeds: Sequence[int], months: int, information: float) -> None:
        """Args: city: one row; seeds: of the errors, one a future; months: of the plan;
        information: 1 perfect to 0 silo."""
        self.names = watched(city)
        self._city, self._information = city, information
        state, flows = _first_month(city)
        self._first = first_values(city, state, flows)
        self._biased = {name: share(city, state, flows) for name, share in BIASES.items()}
        self._scale = _Scale.of(self.names, self._first)
        self._channels: dict[int, Channel] = {}
        master = self._channel(len(seeds))
        for row, seed in enumerate(seeds):
            master.seed(row, seed)
        self._opening = master.begin()
        self._noise = torch.stack([master.draw() for _ in range(months)])

    def start(self, draws: Tensor) -> Heard:
        chosen = tree.tree_map(lambda x: x.index_select(0, draws), self._opening)
        return Heard(chosen, draws)

    def month(self, month: int, memory: Heard, state: CityState, flows: Flows) -> Heard:
        channel = self._channel(len(memory.draws))
        measured = channel.measure(memory.channel, self._city, state, flows)
        after, _ = channel.publish(memory.channel, measured, self._noise[month, memory.draws])
        return Heard(after, memory.draws)

    def read(self, memory: Heard) -> Tensor:
        channel = self._channel(len(memory.draws))
        seen = [channel.look(memory.channel, governor) for governor in GOVERNORS]
        return self._scale.change(torch.stack(seen, 1))

    def _channel(self, rows: int) -> Channel:
        """The channel of a batch of ``rows``, made at its first use."""
        if rows not in self._channels:
            first, biased = (
                {name: x.expand(rows, *x.shape[1:]) for name, x in values.items()}
                for values in (self._first, self._biased)
            )
            self._channels[rows] = Channel(first, biased, self.names, GOVERNORS, self._information)
        return self._channels[rows]
