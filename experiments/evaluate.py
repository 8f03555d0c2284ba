"""Comparison of policies on held-out cities: every policy meets the same cities and shocks.

Shapes: P policies, C cities (rows of the batch).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table

from agents.policy import Tensors
from experiments.statistics import interquartile_mean, percentile_interval, pooled_mean

Floats = NDArray[np.float64]
MONTHLY_DISCOUNT = math.exp(-0.03 / 12)
SUMMED = ("overall", "terminal")


class Acting(Protocol):
    """What can be played: the part of `agents.policy.Policy` that an episode needs."""

    def reset(self, num_envs: int) -> None: ...

    def act(self, observations: Tensors) -> dict[str, torch.Tensor]: ...


@dataclass(frozen=True)
class Evaluation:
    """Discounted welfare of each policy on each city, as a share of baseline income.

    policies: names; seeds: of the cities; returns: mean reward per step over agents, array
    [P, C]; welfare: component -> discounted mean over the episode, array [P, C]. "overall" is
    what policies are ranked by: the flow of welfare against the status-quo twin with the value
    of the stocks left at the end, which "terminal" gives alone.
    """

    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    welfare: Mapping[str, Floats]
    returns: Floats

    def rows(self) -> list[dict[str, Any]]:
        """One record for each policy: mean, interquartile mean, 95 % interval of the mean."""
        return [
            {"policy": name, "cities": len(self.seeds), **summary(self.welfare["overall"][p])}
            for p, name in enumerate(self.policies)
        ]

    def against(self, name: str) -> list[dict[str, Any]]:
        """Records of the first policy minus each other one, city by city (paired)."""
        overall, first = self.welfare["overall"], self.policies.index(name)
        return [
            {"policy": name, "minus": other, **summary(overall[first] - overall[p])}
            for p, other in enumerate(self.policies)
            if p != first
        ]

    def content(self) -> dict[str, Any]:
        """Everything as plain values for `evaluation.json`."""
        return {
            "unit": "share of baseline income, discounted mean over the episode",
            "policies": list(self.policies),
            "seeds": list(self.seeds),
            "table": self.rows(),
            "differences": self.against(self.policies[0]),
            "welfare": {name: values.tolist() for name, values in self.welfare.items()},
            "returns": self.returns.tolist(),
        }


def evaluate(env: Any, policies: Mapping[str, Acting], first_seed: int, tick: Any) -> Evaluation:
    """Run every policy for one episode on the same cities.

    Args:
        env: a batched environment of `envs.make`; each row is a city.
        policies: name -> policy.
        first_seed: seed of the first row; row i has first_seed + i.
        tick: called after each step.
    """
    outcomes = [_episode(env, policy, first_seed, tick) for policy in policies.values()]
    return Evaluation(
        tuple(policies),
        tuple(range(first_seed, first_seed + env.num_envs)),
        {name: np.stack([w[name] for w, _ in outcomes]) for name in outcomes[0][0]},
        np.stack([returns for _, returns in outcomes]),
    )


def _episode(env: Any, policy: Acting, seed: int, tick: Any) -> tuple[dict[str, Floats], Floats]:
    """Discounted mean of each welfare component [C], and mean reward per step [C].

    Environments give "overall" as the discounted sum over the months of a step and "terminal" at
    the last step, both in months of income; the other components are means over the months.
    """
    discount = MONTHLY_DISCOUNT**env.months_per_step
    months = (MONTHLY_DISCOUNT ** np.arange(env.months_per_step)).sum()
    observations, _ = env.reset(seed=seed)
    policy.reset(env.num_envs)
    total: dict[str, Floats] = {}
    returns = np.zeros(env.num_envs)
    weights = discount ** np.arange(env.steps_per_episode)
    for weight in weights / weights.sum():
        with torch.no_grad():
            result = env.step(policy.act(observations))
        observations = result.observations
        for name, value in result.info["welfare"].items():
            scale = weight / months if name in SUMMED else weight
            total[name] = total.get(name, 0.0) + scale * _array(value)
        rewards = torch.cat(list(result.rewards.values()), dim=1).mean(dim=1)
        returns += _array(rewards) / env.steps_per_episode
        tick()
    total["overall"] = total["overall"] + total.get("terminal", 0.0)
    return total, returns


def summary(values: Floats) -> dict[str, float]:
    """Mean, interquartile mean and bootstrap 95 % interval of the mean over cities."""
    interval = percentile_interval(values[:, None], np.random.default_rng(0), pooled_mean)
    return {
        "mean": interval.estimate,
        "iqm": float(interquartile_mean(values)),
        "low": interval.low,
        "high": interval.high,
    }


def table(records: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Records of an evaluation for the terminal, in percent of baseline income."""
    shown = Table(title=title)
    shown.add_column("policy")
    for head in ("mean %", "IQM %", "95 % interval"):
        shown.add_column(head, justify="right")
    for row in records:
        name = f"{row['policy']} - {row['minus']}" if "minus" in row else str(row["policy"])
        interval = f"{_percent(row['low'])} to {_percent(row['high'])}"
        shown.add_row(name, _percent(row["mean"]), _percent(row["iqm"]), interval)
    return shown


def _percent(share: float) -> str:
    """A signed percentage to three digits, without a minus before nothing."""
    return f"{round(100 * share, 3) + 0.0:+.3f}"


def _array(values: torch.Tensor) -> Floats:
    return values.detach().cpu().numpy().astype(np.float64)
