"""Saez's schedule and learned ones: found, then played on cities that nothing was trained on.

Three entrants at each aversion to inequality. ``saez``: the optimal linear rate from social weights
and the elasticity estimated in each city; ``constant``: one rate for all cities by gradient through
the model; ``learned``: a policy that sees the city and also sets a rebate for each household type.
The last two meet training cities alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

import envs
from agents import learners
from agents.planner import Planner
from agents.policy import Policy
from agents.ppo_settings import training_seed
from agents.segments import Learner
from envs.city import welfare
from envs.registry import resolve
from experiments.taxation import saez
from experiments.taxation.effort import Effort
from experiments.taxation.play import Constant, Score, play
from experiments.taxation.response import Response, estimate

SCENARIO = "taxation_v0"
#: What competes, by the name of its results.
ENTRANTS = ("saez", "constant", "learned")
#: Weather of the estimate: another than the one that schedules are scored in.
ESTIMATE = 500_000
YEAR = 12
#: Runs whose seeds make worlds to learn in.
WORLD = 2**32
Tick = Callable[[], None]


@dataclass(frozen=True)
class Rule:
    """Saez's formula in each city: mean social weight ``[C]``, the optimal rate ``[C]`` and the
    rate ``[C]`` that the city may ask for."""

    weight: Tensor
    optimum: Tensor
    rate: Tensor


@dataclass(frozen=True)
class Study:
    """Cities to score on and worlds to learn in.

    work: how much is done; cities: scored on, ``first_seed`` that of the first; districts: of a
    city (None: as its preset says); seed: of what is learnt; dynamics: of all worlds.
    """

    work: Effort
    cities: int
    first_seed: int
    districts: int | None
    seed: int
    dynamics: str

    def response(self) -> Response:
        """The elasticity of taxable income in each city that is scored on."""
        work = self.work
        steps, last = work.response // YEAR, work.window // YEAR
        weather = self.first_seed + ESTIMATE
        return estimate(self._held_out("linear", 0.0), work.rise, steps, last, weather)

    def rule(self, response: Response, aversion: float) -> Rule:
        """Saez's rates, from the incomes of each city's first year."""
        city = resolve("synthetic", self.first_seed, self.districts, self.cities)
        ref = welfare.reference(city)
        weights = saez.social_weights(ref.income, ref.people, aversion)
        mean = saez.mean_weight(weights, ref.income, ref.people)
        optimum = saez.linear_rate(mean, response.base.to(mean))
        return Rule(mean, optimum, saez.feasible(optimum))

    def constant(self, aversion: float) -> Policy:
        """The best rate for all training cities, for ever, by gradient through the model."""
        settings = self.work.planning()
        rows = settings.starts * settings.cities
        world = self._training("linear", aversion, rows, settings.cities)
        return _learnt(Planner(settings, world, self.seed))

    def learned(self, aversion: float) -> Policy:
        """What the learner makes of the training cities."""
        settings = self.work.experience()
        world = self._training("types", aversion, settings.num_envs, self.work.worlds)
        return _learnt(learners.make(settings, world, self.seed))

    def score(self, schedule: str, policy: Policy | Constant, aversion: float) -> Score:
        """A policy of a schedule's levers on the held-out cities."""
        work, env = self.work, self._held_out(schedule, aversion)
        return play(
            env,
            policy,
            governed=work.governed // YEAR,
            held=(work.adaptation + work.adapted) // YEAR,
            adapted=work.adapted // YEAR,
            seed=self.first_seed,
        )

    def _training(self, schedule: str, aversion: float, rows: int, cities: int) -> Any:
        first = training_seed(self.seed, WORLD, rows)
        return self._world(schedule, aversion, rows, first, cities)

    def _held_out(self, schedule: str, aversion: float) -> Any:
        """The cities that are scored on; flows alone count, so that the end is not met."""
        more = {"horizon": self.work.months + YEAR, "terminal": "tail"}
        return self._world(schedule, aversion, self.cities, self.first_seed, self.cities, **more)

    def _world(
        self, schedule: str, aversion: float, rows: int, seed: int, cities: int, **more: Any
    ) -> Any:
        options = {
            "schedule": schedule,
            "aversion": aversion,
            "dynamics": self.dynamics,
            "horizon": self.work.governed,
            "months_per_step": YEAR,
            **more,
        }
        return envs.make(
            SCENARIO,
            num_envs=rows,
            seed=seed,
            cities=cities,
            districts=self.districts,
            **options,
        )


def entrants(study: Study, rule: Rule, aversion: float, tick: Tick) -> dict[str, Score]:
    """Every entrant at one aversion, scored.

    Args:
        tick: called after each of ``ENTRANTS``.
    """
    rates = saez.raw(rule.rate).float().unsqueeze(-1)

    def entrant(name: str) -> Score:
        if name == "saez":
            return study.score("linear", Constant(rates), aversion)
        if name == "constant":
            return study.score("linear", study.constant(aversion), aversion)
        return study.score("types", study.learned(aversion), aversion)

    found = {}
    for name in ENTRANTS:
        found[name] = entrant(name)
        tick()
    return found


def _learnt(learner: Learner) -> Policy:
    for segment in range(learner.segments.count):
        for _ in learner.train(segment, lambda: None):
            pass
    return learner.policy()
