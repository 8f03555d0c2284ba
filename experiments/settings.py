"""What a training configuration holds, and the limits of its values; defaults stand in YAML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from agents.learners.settings import NATIVE, IPPOSettings
from agents.planner import PlannerSettings
from agents.planning.settings import SEARCHES, MPCSettings
from agents.ppo_settings import TRAINING_SEEDS
from agents.rules import RULES
from agents.sb3.settings import SB3
from agents.schema import Between, Check, OneOf
from experiments.cities import city_fault

EVALUATION_SEEDS = (TRAINING_SEEDS, 2**31)
SEED_BLOCK = 10_000_000
MOST_CITIES = 10_000
#: Blocks of seeds that evaluation may not touch, by the first seed of each: what was chosen on a
#: city is not scored on it.
RESERVED_SEEDS = {
    20_000_000: "the gate",
    50_000_000: "tuning",
    60_000_000: "choosing the best rule",
}
GATE_SEED, TUNING_SEED, SELECTION_SEED = RESERVED_SEEDS
TUNING_RUNS = 9_000_000
"""Seed of a tuning trial's first run; the runs that are compared begin at 0."""
AGENTS: dict[str, type] = {
    "plan": PlannerSettings,
    **SEARCHES,
    "mpc": MPCSettings,
    **SB3,
    **NATIVE,
    **{k: rule.Settings for k, rule in RULES.items()},
}

#: Learners that climb gradients through the model, which a compiled step does not give.
CLIMBERS = tuple(k for k, kind in NATIVE.items() if not issubclass(kind, IPPOSettings))


def _device_fault(name: str) -> str | None:
    import torch

    found = torch.cuda.device_count()
    known = ["cpu", *(["cuda"] if found else []), *(f"cuda:{i}" for i in range(found))]
    return None if name in known else f"unknown choice {name!r}; here: {', '.join(known)}"


def _name_fault(name: str) -> str | None:
    if re.fullmatch(r"[\w-][\w.-]*", name):
        return None
    return f"{name!r} must be letters, digits, '-', '_' and '.', and not begin with '.'"


def _held_out_fault(first: int) -> str | None:
    """Why held-out cities cannot start at a seed."""
    for start, use in RESERVED_SEEDS.items():
        if start - MOST_CITIES < first < start + SEED_BLOCK:
            return f"{first} meets the seeds {start} to {start + SEED_BLOCK - 1} kept for {use}"
    return None


@dataclass(frozen=True)
class EvaluationSettings:
    """How policies are compared after training."""

    cities: Annotated[int, Between(2, MOST_CITIES)]
    first_seed: Annotated[int, Between(*EVALUATION_SEEDS), Check(_held_out_fault)]
    rivals: tuple[Annotated[str, OneOf(tuple(RULES))], ...]


@dataclass(frozen=True)
class ExperimentSettings:
    """Name of the experiment, the folder of its runs, and its evaluation."""

    name: Annotated[str, Check(_name_fault)]
    evaluation: EvaluationSettings


@dataclass(frozen=True)
class TrainSettings:
    """One run: which world, which mind, which seed. Meaning of each key: `configs/train.yaml`."""

    scenario: dict[str, Any]
    city: Annotated[str, Check(city_fault)]
    districts: Annotated[int, Between(3, 400)]
    cities: Annotated[int, Between(1, 10_000)]
    agent: dict[str, Any]
    experiment: ExperimentSettings
    seed: Annotated[int, Between(0, TRAINING_SEEDS - 1)]
    device: Annotated[str, Check(_device_fault)]
    compiled: bool
    threads: Annotated[int, Between(1, 1024)]
    runs: str
