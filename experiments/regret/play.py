"""Playing policies through a break and through the same months without it.

Shapes: S seeds of a policy, C held-out cities, T steps, B = S C rows of an environment, in which
every seed of a policy meets the same cities and shocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import envs
from agents.policy import Policy
from envs.city.valuation import discount_factor
from experiments.config import Config
from experiments.errors import InputError
from experiments.regret.entries import Entry
from experiments.regret.oracle import Actions, Climb, best_plan
from experiments.regret.tuner import Tuner, Tuning

Floats = NDArray[np.float64]
Tick = Callable[[], None]
Act = Callable[[int, Mapping[str, Tensor]], Actions]
Governor = Callable[[Mapping[str, Tensor], Actions], Actions]
#: The world without a break, and the names of who plans anew for the city as it was, who for the
#: city as estimated anew, and who knows the world.
CALM, PLANNER, TUNER, ORACLE = "none", "re-planning", "self-tuning", "oracle"


def at_hand(seen: Mapping[str, Tensor], asked: Actions) -> Actions:
    """What the policies at hand would do."""
    return asked


@dataclass(frozen=True)
class Break:
    """What breaks, after how many months, how hard, and months within which to have recovered."""

    regimes: tuple[str, ...]
    month: int
    strength: float
    within: int

    def problems(self, horizon: int, months_per_step: int) -> list[str]:
        """What is wrong with it for episodes of a length, in words."""
        found = [
            f"--{name} {months}: expected whole steps of {months_per_step} months"
            for name, months in (("month", self.month), ("within", self.within))
            if months % months_per_step
        ]
        if self.month + self.within >= horizon:
            found.append(
                f"--month {self.month} and --within {self.within}: expected to end before the "
                f"scenario's horizon of {horizon} months"
            )
        return found


@dataclass(frozen=True)
class Course:
    """What one entry lived through in one world, against the status quo.

    flow: welfare a month ``[S, C, T]``, share of income. earned ``[S, C]``: by the months after
    the break, per month: their flow, and what stocks are worth at the end beyond what they were
    worth at the break, if today's policy follows.
    """

    flow: Floats
    earned: Floats


@dataclass(frozen=True)
class Flow:
    """One entry's courses by world, `CALM` among them."""

    name: str
    courses: Mapping[str, Course]


def flows(
    config: Config,
    entries: Sequence[Entry],
    struck: Break,
    tuning: Tuning | None,
    climb: Climb,
    tick: Tick,
) -> list[Flow]:
    """Every entry on the held-out cities of a configuration, without a break and with each.

    Behind them, where there is a tuning, the planners that take over from the first entry when they
    notice a break; and, unless it may take no steps, the oracle: from the break on, a plan for each
    city that knows its parameters and shocks, from where the first entry had led it.

    Args:
        tick: called after every step of a policy and every gradient step of the oracle.

    Raises:
        InputError: a break is so hard that cities run away beyond all numbers.
    """
    courses: dict[str, dict[str, Course]] = {}
    groups = _world(config, struck, CALM, 1).groups
    members = [entry.members(groups) for entry in entries]
    for regime in (CALM, *struck.regimes):
        worlds = {n: _world(config, struck, regime, n) for n in {len(x) for x in members}}
        for entry, policies in zip(entries, members, strict=True):
            env = worlds[len(policies)]
            played = _Play(env, config, struck, tick)
            courses.setdefault(entry.name, {})[regime] = played.follow(policies)
            if entry is not entries[0]:
                continue
            if climb.iterations:
                courses.setdefault(ORACLE, {})[regime] = played.improve(climb)
            for name, planner in _planners(tuning).items():
                played = _Play(env, config, struck, tick)
                courses.setdefault(name, {})[regime] = played.tune(policies, planner)
    known = [ORACLE] if climb.iterations else []
    names = [*(entry.name for entry in entries), *_planners(tuning), *known]
    if problems := _runaways(courses, config.settings.experiment.evaluation.first_seed):
        raise InputError(problems)
    return [Flow(name, courses[name]) for name in names]


def _runaways(courses: Mapping[str, Mapping[str, Course]], first_seed: int) -> list[str]:
    """Where welfare is no number, in words."""
    found = []
    for name, worlds in courses.items():
        for regime, course in worlds.items():
            lost = np.flatnonzero(~np.isfinite(course.earned).all(0))
            if len(lost):
                seeds = ", ".join(str(first_seed + city) for city in lost)
                found.append(
                    f"{name}, regime {regime}: cities of seed {seeds} run away beyond all numbers; "
                    "expected a break that cities can survive: lower --strength or "
                    "scenario.uncertainty"
                )
    return found


def work(
    entries: Sequence[Entry],
    struck: Break,
    tuning: Tuning | None,
    climb: Climb,
    months_per_step: int,
) -> int:
    """Steps and gradient steps in all."""
    worlds, steps = 1 + len(struck.regimes), (struck.month + struck.within) // months_per_step
    after = struck.within // months_per_step
    plan = climb.iterations + after if climb.iterations else 0
    tuned = sum(steps + planner.work(after) for planner in _planners(tuning).values())
    return worlds * (len(entries) * steps + plan + tuned)


def _planners(tuning: Tuning | None) -> dict[str, Tuning]:
    """Who plans anew after a break, by name."""
    return {} if tuning is None else {PLANNER: replace(tuning, iterations=0), TUNER: tuning}


def _world(config: Config, struck: Break, regime: str, seeds: int) -> Any:
    evaluation = config.settings.experiment.evaluation
    cities = evaluation.cities
    options = config.environment(seeds * cities, evaluation.first_seed, cities=cities)
    changes = {
        "regime": regime,
        "regime_month": struck.month,
        "regime_strength": struck.strength,
        "terminal": "tail",  # what stocks are worth is worked out here, when it is asked for
    }
    return envs.make(config.scenario, **(options | changes))


class _Play:
    """An environment with the cities of all seeds of a policy, played once."""

    def __init__(self, env: Any, config: Config, struck: Break, tick: Tick) -> None:
        evaluation = config.settings.experiment.evaluation
        self.env, self.tick, self.within = env, tick, struck.within
        self.config, self.struck = config, struck
        self.cities = evaluation.cities
        self.first = evaluation.first_seed
        self.before, self.steps = (
            months // env.months_per_step for months in (struck.month, struck.within)
        )
        self.flow: list[Tensor] = []
        self.during: list[Tensor] = []
        self.script: list[Actions] = []

    def tune(self, members: Sequence[Policy], tuning: Tuning) -> Course:
        """The self-tuning planner's course, with every member at its hand on rows of its own."""
        steps, expected = self.before + self.steps, tuning.work(self.steps)
        ticked = 0

        def tick() -> None:
            nonlocal ticked
            ticked += 1
            self.tick()

        def world(times: int) -> Any:
            return _world(self.config, self.struck, CALM, times * len(members))

        tuner = Tuner(world, self._seeds(members), steps, tuning, tick)
        course = self.follow(members, tuner.act)
        for _ in range(expected - ticked):  # nothing was noticed
            self.tick()
        return course

    def _seeds(self, members: Sequence[Policy]) -> list[int]:
        return [self.first + city for _ in members for city in range(self.cities)]

    @torch.no_grad()
    def follow(self, members: Sequence[Policy], governor: Governor = at_hand) -> Course:
        """Every member on its own rows, from the first month on.

        Args:
            governor: what is done, from what is seen and what the members would do.
        """
        parts = [slice(k * self.cities, (k + 1) * self.cities) for k in range(len(members))]

        def act(step: int, seen: Mapping[str, Tensor]) -> Actions:
            chosen = [
                policy.act({name: x[part] for name, x in seen.items()})
                for policy, part in zip(members, parts, strict=True)
            ]
            asked = {name: torch.cat([one[name] for one in chosen]) for name in seen}
            actions = governor(seen, asked)
            self.script.append(actions)
            return actions

        for policy in members:
            policy.reset(self.cities)
        seen, _ = self.env.reset(seed=self._seeds(members))
        self.flow, seen = self._live(act, seen, self.before)
        self.moment, self.left = self.env.moment(), self.env.worth()
        self.during, _ = self._live(act, seen, self.steps)
        self.earned = self._earned(self.during)
        return self._course(self.during, self.earned)

    def improve(self, climb: Climb) -> Course:
        """The oracle's course: what was just followed until the break, then the best plan, or in
        cities where that earns less still what was followed."""
        followed = self.script[-self.steps :]
        plan = best_plan(self.env, self.moment, followed, climb, self.tick)
        with torch.no_grad():
            during, _ = self._live(lambda step, _: plan[step], {}, self.steps)
            earned = self._earned(during)
        better = earned > self.earned
        kept = [torch.where(better, *both) for both in zip(during, self.during, strict=True)]
        return self._course(kept, torch.where(better, earned, self.earned))

    def _live(
        self, act: Act, seen: Mapping[str, Tensor], steps: int
    ) -> tuple[list[Tensor], Mapping[str, Tensor]]:
        """Welfare of some steps, months of income, and what is seen after them."""
        found = []
        for step in range(steps):
            result = self.env.step(act(step, seen))
            seen = result.observations
            found.append(result.info["welfare"]["overall"])
            self.tick()
        return found, seen

    def _earned(self, during: Sequence[Tensor]) -> Tensor:
        """See `Course` ``[B]``; the environment stands at the end of the steps lived."""
        beta = discount_factor(self.env.city)[0] ** self.env.months_per_step
        flow = torch.stack([beta**step * x for step, x in enumerate(during)]).sum(0)
        found: Tensor = flow + beta ** len(during) * self.env.worth() - self.left
        return found / self.within

    def _course(self, during: Sequence[Tensor], earned: Tensor) -> Course:
        monthly = torch.stack([*self.flow, *during], -1) / self.env.months_per_step
        return Course(*(self._by_seed(x) for x in (monthly, earned)))

    def _by_seed(self, x: Tensor) -> Floats:
        """``[B, ...]`` as ``[S, C, ...]``."""
        found = x.detach().cpu().numpy().astype(np.float64)
        return found.reshape(-1, self.cities, *found.shape[1:])
