"""Training as a chain of segments, which makes every learner resume to the same bits.

Each segment starts from freshly seeded environments and generators and depends on nothing but
the learner's own numbers (weights, optimiser, moments, ...) and the segment's number, so that a
run resumed at a segment's start computes the same bits as one that was never stopped. Rollouts
cover whole episodes, so that no part of the horizon is left untrained. Nothing is pickled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch
from safetensors.torch import load_file
from safetensors.torch import save as pack
from torch import Tensor

from agents.files import write_atomic
from agents.policy import Policy
from agents.ppo_settings import CurriculumSettings, training_seed
from envs.curriculum import Curriculum

INDEX = "checkpoint.json"


class Pace(Protocol):
    """The settings that say how much is trained and how often it is kept."""

    @property
    def num_envs(self) -> int: ...

    @property
    def env_steps(self) -> int: ...

    @property
    def episodes_per_rollout(self) -> int: ...

    @property
    def rollouts_per_segment(self) -> int: ...

    @property
    def curriculum(self) -> CurriculumSettings: ...


class Switched(Protocol):
    """A world with switches of realism."""

    def set_realism(self, values: Mapping[str, float]) -> None: ...


@runtime_checkable
class Movable(Protocol):
    """A world whose rows can stand on other cities."""

    def move(self, first_row: int) -> None: ...


@dataclass(frozen=True)
class Segments:
    """How a run is cut.

    seed: of the run; num_envs: rows; rollout_steps: environment steps of a row in a rollout;
    rollouts_per_segment: rollouts between two checkpoints; count: number of segments;
    curriculum: switches of realism over training.
    """

    seed: int
    num_envs: int
    rollout_steps: int
    rollouts_per_segment: int
    count: int
    curriculum: Curriculum

    @classmethod
    def of(cls, pace: Pace, steps_per_episode: int, seed: int) -> Segments:
        """The fewest whole segments that hold the environment steps asked for."""
        steps = pace.episodes_per_rollout * steps_per_episode
        each = pace.num_envs * steps * pace.rollouts_per_segment
        return cls(
            seed=seed,
            num_envs=pace.num_envs,
            rollout_steps=steps,
            rollouts_per_segment=pace.rollouts_per_segment,
            count=math.ceil(pace.env_steps / each),
            curriculum=pace.curriculum.schedule(),
        )

    @property
    def rollouts(self) -> int:
        """Rollouts of the whole run."""
        return self.count * self.rollouts_per_segment

    def seed_of(self, segment: int) -> int:
        """Seed of a segment's first row."""
        return training_seed(self.seed, segment, self.num_envs)

    def rollouts_of(self, segment: int) -> range:
        """Numbers of a segment's rollouts."""
        first = segment * self.rollouts_per_segment
        return range(first, first + self.rollouts_per_segment)

    def meet(self, world: object, segment: int) -> dict[str, float]:
        """Set the cities and the switches of realism that a segment is to meet.

        They count from the world's next reset. Segments go on where the last one stopped, round
        and round, so that a few rows come to all cities.

        Returns:
            The switches as metrics.
        """
        if isinstance(world, Movable):
            world.move(segment * self.num_envs)
        values = self.curriculum.at(segment / self.count)
        if values:
            cast(Switched, world).set_realism(values)
        return {f"realism/{name}": value for name, value in values.items()}


class Learner(Protocol):
    """What training needs of a learner."""

    segments: Segments

    def train(self, segment: int, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """Train one segment; yields the metrics of each rollout, `env_steps` among them.

        Args:
            segment: its number, from 0; all earlier ones must have been trained or restored.
            tick: called after every step of all environments.
        """
        ...

    def save(self, folder: Path, segment: int) -> None:
        """Write the checkpoint before `segment`."""
        ...

    def restore(self, folder: Path) -> int:
        """Continue from a checkpoint; returns the next segment, 0 where there is none."""
        ...

    def policy(self) -> Policy:
        """What was learnt, as a policy that needs no learner."""
        ...


def write_checkpoint(folder: Path, segment: int, tensors: Mapping[str, Tensor]) -> None:
    """Keep the tensors that a learner needs at the start of `segment`; older ones are removed."""
    name = f"segment-{segment:06d}.safetensors"
    packed = pack({k: v.detach().cpu().contiguous() for k, v in tensors.items()})
    write_atomic(folder / name, packed)
    index = json.dumps({"segment": segment, "tensors": name}, indent=2)
    write_atomic(folder / INDEX, index.encode())
    for old in folder.glob("segment-*.safetensors"):
        if old.name != name:
            old.unlink()


def read_checkpoint(folder: Path) -> tuple[int, dict[str, Tensor]] | None:
    """The next segment and the tensors of a checkpoint; None where there is none."""
    if not (folder / INDEX).is_file():
        return None
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return int(index["segment"]), load_file(folder / index["tensors"])


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under longer names."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers of each parameter, `<number>.<key>`."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{number}.{key}": torch.as_tensor(value)
        for number, memory in state.items()
        for key, value in memory.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser the memory that `optimiser_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    groups: list[dict[str, Any]] = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
