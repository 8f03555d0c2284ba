"""Plan, gains and network of `agents.context_feedback.ContextFeedback`, as a gradient trains them.

Shapes: B rows, n agents of a group, W observations with traces, U hidden units, A levers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from agents.context_feedback import ContextFeedback, network
from agents.learners.context import Remembering
from agents.learners.laws import LinearLaw
from agents.learners.settings import ContextFeedbackSettings


class ContextLaw(LinearLaw):
    """A linear law on a world that remembers, and a network that at first says nothing."""

    kept = (*LinearLaw.kept, "inner", "bias", "outer")

    def __init__(
        self, settings: ContextFeedbackSettings, core: Remembering, generator: torch.Generator
    ) -> None:
        super().__init__(settings, core.groups, core.steps_per_episode, core.device)
        self.context, self.seers = settings, core.core.groups
        self.inner, self.bias, self.outer = (nn.ParameterDict() for _ in range(3))
        for group in core.groups:
            name, seen, moved = group.name, len(group.observation_names), len(group.action_names)
            drawn = torch.randn(settings.units, seen, generator=generator) / seen**0.5
            self.inner[name] = nn.Parameter(drawn.to(core.device))
            self.bias[name] = nn.Parameter(torch.zeros(settings.units, device=core.device))
            self.outer[name] = nn.Parameter(torch.zeros(moved, settings.units, device=core.device))

    def rates(self) -> list[dict[str, Any]]:
        layers = [x for part in (self.inner, self.bias, self.outer) for x in part.values()]
        return [
            *super().rates(),
            {"params": layers, "lr": self.context.network_learning_rate},
        ]

    def _answer(self, group: str, surprise: Tensor) -> Tensor:
        layers = self.inner[group], self.bias[group], self.outer[group]
        return super()._answer(group, surprise) + network(surprise, *layers)

    def policy(self) -> ContextFeedback:
        s = self.context
        settings = ContextFeedback.Settings(self.steps, s.periods, s.half_lives, s.units)
        weights = self._weights()
        for part in ("inner", "bias", "outer"):
            found = getattr(self, part).items()
            weights |= {f"{name}.{part}": x.detach().cpu().clone() for name, x in found}
        return ContextFeedback(self.seers, settings, weights)
