"""Who earned the gain of a joint policy: settings that are held, or a policy that looks.

Shapes: n players, W worlds (draws of shocks, or cities of a policy's scenario), R rows; row r
belongs to world ``r % W``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import agents
import envs
from agents.policy import Policy
from agents.schema import closest
from envs.city import credit, tree
from envs.city.dynamics import PRESETS, Dynamics
from envs.city.levers import GOVERNORS, baseline_policy
from envs.city.model import City
from envs.city.shocks import Shocks
from experiments.config import Config
from experiments.errors import InputError
from experiments.evaluate import MONTHLY_DISCOUNT, summary
from experiments.worlds import World

METHODS = ("alone", "difference", "shapley", "aumann_shapley")


@dataclass(frozen=True)
class Report:
    """A split of a gain, with the share of each lever where settings are held.

    levers: name -> Aumann-Shapley value, mean over worlds.
    """

    credit: credit.Credit
    levers: dict[str, float]

    def content(self) -> dict[str, Any]:
        """Everything as plain values; welfare in shares of the first year's income."""
        found = self.credit
        means = {method: getattr(found, method).mean(-1).tolist() for method in METHODS}
        return {
            "unit": "share of the first year's income, discounted mean",
            "gain": summary(found.gain.numpy()),
            "governors": {
                name: {method: means[method][g] for method in METHODS}
                for g, name in enumerate(found.names)
            },
            "left_over": {
                method: float(found.gain.mean()) - sum(values) for method, values in means.items()
            },
            "interaction": {
                " + ".join(names): float(found.dividends[index].mean())
                for index in range(len(found.dividends))
                if len(names := found.coalition(index)) > 1
            },
            "levers": self.levers,
            "quadrature": {
                "points": found.points,
                "largest_gap": float((found.gap / found.gain).abs().max()),
            },
            "worlds": {
                "gain": found.gain.tolist(),
                **{method: getattr(found, method).tolist() for method in METHODS},
            },
        }


def weather(city: City, dynamics: str, months: int, seed: int, worlds: int) -> list[Shocks]:
    """Shocks of each month, one row a world."""
    like = city.start.planning.home_rent
    drawn = Dynamics(dynamics, worlds, city.districts, months, like, city.drift)
    for world in range(worlds):
        drawn.seed(world, seed + world)
    drawn.reset(range(worlds))
    return [tree.tree_map(torch.clone, drawn.advance()) for _ in range(months)]


def of_settings(
    world: World,
    settings: Sequence[str],
    months: int,
    dynamics: str,
    seed: int = 0,
    worlds: int = 1,
    forever: bool = False,
) -> Report:
    """Split the gain of holding settings between the four governors, and between levers.

    Args:
        settings: like ``toll=0.002``. months: that the policy is held. dynamics: preset of the
            shocks, drawn ``worlds`` times. forever: a present value in a quiet world instead,
            the last year going on for ever.

    Raises:
        InputError: bad settings, or an unknown preset.
    """
    if dynamics not in PRESETS:
        raise InputError(f"--dynamics: unknown choice {dynamics!r}; {closest(dynamics, PRESETS)}")
    policy, base = world.policy(settings), baseline_policy(1, world.city.districts, torch.float64)
    moved = [name for name in policy if bool((policy[name] != base[name]).any())]
    if forever:
        value = credit.present_value_of(world.city, months)
    else:
        value = credit.flow_value(world.city, weather(world.city, dynamics, months, seed, worlds))
    like = torch.zeros((), dtype=torch.float64)
    game = credit.policy_game(policy, base, credit.by_governor(), value)
    found = credit.split(game, GOVERNORS, like, worlds)
    some = {name: policy[name] for name in moved}
    each = credit.policy_game(some, base, {name: (name,) for name in moved}, value)
    shares = credit.aumann_shapley(each, len(moved), found.points, like, worlds).mean(-1)
    return Report(found, dict(zip(moved, shares.tolist(), strict=True)))


def of_policy(config: Config, policy: Policy, seed: int = 0, worlds: int = 1) -> Report:
    """Split what a policy earns against the status quo between the governors of its scenario.

    A governor that takes part to a degree m has its raw actions multiplied by m; all see what
    follows from it. Stocks left at the end are valued by a tail run.

    Raises:
        InputError: a policy that does not fit the scenario, or too many governors.
    """
    options = config.environment(1, seed, cities=worlds) | {
        "terminal": "tail",
        "dtype": torch.float64,
    }

    def build(rows: int) -> Any:
        return envs.make(config.scenario, **(options | {"num_envs": rows}))

    groups = build(1).groups
    if problems := agents.mismatches(policy, groups):
        raise InputError([f"the policy does not fit the scenario: {text}" for text in problems])
    names = [agent for group in groups for agent in group.agents]
    if len(names) > credit.MOST_PLAYERS:
        raise InputError(
            f"{config.scenario}: {len(names)} governors, at most {credit.MOST_PLAYERS} can be told "
            "apart (every coalition is played through)"
        )

    def worth(degree: Tensor) -> Tensor:
        env = build(degree.shape[0])
        seeds = [seed + row % worlds for row in range(env.num_envs)]
        return _play(env, policy, seeds, degree)

    like = torch.zeros((), dtype=torch.float64)
    return Report(credit.split(worth, names, like, worlds), {})


def _play(env: Any, policy: Policy, seeds: Sequence[int], degree: Tensor) -> Tensor:
    """Discounted mean welfare ``[R]`` of one episode against the status quo."""
    observations, _ = env.reset(seed=seeds)
    policy.reset(env.num_envs)
    total = degree.new_zeros(env.num_envs)
    months = MONTHLY_DISCOUNT ** torch.arange(env.months_per_step * env.steps_per_episode)
    for step in range(env.steps_per_episode):
        actions, column = dict(policy.act(observations)), 0
        for group in env.groups:
            part = degree[:, column : column + group.size].unsqueeze(-1)
            actions[group.name] = part * actions[group.name]
            column += group.size
        result = env.step(actions)
        observations = dict(result.observations)
        welfare = result.info["welfare"]
        weight = MONTHLY_DISCOUNT ** (step * env.months_per_step)
        total = total + weight * (welfare["overall"] + welfare["terminal"])
    return total / float(months.sum())
