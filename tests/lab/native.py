"""Helpers of the tests of native learners: settings from the shipped files, whole runs."""

from __future__ import annotations

from typing import Any

import torch
import yaml

import configs
from agents import learners
from agents.learners.settings import NATIVE
from agents.schema import read
from agents.segments import Learner

#: Small networks and runs; every other value is the shipped one.
SMALL: dict[str, Any] = {
    "num_envs": 16,
    "rollouts_per_segment": 5,
    "monthly_discount": 0.99,
    "hidden": [16],
    "value_hidden": [16],
    "value_epochs": 2,
    "value_batches": 1,
    "batch_size": 256,
    "epochs": 4,
}


def settings(kind: str, **changes: Any) -> Any:
    """Settings of a learner: shipped, made small, changed."""
    path = configs.root() / "agent" / f"{kind}.yaml"
    shipped = yaml.safe_load(path.read_text(encoding="utf-8"))
    shipped = {key: value for key, value in shipped.items() if key != "kind"}
    small = {key: value for key, value in SMALL.items() if key in shipped}
    return read(NATIVE[kind], shipped | small | changes, kind)


def learner(kind: str, core: Any, rollouts: int, seed: int = 0, **changes: Any) -> Any:
    """A learner of `rollouts` episodes of every row."""
    steps = rollouts * core.num_envs * core.steps_per_episode
    chosen = settings(kind, **{"num_envs": core.num_envs, "env_steps": steps} | changes)
    return learners.make(chosen, core, seed)


def finish(trained: Learner, start: int = 0) -> list[dict[str, float]]:
    """Train every segment from `start` on; the metrics of all rollouts."""
    spans = range(start, trained.segments.count)
    return [row for segment in spans for row in trained.train(segment, lambda: None)]


def weights(trained: Learner) -> dict[str, torch.Tensor]:
    """What the learnt policy is made of."""
    return trained.policy().weights()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Equal to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
