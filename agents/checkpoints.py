"""Checkpoints of learners that are made of parts: what is kept of each, under its own prefix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from agents.segments import (
    optimiser_tensors,
    part,
    read_checkpoint,
    restore_optimiser,
    with_prefix,
    write_checkpoint,
)


class Part(Protocol):
    """What learning changes and a resumed run needs."""

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        ...

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from `tensors`."""
        ...


@dataclass(frozen=True)
class Weights:
    """Parameters and buffers of a module."""

    module: torch.nn.Module

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.module.state_dict())

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.module.load_state_dict(tensors)


@dataclass(frozen=True)
class Memory:
    """What an optimiser remembers of each parameter."""

    optimiser: torch.optim.Optimizer

    def tensors(self) -> dict[str, Tensor]:
        return optimiser_tensors(self.optimiser)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        restore_optimiser(self.optimiser, tensors)


def tensors_of(parts: Mapping[str, Part]) -> dict[str, Tensor]:
    """What a checkpoint keeps of all parts, `<name of the part>.<name>`."""
    found: dict[str, Tensor] = {}
    for name, one in parts.items():
        found |= with_prefix(f"{name}.", one.tensors())
    return found


def restore(parts: Mapping[str, Part], tensors: Mapping[str, Tensor]) -> None:
    """Give parts back what `tensors_of` took."""
    for name, one in parts.items():
        one.restore(part(tensors, f"{name}."))


class InParts(ABC):
    """A learner whose checkpoints hold its parts and nothing else."""

    @abstractmethod
    def parts(self) -> dict[str, Part]:
        """What a resumed run needs, by the prefix of its tensors."""

    def save(self, folder: Path, segment: int) -> None:
        """See `agents.segments.Learner`."""
        write_checkpoint(folder, segment, tensors_of(self.parts()))

    def restore(self, folder: Path) -> int:
        """See `agents.segments.Learner`."""
        found = read_checkpoint(folder)
        if found is None:
            return 0
        segment, tensors = found
        restore(self.parts(), tensors)
        return segment
