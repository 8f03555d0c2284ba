"""A feedback law: a plan, and gains on what turns out otherwise than expected.

Levers are `plan + gains surprise` with `surprise = (observation - reference) / scale`, kept in
[-1, 1] (MODEL section 22.8). With no gains, or where nothing is unexpected, it is the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from agents.gain_loop import GainLoop, MetaSettings
from agents.policy import BasePolicy, GroupLike, Space, Tensors
from agents.schema import Between


class Feedback(BasePolicy):
    """Linear feedback around a plan, the same for all agents of a group.

    Weights of each group, behind its name and a point, with O observations and A levers:
    `plan` [periods, A], `gains` [A, O], `reference` [steps, O], `scale` [O].
    """

    kind = "feedback"

    @dataclass(frozen=True)
    class Settings:
        """steps: of an episode, each with its reference; the last one's holds for ever after;

        periods: equal parts of the episode with a setting of their own.
        """

        steps: Annotated[int, Between(1, 10_000)]
        periods: Annotated[int, Between(1, 10_000)]

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.step = 0

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: Settings
    ) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for space in spaces:
            seen, moved = len(space.observation_names), len(space.action_names)
            shapes[f"{space.name}.plan"] = (settings.periods, moved)
            shapes[f"{space.name}.gains"] = (moved, seen)
            shapes[f"{space.name}.reference"] = (settings.steps, seen)
            shapes[f"{space.name}.scale"] = (seen,)
        return shapes

    def course(self, steps: int) -> dict[str, Tensor]:
        """The plan, step by step: group -> [steps, A]."""
        own = self.options.steps
        each = [period(min(s, own - 1), own, self.options.periods) for s in range(steps)]
        return {space.name: self.tensors[f"{space.name}.plan"][each] for space in self.spaces}

    def reset(self, num_envs: int) -> None:
        self.step = 0

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        step, steps = min(self.step, self.options.steps - 1), self.options.steps
        self.step += 1
        actions = {}
        for space in self.spaces:
            observed = observations[space.name]
            plan, gains, reference, scale = (
                self.tensors[f"{space.name}.{part}"].to(observed)
                for part in ("plan", "gains", "reference", "scale")
            )
            surprise = (observed - reference[step]) / scale
            setting = plan[period(step, steps, self.options.periods)]
            answer = self._answer(space.name, surprise, surprise @ gains.T)
            actions[space.name] = (setting + answer).clamp(-1.0, 1.0)
        return actions

    def _answer(self, group: str, surprise: Tensor, linear: Tensor) -> Tensor:
        """What is done [B, n, A] beside the plan about a surprise [B, n, O].

        Args:
            linear: what the gains say [B, n, A].
        """
        return linear


class AdaptiveFeedback(Feedback):
    """A feedback law whose gains follow their own success, slowly (`agents.gain_loop`).

    The error of a lever is what the law as it was trained would answer: as long as it asks for
    the same again and again its feedback is too weak, where it changes sides too strong.
    """

    kind = "adaptive_feedback"

    @dataclass(frozen=True)
    class Settings(Feedback.Settings):
        """meta: the slow loop that scales the gains behind each lever, of each agent on its own."""

        meta: MetaSettings

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.loops = {space.name: GainLoop(settings.meta) for space in self.spaces}

    def reset(self, num_envs: int) -> None:
        super().reset(num_envs)
        for loop in self.loops.values():
            loop.reset()

    def _answer(self, group: str, surprise: Tensor, linear: Tensor) -> Tensor:
        return linear * self.loops[group](linear)


def period(step: int, steps: int, periods: int) -> int:
    """The period that a step of an episode belongs to."""
    return step * periods // steps
