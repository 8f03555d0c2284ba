"""What information is worth: one policy that looks, told more or less of the same worlds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import agents
import envs
from agents.policy import Policy
from envs.city.information import SERIES, interpolated
from experiments.config import Config
from experiments.errors import InputError
from experiments.evaluate import evaluate, summary
from experiments.progress import progress

Floats = NDArray[np.float64]
PERFECT = 1.0


@dataclass(frozen=True)
class Worth:
    """Welfare of one policy at several levels of information, on the same worlds.

    policy: its name; seeds: of the W worlds; welfare: level -> ``[W]`` against the status quo,
    discounted mean share of income with the stocks left at the end. Level 1 is among them.
    """

    policy: str
    seeds: tuple[int, ...]
    welfare: dict[float, Floats]

    def rows(self) -> list[dict[str, Any]]:
        """One record a level: welfare, and what full information adds to it (paired)."""
        return [
            {
                "information": level,
                "welfare": summary(values),
                "value": summary(self.welfare[PERFECT] - values),
            }
            for level, values in self.welfare.items()
        ]

    def content(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "unit": "share of baseline income, discounted mean over the episode",
            "policy": self.policy,
            "seeds": list(self.seeds),
            "levels": self.rows(),
            "worlds": {f"{level:g}": values.tolist() for level, values in self.welfare.items()},
        }


def worth(
    config: Config, policy: Policy | str, levels: Sequence[float], worlds: int, label: str = ""
) -> Worth:
    """Play a policy on held-out worlds at every level of information.

    The worlds, their shocks and the random numbers of the errors are the same at all levels;
    stocks left at the end are valued by a tail run.

    Args:
        policy: one that was read, or the name of a rule.
        levels: in [0, 1]; level 1 is added.
        worlds: held-out cities, or draws of the shocks of one city.

    Raises:
        InputError: a policy that does not fit the scenario.
    """
    first = config.settings.experiment.evaluation.first_seed
    options = config.environment(worlds, first, cities=worlds) | {"terminal": "tail"}
    steps = config.settings.scenario["horizon"] // config.settings.scenario["months_per_step"]
    asked = sorted({PERFECT, *levels}, reverse=True)
    found: dict[float, Floats] = {}
    with progress("governing", len(asked) * steps, "steps") as tick:
        for level in asked:
            env = envs.make(config.scenario, **(options | {"information": level}))
            chosen = agents.rule(policy, env.groups) if isinstance(policy, str) else policy
            if problems := agents.mismatches(chosen, env.groups):
                raise InputError([f"the policy does not fit the scenario: {x}" for x in problems])
            found[level] = evaluate(env, {"": chosen}, first, tick).welfare["overall"][0]
    name = label or (policy if isinstance(policy, str) else policy.kind)
    return Worth(name, tuple(range(first, first + worlds)), found)


def series(information: float) -> list[dict[str, Any]]:
    """The published series at a level of information, one record each."""
    return [asdict(interpolated(row, information)) for row in SERIES.values()]
