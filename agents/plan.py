"""An open-loop plan: settings fixed in advance, blind to what happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from agents.policy import BasePolicy, GroupLike, Space, Tensors, blank_actions
from agents.schema import Between


class Plan(BasePolicy):
    """One setting for each lever and step; the last step's setting holds for ever after.

    Weights: `levers.<group>` [steps, A], the same for all agents of the group; one step makes a
    constant plan.
    """

    kind = "plan"

    @dataclass(frozen=True)
    class Settings:
        """steps: number of environment steps that the plan spells out."""

        steps: Annotated[int, Between(1, 10_000)]

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.step = 0

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: Settings
    ) -> dict[str, tuple[int, ...]]:
        return {f"levers.{s.name}": (settings.steps, len(s.action_names)) for s in spaces}

    def course(self, steps: int) -> dict[str, Tensor]:
        """The plan, step by step: group -> [steps, A]."""
        each = [min(step, self.options.steps - 1) for step in range(steps)]
        return {space.name: self.tensors[f"levers.{space.name}"][each] for space in self.spaces}

    def reset(self, num_envs: int) -> None:
        self.step = 0

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        step = min(self.step, self.options.steps - 1)
        self.step += 1
        actions = {}
        for space in self.spaces:
            blank = blank_actions(space, observations)
            setting = self.tensors[f"levers.{space.name}"][step].to(blank)
            actions[space.name] = (blank + setting).clamp(-1.0, 1.0)
        return actions
