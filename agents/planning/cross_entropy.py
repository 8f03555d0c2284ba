"""The cross-entropy method over plans: simulator calls only (Rubinstein & Kroese 2004)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from agents.planning.search import PlanSearch
from agents.planning.settings import CEMSettings
from agents.ppo_settings import training_seed


class CrossEntropy(PlanSearch):
    """Draws plans from a normal distribution and moves it towards the best of them.

    Every lever and period has a mean and a spread of its own. The first plan of a population is the
    mean itself; the mean and the population's best plan stand for election as the plan kept.
    Each iteration draws from a stream of its own.
    """

    def __init__(self, settings: CEMSettings, env: Any, seed: int) -> None:
        super().__init__(settings, env, seed)
        self.settings = settings
        self.elites = max(2, round(settings.elites * settings.population))
        self.mean = {name: torch.zeros_like(plan) for name, plan in self.best.items()}
        self.spread = {name: x + settings.spread for name, x in self.mean.items()}

    @torch.no_grad()
    def iterate(self, number: int, tick: Callable[[], None]) -> dict[str, float]:
        """See `PlanSearch`."""
        plans = self._draw(number)
        batches = self.trials.batches(self.settings.population)
        returns = torch.cat(
            [self.trials.play({k: x[b] for k, x in plans.items()}, tick) for b in batches]
        )
        fitted = self.fitted(returns).nan_to_num(-torch.inf)
        order = fitted.argsort(descending=True)
        candidates = torch.stack([torch.zeros_like(order[0]), order[0]])
        self.keep({k: x[candidates] for k, x in plans.items()}, returns[candidates])
        self._move({k: x[order[: self.elites]] for k, x in plans.items()})
        spread = torch.cat([x.flatten() for x in self.spread.values()]).mean()
        return {"return": float(fitted.max()), "spread": float(spread)}

    def _draw(self, number: int) -> dict[str, Tensor]:
        """A population ``[N, periods, A]`` by group."""
        generator = torch.Generator().manual_seed(training_seed(self.seed, number + 1, 1))
        plans = {}
        for name, mean in self.mean.items():
            size = (self.settings.population, *mean.shape)
            noise = torch.randn(size, generator=generator, dtype=torch.float64).to(mean)
            noise[0] = 0.0
            plans[name] = (mean + self.spread[name] * noise).clamp(-1.0, 1.0)
        return plans

    def _move(self, elites: Mapping[str, Tensor]) -> None:
        """Towards mean and spread of the elites."""
        s = self.settings
        for name, plans in elites.items():
            self.mean[name] = self.mean[name].lerp(plans.mean(0), s.smoothing)
            spread = self.spread[name].lerp(plans.std(0), s.smoothing)
            self.spread[name] = spread.clamp_min(s.spread_end)

    def tensors(self) -> dict[str, Tensor]:
        """See `PlanSearch`."""
        parts = {"mean": self.mean, "spread": self.spread}
        return {f"{what}.{name}": x for what, part in parts.items() for name, x in part.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """See `PlanSearch`."""
        self.mean = {name: tensors[f"mean.{name}"] for name in self.mean}
        self.spread = {name: tensors[f"spread.{name}"] for name in self.spread}
