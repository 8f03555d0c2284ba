"""The plans that are compared: found in two stages, many at a time, and scored side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.plans import (
    MEASURES,
    Layout,
    Pace,
    PlanSet,
    Search,
    Seat,
    Slope,
    World,
    best_copies,
    climb,
)
from agents.plans.layout import TILTED
from agents.plans.senses import Perfect, Published, Senses
from agents.plans.world import DECISION
from envs.city.dynamics import PRESETS
from envs.city.levers import GOVERNORS
from experiments.gains.draws import Draws
from experiments.gains.effort import Effort

Floats = NDArray[np.float64]
Tick = Callable[[], None]
TOTAL, ATKINSON = (MEASURES.index(name) for name in ("total", "atkinson"))


def pace(work: Effort, steps: int) -> Pace:
    """How a stage of ``steps`` gradient steps climbs."""
    return Pace(steps, work.rate, work.gain_rate, work.renew)


def constant_plans(
    world: Slope[Any],
    layout: Layout,
    lessons: Sequence[int],
    work: Effort,
    seed: int,
    tick: Tick,
) -> dict[str, PlanSet]:
    """The best constant plans: "joint", one a governor with the others at today's settings, and
    "equal", which values equality but treats all types alike."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand((work.starts, 1, len(layout.names)), generator=generator)
    start = (2 * drawn - 1) * work.spread
    start[0] = 0
    alike = torch.tensor([float(name.partition("[")[0] not in TILTED) for name in layout.names])
    free = {governor: layout.held_by(governor) for governor in GOVERNORS}
    free |= {"joint": torch.ones_like(alike), "equal": alike}
    searches = {
        name: Search(
            PlanSet(layout, start, mask),
            lessons,
            work.batch,
            ATKINSON if name == "equal" else TOTAL,
        )
        for name, mask in free.items()
    }
    climb(world, list(searches.values()), pace(work, work.constant), seed, tick)
    best = best_copies(world, list(searches.values()), lessons[: 2 * work.batch])
    return dict(zip(searches, best, strict=True))


def together(alone: Sequence[PlanSet]) -> PlanSet:
    """Plans that were found apart, each for its own levers, followed side by side."""
    every = torch.stack([plans.plan.detach() * plans.free for plans in alone]).sum(0)
    return PlanSet(alone[0].layout, every)


class Study:
    """Plans for one city, found in two stages and scored on futures that none learnt from."""

    def __init__(self, world: World, draws: Draws, work: Effort, seed: int) -> None:
        self.world, self.draws, self.work, self.seed = world, draws, work, seed
        self.layout = Layout.of(world.city)
        self.plans: dict[str, PlanSet] = {}

    def constant(self, tick: Tick) -> None:
        """First stage: one setting for each lever, for the whole city and for ever."""
        found = constant_plans(
            self.world,
            self.layout,
            self.draws.lessons[self.work.preset],
            self.work,
            self.seed,
            tick,
        )
        self.plans |= found

    def vary(self, tick: Tick) -> None:
        """Second stage, from the constant plans on: by district, type, time and what is seen.

        The constant plans go on climbing beside them, so that no plan had more steps.
        """
        joint, equal = self.plans["joint"], self.plans["equal"]
        main, lessons = self.work.preset, self.draws.lessons
        districts, kinds = (Layout.of(self.world.city, axis) for axis in (("D",), ("K",)))
        searches = {
            name: self._search(plans, main, ATKINSON if name == "equal" else TOTAL)
            for name, plans in self.plans.items()
        }
        local = PlanSet(districts, districts.adopt(joint.layout, joint.plan[0])[None])
        by_type = PlanSet(kinds, kinds.adopt(equal.layout, equal.plan[0])[None])
        searches["by district"] = self._search(local, main)
        searches["by type"] = self._search(by_type, main, ATKINSON)
        city, months = self.world.city, self.world.months
        perfect = Perfect(city, DECISION)
        timed = self._over_time(joint)
        for preset in PRESETS:
            searches[f"open loop, {preset}"] = self._search(PlanSet(self.layout, timed), preset)
            known = self.draws.tests[preset]
            each = PlanSet(self.layout, timed.expand(len(known), -1, -1))
            searches[f"clairvoyant, {preset}"] = Search(each, known, None)
            if len(lessons[preset]) > 1:
                plans = self._with_feedback(timed, perfect, preset)
                searches[f"feedback, {preset}"] = self._search(plans, preset)
        if len(lessons[main]) > 1:
            told = Published(city, self.draws.seeds, months, self.work.information)
            plans = self._with_feedback(timed, told, main)
            searches["poorly informed"] = self._search(plans, main)
        self._climb(list(searches.values()), self.work.varied, tick)
        self.plans |= {name: search.plans for name, search in searches.items()}

    def score(self) -> dict[str, Floats]:
        """Gain of every plan on each held-out future of its preset, percent of income for ever.

        A clairvoyant may also follow the plan that was made in advance.
        """
        alone = [self.plans[governor] for governor in GOVERNORS]
        plans = {**self.plans, "together": together(alone)}
        seats = {name: self._seat(name, found) for name, found in plans.items()}
        gains = self.world.score(list(seats.values()))
        found = {
            name: values[:, seat.measure].double().numpy()
            for (name, seat), values in zip(seats.items(), gains, strict=True)
        }
        for preset in PRESETS:
            name = f"clairvoyant, {preset}"
            found[name] = np.maximum(found[name], found[f"open loop, {preset}"])
        return found

    def constants(self) -> dict[str, float]:
        """Mean gain of the best constant plan on the held-out futures of every preset."""
        plans = self.plans["joint"]
        seats = []
        for preset in PRESETS:
            tests = torch.tensor(self.draws.tests[preset])
            seats.append(Seat(plans, torch.zeros_like(tests), tests))
        means = [float(values[:, TOTAL].mean()) for values in self.world.score(seats)]
        return dict(zip(PRESETS, means, strict=True))

    def _seat(self, name: str, plans: PlanSet) -> Seat:
        kind, _, preset = name.partition(", ")
        tests = torch.tensor(self.draws.tests[preset or self.work.preset])
        copies = torch.arange(len(tests)) if kind == "clairvoyant" else torch.zeros_like(tests)
        measure = ATKINSON if name in ("equal", "by type") else TOTAL
        return Seat(plans, copies, tests, measure)

    def _search(self, plans: PlanSet, preset: str, measure: int = TOTAL) -> Search:
        return Search(plans, self.draws.lessons[preset], self.work.batch, measure)

    def _over_time(self, plans: PlanSet) -> Tensor:
        """A constant plan spelled out by period ``[1, periods, C]``."""
        periods = max(1, self.world.months // (12 * self.work.years))
        return plans.plan.detach()[:1].expand(-1, periods, -1)

    def _with_feedback(self, plan: Tensor, senses: Senses, preset: str) -> PlanSet:
        met = self.draws.lessons[preset][: len(self.draws.tests[preset])]
        outlook = self.world.outlook(PlanSet(self.layout, plan), senses, torch.tensor(met))
        return PlanSet(self.layout, plan, outlook=outlook)

    def _climb(self, searches: Sequence[Search], steps: int, tick: Tick) -> None:
        climb(self.world, searches, pace(self.work, steps), self.seed, tick)
