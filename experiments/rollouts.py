"""Rollouts of several policies on the same posterior draws and the same shocks.

Shapes: P policies, S training seeds, N draws (rows of the environment), K household types,
D districts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.policy import Policy
from envs.city.levers import LEVERS
from envs.governance import GovernanceEnv
from experiments.evaluate import MONTHLY_DISCOUNT
from experiments.gate import Rollouts

Floats = NDArray[np.float64]
PROPOSED = "policy"
STATUS_QUO = "status_quo"


@dataclass(frozen=True)
class Outcome:
    """One policy on every draw: discounted means over the episode.

    welfare: ``[N]`` of the whole, stocks left at the end included; by_type ``[N, K]``,
    by_district ``[N, D]``; costs: name -> ``[N]``; measures: other components of welfare;
    levers: name -> ``[N]`` mean setting over the last year.
    """

    welfare: Floats
    by_type: Floats
    by_district: Floats
    costs: Mapping[str, Floats]
    measures: Mapping[str, Floats]
    levers: Mapping[str, Floats]


def play(env: GovernanceEnv, policy: Policy, seed: int, tick: Callable[[], None]) -> Outcome:
    """Run one episode in every row."""
    months = float((MONTHLY_DISCOUNT ** np.arange(env.months_per_step)).sum())
    weights = MONTHLY_DISCOUNT ** (env.months_per_step * np.arange(env.steps_per_episode))
    weights = weights / weights.sum()
    observations, _ = env.reset(seed=seed)
    policy.reset(env.num_envs)
    sums: dict[str, Floats] = {}
    costs: dict[str, Floats] = {}
    tracked = {"by_type": "welfare_by_type", "by_district": "welfare_by_district"}
    actions: Mapping[str, torch.Tensor] = {}
    for weight in weights:
        with torch.no_grad():
            actions = policy.act(observations)
            result = env.step(actions)
        observations = dict(result.observations)
        for name, value in result.info["welfare"].items():
            scale = weight / months if name in ("overall", "terminal") else weight
            sums[name] = sums.get(name, 0.0) + scale * _array(value)
        for name, key in tracked.items():
            sums[name] = sums.get(name, 0.0) + weight * _array(result.info[key])
        for group in env.groups:
            mean = _array(result.costs[group.name].mean(1))
            for column, name in enumerate(group.cost_names):
                costs[name] = costs.get(name, 0.0) + mean[:, column] / env.steps_per_episode
        tick()
    return Outcome(
        welfare=sums["overall"] + sums["terminal"],
        by_type=sums["by_type"],
        by_district=sums["by_district"],
        costs=costs,
        measures={k: v for k, v in sums.items() if k not in ("by_type", "by_district")},
        levers=_settings(env, actions),
    )


def _settings(env: GovernanceEnv, actions: Mapping[str, torch.Tensor]) -> dict[str, Floats]:
    """Settings asked for, by lever and last axis, averaged over districts ``[N]``."""
    from envs.city.valuation import CELLS

    found: dict[str, Floats] = {}
    for name, value in env.physical(actions).items():
        cells = CELLS.get(name)
        if cells:
            flat = value.reshape(value.shape[0], -1, len(cells)).mean(1)
            for column, cell in enumerate(cells):
                found[f"{name}[{cell}]"] = _array(flat[:, column])
        elif LEVERS[name].shape != "department":
            found[name] = _array(value.reshape(value.shape[0], -1).mean(1))
    return found


def collect(
    env: GovernanceEnv,
    proposed: Sequence[Policy],
    rules: Mapping[str, Policy],
    seed: int,
    tick: Callable[[], None],
) -> tuple[Rollouts, dict[str, list[Outcome]]]:
    """Rollouts for the gate: the proposed policy (one a training seed), status quo and rules.

    Args:
        rules: name -> rule, the status quo among them.
    """
    outcomes = {PROPOSED: [play(env, policy, seed, tick) for policy in proposed]}
    outcomes |= {name: [play(env, rule, seed, tick)] for name, rule in rules.items()}
    seeds = len(proposed)

    def stack(pick: Callable[[Outcome], Floats]) -> Floats:
        rows = []
        for played in outcomes.values():
            one = np.stack([pick(outcome) for outcome in played])
            rows.append(one if len(played) == seeds else np.repeat(one, seeds, 0))
        return np.stack(rows)

    budgets: dict[str, float] = {}
    for group in env.groups:  # governors that carry a cost each for their own part have one total
        for name, budget in zip(group.cost_names, group.budgets, strict=True):
            budgets[name] = budgets.get(name, 0.0) + budget
    rollouts = Rollouts(
        policies=tuple(outcomes),
        welfare=stack(lambda o: o.welfare),
        by_group=stack(lambda o: o.by_type),
        by_district=stack(lambda o: o.by_district),
        costs={name: stack(lambda o, n=name: o.costs[n]) for name in budgets},  # type: ignore[misc]
        budgets=budgets,
    )
    return rollouts, outcomes


def _array(values: torch.Tensor) -> Floats:
    return values.detach().cpu().numpy().astype(np.float64)
