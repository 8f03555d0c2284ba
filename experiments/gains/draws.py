"""Futures to learn from and futures to be scored on, for every dynamics preset."""

from __future__ import annotations

from dataclasses import dataclass

from agents.plans import Futures, draw_futures
from agents.ppo_settings import TRAINING_SEEDS, training_seed
from envs.city.dynamics import PRESETS
from envs.city.model import City


@dataclass(frozen=True)
class Draws:
    """Futures of every preset in one world, by number.

    lessons: preset -> those that plans learn from; tests: those that they are scored on; seeds:
    of every future. A preset in which nothing is random has one future.
    """

    futures: Futures
    lessons: dict[str, list[int]]
    tests: dict[str, list[int]]
    seeds: list[int]

    @classmethod
    def of(cls, city: City, rows: int, lessons: int, months: int, seed: int) -> Draws:
        """Draw ``rows`` futures to score on and ``rows * lessons`` to learn from.

        Every preset has the same seeds; no lesson shares a seed with a test.
        """
        first = training_seed(seed, 0, rows * lessons)
        learnt = list(range(first, first + rows * lessons))
        scored = [TRAINING_SEEDS + x for x in range(first, first + rows)]
        parts: list[Futures] = []
        numbers: dict[str, dict[str, list[int]]] = {"lessons": {}, "tests": {}}
        seeds: list[int] = []
        for preset in PRESETS:
            for part, wanted in (("lessons", learnt), ("tests", scored)):
                drawn = draw_futures(city, preset, wanted, months)
                numbers[part][preset] = list(range(len(seeds), len(seeds) + drawn.draws))
                seeds += wanted[: drawn.draws]
                parts.append(drawn)
        return cls(Futures.joined(parts), numbers["lessons"], numbers["tests"], seeds)
