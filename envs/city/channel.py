"""The information channel: what happens to figures between the city and those who govern it.

``o_t = M (.) y_{t - lag} exp(sigma eps_t)`` (MODEL section 7). Measuring loses what no sensor
covers and what nobody registers; publishing takes time, errs, skips releases and revises
after a year. Shapes: B rows, n columns (one for a figure of the city, D for a figure of the
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
_NUMBER = {name: number for number, name in enumerate(SERIES)}


@dataclass(frozen=True)
class ChannelState:
    """What the channel remembers.

    history: ``[B, W, n]`` figures as measured, newest month first; seen: ``[B, n]`` last
    release; revised: ``[B, n]`` last revision, of a figure a year older; month: ``[B]`` months
    since the start; standing: ``[B, S, D]`` where a series is measured; visible: ``[B, V, n]``
    what reaches whom. The last two are drawn at the start.
    """

    history: Tensor
    seen: Tensor
    revised: Tensor
    month: Tensor
    standing: Tensor
    visible: Tensor


class Channel:
    """Publishes figures of a batch of cities at one level of information.

    ``measure`` and ``publish`` are pure; randomness enters by ``draw`` and ``restart``, from
    one stream a row, so that a row's errors depend on its seed alone. The same seed gives
    the same random numbers at every level of information.
    """

    def __init__(
        self,
        start: Mapping[str, Tensor],
        biased: Mapping[str, Tensor],
        figures: Sequence[str],
        viewers: Sequence[str],
        information: float,
    ) -> None:
        """Args:
            start: first-year value of every figure and of its ``district:`` counterpart.
            biased: first-year values of ``BIASES``, ``[B, D]``.
            figures: what is published; viewers: who looks.

        Raises:
            ValueError: a figure that no series publishes, or information outside [0, 1].
        """
        first = [_columns(start[name]) for name in figures]
        ends = np.cumsum([0, *(x.shape[1] for x in first)]).tolist()
        names = [name for name, x in zip(figures, first, strict=True) for _ in range(x.shape[1])]
        rows = [interpolated(series_of(name), information) for name in names]
        every_series = [interpolated(row, information) for row in SERIES.values()]
        self.information = information
        self._start, self._biased = start, biased
        self._series = {name: interpolated(series_of(name), information) for name in figures}
        self._viewers = {viewer: number for number, viewer in enumerate(viewers)}
        self._places = {
            name: slice(a, b) for name, a, b in zip(figures, ends[:-1], ends[1:], strict=True)
        }
        self._first = like = torch.cat(first, 1)

        def whole(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.long, device=like.device)

        def real(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=like.dtype, device=like.device)

        self._each = whole(range(len(names)))
        self._lag = whole([row.lag for row in rows])
        self._every = whole([row.every for row in rows])
        self._noise = real([row.noise for row in rows])
        self._absent = real([_quantile(row.missing) for row in rows])
        self._number = whole([_NUMBER[row.name] for row in rows])
        self._district = torch.cat([whole(range(x.shape[1])) for x in first])
        self._coverage = real([row.coverage for row in every_series])
        self._local = whole([name.startswith(DISTRICT) for name in names]).bool()
        self._summed = whole([indicator_of(name).district is not None for name in names]).bool()
        owned = [[_owns(v, n, row) for n, row in zip(names, rows, strict=True)] for v in viewers]
        self._owned = torch.tensor(owned, device=like.device)
        self._districts = next(iter(biased.values())).shape[1]
        self._length = max(row.lag for row in rows) + REVISION + 1
        self._streams = [np.random.default_rng(row) for row in range(like.shape[0])]

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
        return self._opening(range(len(self._streams)))

    def restart(self, state: ChannelState, rows: Sequence[int]) -> ChannelState:
        """Put rows back to the start, with fresh sensors and errors; the others stay."""
        index = torch.as_tensor(rows, device=self._first.device)
        return tree.tree_map(
            lambda old, new: old.index_copy(0, index, new), state, self._opening(rows)
        )

    def _opening(self, rows: Sequence[int]) -> ChannelState:
        """First-year figures as they stand published in chosen rows ``[R]``."""
        streams = [self._streams[row] for row in rows]
        size = (len(SERIES), self._districts)
        sensors = torch.as_tensor(np.stack([s.random(size) for s in streams])).to(self._first)
        size = (len(self._viewers), len(SERIES))
        shared = torch.as_tensor(np.stack([s.random(size) for s in streams])).to(self._first)
        noise = self.draw(rows)
        first = self._first[torch.as_tensor(rows, device=self._first.device)]
        covered = sensors < self._coverage.unsqueeze(-1)
        standing = covered | (sensors <= sensors.amin(-1, keepdim=True))
        here = torch.where(
            self._local,
            standing[:, self._number, self._district],
            covered[:, self._number, 0] | self._summed,
        )
        passed_on = self._owned | (shared[:, :, self._number] < self.information)
        return ChannelState(
            history=first.unsqueeze(1).expand(-1, self._length, -1).clone(),
            seen=self._erring(first, noise[:, 0]),
            revised=self._erring(first, REVISED_ERROR * noise[:, 1]),
            month=torch.zeros(len(rows), dtype=torch.long, device=first.device),
            standing=standing,
            visible=here.unsqueeze(1) & passed_on,
        )

    def measure(self, state: ChannelState, city: City, now: CityState, flows: Flows) -> Tensor:
        """Figures of a month ``[B, n]`` as they are counted and sampled, before publication.

        A figure of the city grows as it does where it is measured. What a series counts
        distorts by its change since the first year, to the power ``1 - information``.

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
                value = value * (share if local else (share * people).sum(-1) / people.sum(-1))
            columns.append(_columns(value))
        return torch.cat(columns, 1)

    def _sampled(self, state: ChannelState, series: Series, truth: Tensor, start: Tensor) -> Tensor:
        """Growth since the first year where it is measured, over growth everywhere ``[B]``."""
        here = state.standing[:, _NUMBER[series.name]].to(truth)
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
        latest = self._erring(history[:, self._lag, self._each], noise[:, 0])
        older = history[:, self._lag + REVISION, self._each]
        seen = torch.where((age % self._every == 0) & appears, latest, state.seen)
        revised = torch.where(
            (age - REVISION) % self._every == 0,
            self._erring(older, REVISED_ERROR * noise[:, 1]),
            state.revised,
        )
        after = ChannelState(history, seen, revised, month, state.standing, state.visible)
        return after, seen

    def _erring(self, figures: Tensor, noise: Tensor) -> Tensor:
        return figures * torch.exp(self._noise * noise)

    def look(self, state: ChannelState, viewer: str, revised: bool = False) -> Tensor:
        """All figures as a viewer sees them ``[B, n]``; the first year's where it sees none."""
        published = state.revised if revised else state.seen
        return torch.where(state.visible[:, self._viewers[viewer]], published, self._first)

    def figure(self, columns: Tensor, name: str) -> Tensor:
        """One figure of ``columns`` ``[B, n]``: ``[B]``, or ``[B, D]`` where it is by district.

        Raises:
            KeyError: a figure that the channel was not made for.
        """
        found = columns[:, self._places[name]]
        return found if name.startswith(DISTRICT) else found.squeeze(1)


def _owns(viewer: str, figure: str, series: Series) -> bool:
    """Whether a viewer sees a figure in a silo.

    A governor sees its own block's and the treasury's; a board sees its own district.
    """
    board = viewer not in GOVERNORS
    return series.block in (viewer, TREASURY) or (board and figure.startswith(DISTRICT))


def _columns(value: Tensor) -> Tensor:
    return value.unsqueeze(1) if value.dim() == 1 else value


def _quantile(share: float) -> float:
    """The standard normal number below which ``share`` of draws fall."""
    return math.sqrt(2) * float(torch.erfinv(torch.tensor(2 * share - 1, dtype=torch.float64)))
