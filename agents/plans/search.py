"""Searches for plans by gradient, many of them climbing in one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from agents.plans.plan_set import PlanSet, Seat

Pull = TypeVar("Pull")


class Slope(Protocol[Pull]):
    """A world that plans can climb in (``agents.plans.world.World``)."""

    def score(self, seats: Sequence[Seat]) -> list[Tensor]: ...

    def ascend(self, seats: Sequence[Seat], pull: Pull | None) -> Pull: ...


@dataclass(frozen=True)
class Search:
    """Copies of one plan that climb.

    Attributes:
        plans: what climbs.
        pool: futures to learn from. batch: how many of them every copy meets at a time; None
            gives copy i future ``pool[i]`` and no other: it is clairvoyant.
        measure: column of the world's measures.
    """

    plans: PlanSet
    pool: Sequence[int]
    batch: int | None
    measure: int = 0

    def draw(self, generator: torch.Generator) -> Seat:
        """Rows of the next few steps."""
        pool, copies = torch.tensor(self.pool), torch.arange(self.plans.copies)
        if self.batch is None:
            return Seat(self.plans, copies, pool, self.measure)
        met = pool[torch.randperm(len(pool), generator=generator)[: self.batch]]
        rows = copies.repeat_interleave(len(met))
        return Seat(self.plans, rows, met.repeat(len(copies)), self.measure)

    def meet(self, draws: Sequence[int]) -> Seat:
        """Every copy with every future of ``draws``, copy by copy."""
        rows = torch.arange(self.plans.copies).repeat_interleave(len(draws))
        met = torch.tensor(draws).repeat(self.plans.copies)
        return Seat(self.plans, rows, met, self.measure)


@dataclass(frozen=True)
class Pace:
    """How a search climbs.

    Attributes:
        iterations: gradient steps. rate: of ADAM at the start, in units of the levers' range;
            it falls to a tenth along a cosine. gain_rate: the same for gains.
        renew: steps between new draws from the pool and a new tail.
    """

    iterations: int
    rate: float
    gain_rate: float
    renew: int


def climb(
    world: Slope[Pull],
    searches: Sequence[Search],
    pace: Pace,
    seed: int,
    tick: Callable[[], None],
) -> None:
    """Improve every plan of ``searches`` in place by ADAM (Kingma & Ba 2015).

    Args:
        seed: of the draws from the pools; searches with pools of one size draw alike.
        tick: called after each step.
    """
    groups = [{"params": [search.plans.plan], "base": pace.rate} for search in searches] + [
        {"params": [search.plans.gains], "base": pace.gain_rate}
        for search in searches
        if search.plans.gains is not None
    ]
    adam = torch.optim.Adam(groups, lr=pace.rate, betas=(0.9, 0.98), maximize=True)
    seats: list[Seat] = []
    pull = None
    for step in range(pace.iterations):
        if step % pace.renew == 0:
            seats, pull = [search.draw(_generator(seed, step)) for search in searches], None
        fall = 0.55 + 0.45 * cos(pi * step / pace.iterations)
        for group in adam.param_groups:
            group["lr"] = fall * group["base"]
        adam.zero_grad()
        pull = world.ascend(seats, pull)
        adam.step()
        for search in searches:
            search.plans.project()
        tick()


def best_copies(
    world: Slope[Pull], searches: Sequence[Search], draws: Sequence[int]
) -> list[PlanSet]:
    """The copy of each search that does best on average over ``draws``."""
    seats = [search.meet(draws) for search in searches]
    chosen = []
    for search, gains in zip(searches, world.score(seats), strict=True):
        means = gains[:, search.measure].reshape(search.plans.copies, -1).mean(1)
        chosen.append(search.plans.pick(int(means.argmax())))
    return chosen


def _generator(seed: int, step: int) -> torch.Generator:
    drawn = np.random.SeedSequence([seed, step]).generate_state(1)[0]
    return torch.Generator().manual_seed(int(drawn))
