"""What searches for a plan over a whole episode share: trials, the best plan, checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.plan import Plan
from agents.planning.settings import SearchSettings
from agents.planning.trials import Trials, spelled_out
from agents.segments import Segments, part, read_checkpoint, with_prefix, write_checkpoint
from envs.curriculum import Curriculum


class PlanSearch(ABC):
    """A search whose segments are its iterations (see `agents.segments.Learner`).

    Every plan is played on ``cities`` that it may be fitted to and ``held_out`` others that only
    choose which plan is kept, so that the plan kept is not the one that fits its cities too well.

    Args:
        settings: of the search.
        env: whose rows are the cities, held-out ones last, once for every plan played at once.
        seed: of the run.
    """

    def __init__(self, settings: SearchSettings, env: Any, seed: int) -> None:
        self.env, self.seed = env, seed
        self.cities = settings.cities
        each = settings.cities + settings.held_out
        self.trials = Trials(env, each, seed, settings.monthly_discount)
        self.periods = min(settings.periods, env.steps_per_episode)
        self.segments = Segments(
            seed,
            env.num_envs,
            self.trials.steps(settings.plans),
            1,
            settings.iterations,
            Curriculum({}),
        )
        self.best = {
            group.name: torch.zeros(
                (self.periods, len(group.action_names)), dtype=env.dtype, device=env.device
            )
            for group in env.groups
        }
        self.best_return = -torch.inf

    def train(self, segment: int, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """See `agents.segments.Learner`.

        `env_steps` counts simulator calls: steps of all rows so far. `return` is the best plan's of
        the iteration on the cities that it is fitted to, `best_return` that of the plan kept, on
        the held-out ones.
        """
        found = self.iterate(segment, tick)
        calls = (segment + 1) * self.segments.rollout_steps * self.env.num_envs
        yield {
            "iteration": segment + 1.0,
            "env_steps": float(calls),
            **found,
            "best_return": float(self.best_return),
        }

    @abstractmethod
    def iterate(self, number: int, tick: Callable[[], None]) -> dict[str, float]:
        """One iteration; metrics."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """What the next iteration needs, the best plan left out."""

    @abstractmethod
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up what `tensors` gave."""

    def fitted(self, returns: Tensor) -> Tensor:
        """Means over the cities that plans are fitted to ``[N]``, from ``[N, cities]``."""
        return returns[:, : self.cities].mean(1)

    def keep(self, plans: Mapping[str, Tensor], returns: Tensor) -> None:
        """Remember the plan that does best on the held-out cities if it beats all before.

        Args:
            plans: group -> ``[N, periods, A]``. returns: ``[N, cities]``; without held-out cities
                those that plans are fitted to count.
        """
        judged = returns[:, self.cities :] if returns.shape[1] > self.cities else returns
        scores = judged.mean(1).nan_to_num(-torch.inf)
        winner = int(scores.argmax())
        if float(scores[winner]) > self.best_return:
            self.best_return = float(scores[winner])
            self.best = {name: plan[winner].detach().clone() for name, plan in plans.items()}

    def policy(self) -> Plan:
        """The best plan found, step by step."""
        steps = self.env.steps_per_episode
        weights = {f"levers.{name}": spelled_out(plan, steps) for name, plan in self.best.items()}
        return Plan(self.env.groups, Plan.Settings(steps), weights)

    def save(self, folder: Path, segment: int) -> None:
        """See `agents.segments.Learner`."""
        kept = {"best_return": torch.tensor(self.best_return, dtype=torch.float64)}
        kept |= with_prefix("best.", self.best) | with_prefix("search.", self.tensors())
        write_checkpoint(folder, segment, kept)

    def restore(self, folder: Path) -> int:
        """See `agents.segments.Learner`."""
        found = read_checkpoint(folder)
        if found is None:
            return 0
        segment, tensors = found
        tensors = {name: x.to(self.env.device) for name, x in tensors.items()}
        self.best_return = float(tensors["best_return"])
        self.best = part(tensors, "best.")
        self.load(part(tensors, "search."))
        return segment
