"""The best constant plan, by gradient through the world.

Needs no learner and no feedback: what a policy earns beyond this plan is due to adaptation. Every
start is a copy of the same cities, so that all starts climb in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import unwrap
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor

from agents.plan import Plan
from agents.ppo_settings import training_seed
from agents.schema import Between, Fraction
from agents.segments import (
    Segments,
    optimiser_tensors,
    part,
    read_checkpoint,
    restore_optimiser,
    with_prefix,
    write_checkpoint,
)
from envs.curriculum import Curriculum


@dataclass(frozen=True)
class PlannerSettings:
    """Defaults and meaning of each setting stand in `configs/agent/plan.yaml`."""

    cities: Annotated[int, Between(1, 10_000)]
    starts: Annotated[int, Between(1, 1000)]
    spread: Fraction
    iterations: Annotated[int, Between(1, 100_000)]
    learning_rate: Annotated[float, Between(1e-6, 1.0)]
    monthly_discount: Fraction


class Planner:
    """Climbs the discounted reward of one setting for each lever.

    A segment is one iteration (see `agents.segments.Learner`).

    Args:
        settings: of the search.
        env: a differentiable environment; its rows are the cities, once for every start.
        seed: of the run: draws cities, shocks and starts.
    """

    def __init__(self, settings: PlannerSettings, env: Any, seed: int) -> None:
        self.settings = settings
        self.env = env
        self.seed = seed
        generator = torch.Generator().manual_seed(seed)
        self.levers: dict[str, Tensor] = {}
        for group in self.env.groups:
            drawn = torch.rand((settings.starts, len(group.action_names)), generator=generator)
            start = ((2 * drawn - 1) * settings.spread).to(self.env.device, self.env.dtype)
            start[0] = 0.0
            self.levers[group.name] = start.requires_grad_()
        self.best = {name: start.detach()[:1].clone() for name, start in self.levers.items()}
        self.best_return = -torch.inf
        self.optimiser = torch.optim.Adam(self.levers.values(), lr=settings.learning_rate)
        steps, iterations = env.steps_per_episode, settings.iterations
        self.segments = Segments(seed, env.num_envs, steps, 1, iterations, Curriculum({}))

    def search(self, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """Climb; yields the best return so far after each iteration.

        Args:
            tick: called after every step of all environments.
        """
        for iteration in range(self.segments.count):
            yield from self.train(iteration, tick)

    def train(self, segment: int, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """One iteration; `env_steps` counts simulator calls: steps of all rows so far."""
        returns = self._returns(tick)
        self._keep(returns.detach())
        self.optimiser.zero_grad()
        (-returns.sum()).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        with torch.no_grad():
            for levers in self.levers.values():
                levers.clamp_(-1.0, 1.0)
        yield {
            "iteration": segment + 1.0,
            "env_steps": float((segment + 1) * self.env.steps_per_episode * self.env.num_envs),
            "return": float(returns.detach().max()),
            "best_return": float(self.best_return),
        }

    def save(self, folder: Path, segment: int) -> None:
        """See `agents.segments.Learner`."""
        kept = {"best_return": torch.tensor(self.best_return, dtype=torch.float64)}
        kept |= with_prefix("levers.", self.levers) | with_prefix("best.", self.best)
        kept |= with_prefix("optimiser.", optimiser_tensors(self.optimiser))
        write_checkpoint(folder, segment, kept)

    def restore(self, folder: Path) -> int:
        """See `agents.segments.Learner`."""
        found = read_checkpoint(folder)
        if found is None:
            return 0
        segment, tensors = found
        self.best_return = float(tensors["best_return"])
        with torch.no_grad():
            for name, levers in part(tensors, "levers.").items():
                self.levers[name].copy_(levers)
        self.best = {k: x.to(self.env.device) for k, x in part(tensors, "best.").items()}
        restore_optimiser(self.optimiser, part(tensors, "optimiser."))
        return segment

    def policy(self) -> Plan:
        """The best plan found."""
        weights = {f"levers.{name}": levers for name, levers in self.best.items()}
        return Plan(self.env.groups, Plan.Settings(1), weights)

    def _returns(self, tick: Callable[[], None]) -> Tensor:
        """Discounted mean reward of every start [starts], over the same cities."""
        env, s = self.env, self.settings
        differentiable = unwrap(type(env).step)  # environments step without gradients
        first = training_seed(self.seed, 0, s.cities)
        env.reset(seed=[first + city for _ in range(s.starts) for city in range(s.cities)])
        actions = {
            group.name: self.levers[group.name]
            .repeat_interleave(s.cities, dim=0)
            .unsqueeze(1)
            .expand(-1, len(group.agents), -1)
            for group in env.groups
        }
        total = torch.zeros(env.num_envs, dtype=env.dtype, device=env.device)
        for step in range(env.steps_per_episode):
            result = differentiable(env, actions)
            rewards = torch.cat(list(result.rewards.values()), dim=1).mean(dim=1)
            total = total + s.monthly_discount ** (step * env.months_per_step) * rewards
            tick()
        return total.reshape(s.starts, s.cities).mean(dim=1)

    def _keep(self, returns: Tensor) -> None:
        """Remember the best start of this iteration if it beats all before."""
        winner = int(returns.argmax())
        if float(returns[winner]) > self.best_return:
            self.best_return = float(returns[winner])
            for name, levers in self.levers.items():
                self.best[name] = levers.detach()[winner : winner + 1].clone()
