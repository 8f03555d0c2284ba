"""The elasticity of taxable income, estimated in the city that is to be taxed.

The rate rises a little for good, is announced as every request is, and comes back by head; declared
income is compared with that of the same city under today's rate in the same weather, once hours,
evasion and migration have had time to answer. This is the elasticity of the whole base, migration
included, with the revenue returned: the one of the formula in ``saez``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from envs.scenarios.taxation_v0 import TREASURY
from experiments.taxation import saez

#: What declared income is made of (``TaxationV0.measures``).
PARTS = ("population", "earnings", "honesty")


@dataclass(frozen=True)
class Response:
    """Elasticities to the net-of-tax rate ``[C]`` of each city: of declared income, and of its
    ``PARTS``, which add up to it."""

    base: Tensor
    parts: dict[str, Tensor]


def estimate(env: Any, rise: float, steps: int, last: int, seed: int) -> Response:
    """Raise the rate by ``rise`` and see what becomes of the base.

    Args:
        env: of ``taxation_v0`` with the schedule "linear"; a row is a city. rise: of the rate.
        steps: that the rate is held; last: of them, over whose ends answers are averaged.
        seed: of the weather.
    """
    raised = saez.raw(torch.tensor(saez.RATE.default + rise))
    actions = {TREASURY: raised.to(env.dtype).expand(env.num_envs, 1, 1)}
    env.reset(seed=seed)
    seen: list[dict[str, Tensor]] = []
    with torch.no_grad():
        for _ in range(steps):
            seen.append(env.step(actions).info["measures"])

    def elasticity(name: str) -> Tensor:
        return torch.stack([step[name] / step["net_rate"] for step in seen[-last:]]).mean(0)

    return Response(elasticity("base"), {name: elasticity(name) for name in PARTS})
