"""The best plan that varies over time, by gradient through the model from several starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from agents.planning.search import PlanSearch
from agents.planning.settings import OpenLoopSettings
from agents.segments import optimiser_tensors, part, restore_optimiser, with_prefix


class OpenLoop(PlanSearch):
    """Adam on the settings of every period; all starts climb side by side.

    The first start is today's settings; the others begin as constant plans drawn around them. The
    learning rate falls linearly.
    """

    def __init__(self, settings: OpenLoopSettings, env: Any, seed: int) -> None:
        super().__init__(settings, env, seed)
        self.settings = settings
        generator = torch.Generator().manual_seed(seed)
        self.plans: dict[str, Tensor] = {}
        for group in env.groups:
            size = (settings.starts, 1, len(group.action_names))
            drawn = torch.rand(size, generator=generator, dtype=torch.float64)
            drawn[0] = 0.5
            start = ((2 * drawn - 1) * settings.spread).expand(-1, self.periods, -1)
            self.plans[group.name] = start.to(env.device, env.dtype).clone().requires_grad_()
        self.optimiser = torch.optim.Adam(self.plans.values(), lr=settings.learning_rate)

    def iterate(self, number: int, tick: Callable[[], None]) -> dict[str, float]:
        """See `PlanSearch`."""
        self.optimiser.zero_grad()
        parts = []
        for batch in self.trials.batches(self.settings.starts):
            played = self.trials.play({k: x[batch] for k, x in self.plans.items()}, tick)
            (-self.fitted(played).sum()).backward()  # type: ignore[no-untyped-call]
            parts.append(played.detach())
        returns = torch.cat(parts)
        self.keep(self.plans, returns)
        s, done = self.settings, number / self.settings.iterations
        for group in self.optimiser.param_groups:
            group["lr"] = s.learning_rate + (s.learning_rate_end - s.learning_rate) * done
        for plan in self.plans.values():
            if plan.grad is not None:
                plan.grad.nan_to_num_(0.0, 0.0, 0.0)
        self.optimiser.step()
        with torch.no_grad():
            for plan in self.plans.values():
                plan.clamp_(-1.0, 1.0)
        return {"return": float(self.fitted(returns).max())}

    def tensors(self) -> dict[str, Tensor]:
        """See `PlanSearch`."""
        found = with_prefix("plans.", self.plans)
        return found | with_prefix("optimiser.", optimiser_tensors(self.optimiser))

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """See `PlanSearch`."""
        with torch.no_grad():
            for name, plan in part(tensors, "plans.").items():
                self.plans[name].copy_(plan)
        restore_optimiser(self.optimiser, part(tensors, "optimiser."))
