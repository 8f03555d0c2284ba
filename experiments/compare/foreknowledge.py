"""Rows of a comparison that know more than a policy can: each held-out city, or its future too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from agents.planning.clairvoyant import climb
from agents.planning.informed import follow
from agents.policy import Policy
from experiments.evaluate import MONTHLY_DISCOUNT


class Script:
    """A policy that does at every step what is written down for each row.

    actions: group -> ``[T, B, n, A]``.
    """

    def __init__(self, actions: Mapping[str, Tensor]) -> None:
        self.actions = actions
        self.step = 0

    def reset(self, num_envs: int) -> None:
        self.step = 0

    def act(self, observations: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.step += 1
        return {name: x[self.step - 1] for name, x in self.actions.items()}


def clairvoyant(
    env: Any, seed: int, guide: Policy, iterations: int, tick: Callable[[], None]
) -> Script:
    """The best plan found for each row, climbing from what a policy does there.

    Args:
        env: whose rows are the held-out cities. seed: of its first row. guide: a policy.
        iterations: gradient steps. tick: called after every step of all rows.
    """
    start = _written_down(env, env.reset(seed=seed)[0], guide)
    return Script(climb(env, seed, start, iterations, MONTHLY_DISCOUNT, tick))


def informed(
    env: Any, model: Any, seed: int, guide: Policy, iterations: int, tick: Callable[[], None]
) -> Script:
    """What plans do that know each row and its present, but of its future what is to be expected.

    The first plan climbs from what a policy does in the future that is expected at the start.

    Args:
        env, model: two environments whose rows are the held-out cities. seed: of the first row.
        guide: a policy. iterations: gradient steps of each renewal.
        tick: called after every step of all rows of either environment.
    """
    seen, _ = model.reset(seed=seed)
    model.expect(model.weather)
    start = _written_down(model, seen, guide)
    return Script(follow(env, model, seed, start, iterations, MONTHLY_DISCOUNT, tick))


def _written_down(
    env: Any, observations: Mapping[str, Tensor], policy: Policy
) -> dict[str, Tensor]:
    """What a policy does in the episode that has begun: group -> ``[T, B, n, A]``."""
    policy.reset(env.num_envs)
    steps: list[dict[str, Tensor]] = []
    with torch.no_grad():
        for _ in range(env.steps_per_episode):
            steps.append(policy.act(observations))
            observations = env.step(steps[-1]).observations
    return {name: torch.stack([step[name] for step in steps]).clamp(-1, 1) for name in steps[0]}
