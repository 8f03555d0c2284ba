"""Schedules played on cities: welfare against today's tax, along the way and once adapted.

A schedule governs for some years and then stands still, so that what is scored as adapted is no
tax that people have yet to answer.

Shapes: C cities, A levers of the schedule, T years.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.policy import Policy, Tensors
from envs.city.welfare import ATKINSON
from envs.scenarios.taxation_v0 import TREASURY
from experiments.evaluate import MONTHLY_DISCOUNT

Floats = NDArray[np.float64]
#: Aversions to inequality that are scored, and what reports call welfare of those who live in the
#: city now at each.
AVERSIONS = {value: name for name, value in ATKINSON.items() if value <= 2}


@dataclass(frozen=True)
class Constant:
    """A schedule for each city that stands still: raw settings ``[C, A]``."""

    settings: Tensor

    def reset(self, num_envs: int) -> None:
        """Nothing is remembered."""

    def act(self, observations: Tensors) -> dict[str, Tensor]:
        """The same whatever is seen."""
        return {TREASURY: self.settings.unsqueeze(1)}


@dataclass(frozen=True)
class Score:
    """What a schedule earns on each city, percent of the first year's income, against today's.

    path: ``[C]`` discounted mean over all months; adapted: ``[C]`` over the last ones;
    residents: ``[C]`` the same by those who live there now; rates: ``[T]`` income tax in force at
    the end of each year, and demogrant: ``[T]`` dividend over mean gross pay, means over cities.
    """

    path: Floats
    adapted: Floats
    residents: Floats
    rates: Floats
    demogrant: Floats


def play(
    env: Any,
    policy: Policy | Constant,
    governed: int,
    held: int,
    adapted: int,
    seed: int,
) -> Score:
    """A schedule on the cities of ``env``, the rows of a ``taxation_v0``.

    Args:
        governed: steps that the policy decides; held: steps that its last settings are kept
            after them, of which the last ``adapted`` count as adapted; in all fewer than an
            episode has (flows alone count). seed: of the weather.
    """
    now = AVERSIONS[env.options.aversion]
    weights = MONTHLY_DISCOUNT ** np.arange(env.months_per_step)
    observations, _ = env.reset(seed=seed)
    policy.reset(env.num_envs)
    flow, residents, rates, demogrant = [], [], [], []
    actions: dict[str, Tensor] = {}
    with torch.no_grad():
        for step in range(governed + held):
            if step < governed:
                actions = policy.act(observations)
            result = env.step(actions)
            observations, told = result.observations, result.info
            flow.append(100 * _array(told["welfare"]["overall"]) / weights.sum())
            residents.append(100 * _array(told["welfare"][now]))
            rates.append(_array(told["measures"]["rate"]).mean())
            demogrant.append(_array(told["measures"]["demogrant"]).mean())
    discount = MONTHLY_DISCOUNT ** (env.months_per_step * np.arange(governed + held))

    def mean(values: list[Floats], last: int) -> Floats:
        return np.average(np.stack(values[-last:]), 0, discount[-last:])

    return Score(
        path=mean(flow, len(flow)),
        adapted=mean(flow, adapted),
        residents=mean(residents, adapted),
        rates=np.array(rates),
        demogrant=np.array(demogrant),
    )


def _array(values: Tensor) -> Floats:
    return values.cpu().numpy().astype(np.float64)
