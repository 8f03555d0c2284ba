"""The best constant plan, by gradient through the world.

Needs no learner and no feedback: what a policy earns beyond this plan is due to adaptation. Every
start is a copy of the same cities, so that all starts climb in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import unwrap
from typing import Annotated, Any

import torch
from torch import Tensor

from agents.plan import Plan
from agents.ppo_settings import training_seed
from agents.schema import Between, Fraction


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

    def search(self, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """Climb; yields the best return so far after each iteration.

        Args:
            tick: called after every step of all environments.
        """
        optimiser = torch.optim.Adam(self.levers.values(), lr=self.settings.learning_rate)
        for iteration in range(self.settings.iterations):
            returns = self._returns(tick)
            self._keep(returns.detach())
            optimiser.zero_grad()
            (-returns.sum()).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                for levers in self.levers.values():
                    levers.clamp_(-1.0, 1.0)
            yield {
                "iteration": iteration + 1.0,
                "return": float(returns.detach().max()),
                "best_return": float(self.best_return),
            }

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
