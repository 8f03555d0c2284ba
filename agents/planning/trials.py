"""Plans played on cities: every plan meets the same cities and the same weather."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor

from agents.ppo_settings import training_seed


class Trials:
    """Returns of plans, several at once.

    Args:
        env: a batched environment; its rows are the cities, once for each plan played at once.
        cities: number of cities that every plan is played on.
        seed: of the run: draws the weather, the same in every call.
        monthly_discount: of rewards.

    Raises:
        ValueError: rows that are not whole plans.
    """

    def __init__(self, env: Any, cities: int, seed: int, monthly_discount: float) -> None:
        if env.num_envs % cities:
            raise ValueError(f"{env.num_envs} environments: expected a multiple of {cities} cities")
        self.env, self.cities, self.discount = env, cities, monthly_discount
        self.at_once: int = env.num_envs // cities
        first = training_seed(seed, 0, cities)
        self._seeds = [first + city for _ in range(self.at_once) for city in range(cities)]
        self._step = unwrap(type(env).step)  # environments may step without gradients

    def batches(self, plans: int) -> Iterator[slice]:
        """Plans that are played together."""
        for first in range(0, plans, self.at_once):
            yield slice(first, min(first + self.at_once, plans))

    def steps(self, plans: int) -> int:
        """Environment steps of all rows that playing so many plans takes."""
        return math.ceil(plans / self.at_once) * int(self.env.steps_per_episode)

    def play(self, plans: Mapping[str, Tensor], tick: Callable[[], None]) -> Tensor:
        """Discounted mean reward of plans on each city ``[N, cities]``.

        Args:
            plans: group -> settings ``[N, periods, A]`` with at most ``at_once`` plans; the same
                for all agents of a group, periods are equal parts of the episode.
            tick: called after every step of all rows.
        """
        env = self.env
        env.reset(seed=self._seeds)
        number = len(next(iter(plans.values())))
        rows = torch.arange(env.num_envs) // self.cities
        rows = rows.clamp_max(number - 1).to(env.device)  # rows left over repeat the last plan
        total = torch.zeros(env.num_envs, dtype=env.dtype, device=env.device)
        for step in range(env.steps_per_episode):
            actions = {
                group.name: _now(plans[group.name], step, env.steps_per_episode)[rows]
                .unsqueeze(1)
                .expand(-1, len(group.agents), -1)
                for group in env.groups
            }
            rewards = self._step(env, actions).rewards
            reward = torch.cat(list(rewards.values()), dim=1).mean(dim=1)
            total = total + self.discount ** (step * env.months_per_step) * reward
            tick()
        return total.reshape(self.at_once, self.cities)[:number]


def spelled_out(plan: Tensor, steps: int) -> Tensor:
    """Settings of every step ``[steps, A]`` of a plan ``[periods, A]``."""
    return torch.stack([_now(plan.unsqueeze(0), step, steps)[0] for step in range(steps)])


def _now(plans: Tensor, step: int, steps: int) -> Tensor:
    """Settings of one step ``[N, A]``."""
    return plans[:, step * plans.shape[1] // steps]
