"""A feedback law that answers to its memory too, and not only in proportion.

Levers are a plan, plus gains times what turns out otherwise than expected, plus a small network of
the same. What is observed comes with traces of its own past (`agents.context`), so that the law
can tell a world that has begun to answer otherwise from one that is merely unlucky.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from agents.context import HalfLife, Traces, widened
from agents.feedback import Feedback
from agents.policy import GroupLike, Space, Tensors
from agents.schema import Between


class ContextFeedback(Feedback):
    """`agents.feedback.Feedback` on observations with traces, W numbers an agent.

    Weights of each group as there, with W in place of O, and those of the network with U hidden
    units: `inner` [U, W], `bias` [U], `outer` [A, U].
    """

    kind = "context_feedback"

    @dataclass(frozen=True)
    class Settings(Feedback.Settings):
        """half_lives: of the traces, steps; units: of the network, 0 for gains alone."""

        half_lives: tuple[HalfLife, ...]
        units: Annotated[int, Between(0, 1024)]

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.traces = {
            space.name: Traces(settings.half_lives, len(space.action_names))
            for space in self.spaces
        }

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: Feedback.Settings
    ) -> dict[str, tuple[int, ...]]:
        assert isinstance(settings, ContextFeedback.Settings), "settings are those of the class"
        wide = widened(spaces, settings.half_lives)
        shapes = super().weight_shapes(wide, settings)
        for space in wide:
            seen, moved = len(space.observation_names), len(space.action_names)
            shapes[f"{space.name}.inner"] = (settings.units, seen)
            shapes[f"{space.name}.bias"] = (settings.units,)
            shapes[f"{space.name}.outer"] = (moved, settings.units)
        return shapes

    def reset(self, num_envs: int) -> None:
        super().reset(num_envs)
        for traces in self.traces.values():
            traces.reset()

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        seen = {name: observations[name].detach() for name in self.traces}
        actions = super().act(
            {name: traces.read(seen[name]) for name, traces in self.traces.items()}
        )
        for name, traces in self.traces.items():
            traces.keep_step(seen[name], actions[name])
        return actions

    def _answer(self, group: str, surprise: Tensor, linear: Tensor) -> Tensor:
        inner, bias, outer = (
            self.tensors[f"{group}.{part}"].to(surprise) for part in ("inner", "bias", "outer")
        )
        return linear + network(surprise, inner, bias, outer)


def network(surprise: Tensor, inner: Tensor, bias: Tensor, outer: Tensor) -> Tensor:
    """Answers [B, n, A] of one hidden layer to surprises [B, n, W]."""
    return (surprise @ inner.T + bias).tanh() @ outer.T
