"""The information channel: what happens to figures between the city and those who govern it.

``o_t = M (.) y_{t - lag} exp(sigma eps_t)`` (MODEL section 7). Measuring loses what no sensor
covers and what nobody registers; publishing takes time, errs, skips releases and revises
after a year. Shapes: B rows, n columns (one a figure of the city, D a figure of the
districts), S series, V viewers, W months of history.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs.city import tree
from envs.city.information import (
    BIASES,
    DISTRICT,
    REVISED_ERROR,
    REVISION,
    SERIES,
    TREASURY,
    Series,
    formula_of,
    indicator_of,
    interpolated,
    series_of,
)
from envs.city.levers import GOVERNORS
from envs.city.model import City, CityState, Flows

#: Random numbers of a month and column: first release, revision, whether it appears.
DRAWS = 3
#: Sets the channel's random streams apart from those of the weather with the same seed.
_STREAM = (1,)


@dataclass(frozen=True)
class ChannelState:
    """What the channel remembers.

    history: ``[B, W, n]`` figures as measured, newest month first; seen: ``[B, n]`` last
    release; revised: ``[B, n]`` last revision, of a figure a year older; month: ``[B]`` months
    since the start; sensors: ``[B, S, D]`` and shared: ``[B, V, S]`` uniform numbers: what is
    below the coverage is measured, what is below the level of information is passed on.
    """

    history: Tensor
    seen: Tensor
    revised: Tensor
    month: Tensor
    sensors: Tensor
    shared: Tensor


class Channel:
    """Publishes figures of a batch of cities at one level of information.

    ``measure`` and ``publish`` are pure; randomness enters by ``draw`` and ``restart``, from
    one stream a row, so that a row's errors depend on its seed alone. The same seed gives
    the same random numbers at every level of information.
    """

    def __init__(
        self,
        city: City,
        start: Mapping[str, Tensor],
        biased: Mapping[str, Tensor],
        figures: Sequence[str],
        viewers: Sequence[str],
        information: float,
    ) -> None:
        """Args:
            city: gives the number of districts.
            start: first-year value of every figure and of its ``district:`` counterpart.
            biased: first-year values of ``BIASES``, ``[B, D]``.
            figures: what is published; viewers: who looks.

        Raises:
            ValueError: a figure that no series publishes, or information outside [0, 1].
        """
        self.information = information
        self.figures = tuple(figures)
        self.viewers = tuple(viewers)
        self._published = {name: interpolated(row, information) for name, row in SERIES.items()}
        self._number = {name: number for number, name in enumerate(SERIES)}
        self._series = {name: self._published[series_of(name).name] for name in figures}
        self._start, self._biased = start, biased
        first = {name: _columns(start[name]) for name in figures}
        widths = [first[name].shape[1] for name in figures]
        ends = np.cumsum([0, *widths]).tolist()
        self._places = {
            name: slice(a, b) for name, a, b in zip(figures, ends[:-1], ends[1:], strict=True)
        }
        self._first = torch.cat([first[name] for name in figures], 1)
        self._districts = city.districts

        def column(values: list[float], dtype: torch.dtype) -> Tensor:
            each = torch.tensor(values, dtype=dtype, device=self._first.device)
            return each.repeat_interleave(torch.tensor(widths, device=each.device))

        rows, real = [self._series[name] for name in figures], self._first.dtype
        self._lag = column([row.lag for row in rows], torch.long)
        self._every = column([row.every for row in rows], torch.long)
        self._noise = column([row.noise for row in rows], real)
        self._absent = column([_quantile(row.missing) for row in rows], real)
        self._each = torch.arange(ends[-1], device=self._first.device)
        self._length = max(row.lag for row in rows) + REVISION + 1
        self._streams: list[np.random.Generator] = []
        for number in range(self._first.shape[0]):
            self._streams.append(np.random.default_rng(number))

    def seed(self, row: int, seed: int) -> None:
        """Give a row a fresh random stream."""
        self._streams[row] = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=_STREAM))

    def draw(self, rows: Sequence[int] | None = None) -> Tensor:
        """Standard normal numbers ``[rows, DRAWS, n]`` of one month (default: of all rows)."""
        size = (DRAWS, self._first.shape[1])
        chosen = range(len(self._streams)) if rows is None else rows
        drawn = np.stack([self._streams[row].standard_normal(size) for row in chosen])
        return torch.as_tensor(drawn).to(self._first)

    def begin(self) -> ChannelState:
        """The state of all rows at the start of an episode."""
        return self._opening(list(range(len(self._streams))))

    def restart(self, state: ChannelState, rows: Sequence[int]) -> ChannelState:
        """Put rows back to the start, with fresh sensors and errors; the others stay."""
        index = torch.as_tensor(list(rows), device=self._first.device)
        return tree.tree_map(
            lambda old, new: old.index_copy(0, index, new), state, self._opening(rows)
        )

    def _opening(self, rows: Sequence[int]) -> ChannelState:
        """First-year figures as they stand published, for chosen rows."""
        uniform = np.stack([self._streams[r].random((len(SERIES), self._districts)) for r in rows])
        shared = np.stack(
            [self._streams[row].random((len(self.viewers), len(SERIES))) for row in rows]
        )
        noise = self.draw(rows)
        first = self._first[torch.as_tensor(list(rows), device=self._first.device)]
        return ChannelState(
            history=first.unsqueeze(1).expand(-1, self._length, -1).clone(),
            seen=self._erring(first, noise[:, 0], 1.0),
            revised=self._erring(first, noise[:, 1], REVISED_ERROR),
            month=torch.zeros(len(rows), dtype=torch.long, device=first.device),
            sensors=torch.as_tensor(uniform).to(first),
            shared=torch.as_tensor(shared).to(first),
        )

    def measure(self, state: ChannelState, city: City, now: CityState, flows: Flows) -> Tensor:
        """Figures of a month ``[B, n]`` as they are counted and sampled, before publication.

        Args:
            now, flows: of the city; rows beyond those of the channel are left out.
        """
        rows, severity = self._first.shape[0], 1 - self.information
        counted = {
            name: (BIASES[name](city, now, flows)[:rows] / self._biased[name]) ** severity
            for name in {row.bias for row in self._series.values() if row.bias and severity}
        }
        people = flows.residents.people[:rows].sum(-1)
        columns = []
        for name, series in self._series.items():
            value = formula_of(name)(city, now, flows)[:rows]
            local = name.startswith(DISTRICT)
            if not local and series.coverage < 1 and indicator_of(name).district is not None:
                truth = formula_of(DISTRICT + name)(city, now, flows)[:rows]
                value = value * self._sampled(state, series, truth, self._start[DISTRICT + name])
            if series.bias in counted:
                share = counted[series.bias]
                average = (share * people).sum(-1) / people.sum(-1)
                value = value * (share if local else average)
            columns.append(_columns(value))
        return torch.cat(columns, 1)

    def _standing(self, state: ChannelState, series: Series) -> Tensor:
        """Districts ``[B, D]`` where a series is measured; at least one."""
        numbers = state.sensors[:, self._number[series.name]]
        return (numbers < series.coverage) | (numbers <= numbers.amin(-1, keepdim=True))

    def _sampled(self, state: ChannelState, series: Series, truth: Tensor, start: Tensor) -> Tensor:
        """Growth since the first year where it is measured, over growth everywhere ``[B]``."""
        here = self._standing(state, series).to(truth)
        sample = (here * truth).sum(-1) / (here * start).sum(-1)
        return sample / (truth.sum(-1) / start.sum(-1))

    def publish(
        self, state: ChannelState, measured: Tensor, noise: Tensor
    ) -> tuple[ChannelState, Tensor]:
        """One month: file what was measured, release and revise what is due.

        Args:
            measured: ``[B, n]``; noise: ``[B, DRAWS, n]`` standard normal.

        Returns:
            The next state and the last release of every figure ``[B, n]``.
        """
        month = state.month + 1
        history = torch.cat([measured.unsqueeze(1), state.history[:, :-1]], 1)
        age = month.unsqueeze(1) - self._lag
        appears = noise[:, 2] > self._absent
        latest = self._erring(history[:, self._lag, self._each], noise[:, 0], 1.0)
        older = history[:, self._lag + REVISION, self._each]
        seen = torch.where((age % self._every == 0) & appears, latest, state.seen)
        revised = torch.where(
            (age - REVISION) % self._every == 0,
            self._erring(older, noise[:, 1], REVISED_ERROR),
            state.revised,
        )
        after = ChannelState(history, seen, revised, month, state.sensors, state.shared)
        return after, seen

    def _erring(self, figures: Tensor, noise: Tensor, share: float) -> Tensor:
        return figures * torch.exp(share * self._noise * noise)

    def look(self, state: ChannelState, figure: str, viewer: str, revised: bool = False) -> Tensor:
        """A figure as a viewer sees it ``[B]`` or ``[B, D]``; the first year's where it sees none.

        Raises:
            KeyError: a figure or viewer that the channel was not made for.
        """
        series, place = self._series[figure], self._places[figure]
        published = (state.revised if revised else state.seen)[:, place]
        visible = self._reaches(state, series, figure, viewer).unsqueeze(1)
        if figure.startswith(DISTRICT):
            visible = visible & self._standing(state, series)
        elif series.coverage < 1 and indicator_of(figure).district is None:
            alone = state.sensors[:, self._number[series.name], :1]
            visible = visible & (alone < series.coverage)
        found = torch.where(visible, published, self._first[:, place])
        return found if figure.startswith(DISTRICT) else found.squeeze(1)

    def _reaches(self, state: ChannelState, series: Series, figure: str, viewer: str) -> Tensor:
        """Whether a series is passed on to a viewer ``[B]``.

        Its own block's and the treasury's always are; a board of a district knows its own
        district; everything else with chance ``information``.
        """
        own = series.block in (viewer, TREASURY)
        if own or (viewer not in GOVERNORS and figure.startswith(DISTRICT)):
            return torch.ones_like(state.month, dtype=torch.bool)
        numbers = state.shared[:, self.viewers.index(viewer), self._number[series.name]]
        return numbers < self.information


def _columns(value: Tensor) -> Tensor:
    return value.unsqueeze(1) if value.dim() == 1 else value


def _quantile(share: float) -> float:
    """The standard normal number below which ``share`` of draws fall."""
    return math.sqrt(2) * float(torch.erfinv(torch.tensor(2 * share - 1, dtype=torch.float64)))
