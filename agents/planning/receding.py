"""Plans for the next months on a model, made by gradient, of which the first steps are followed."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor

from agents.planning.ascent import ascend
from agents.planning.model import Tracked
from agents.planning.settings import HorizonSettings


class RecedingHorizon:
    """Plans of all rows, renewed every few steps from where the tracked model stands.

    Every agent and lever has a plan of its own, with settings that hold for ``period`` steps. A
    renewal begins with what is left of the last plan, climbs the discounted mean reward over the
    model cities of a row by a few steps of Adam, and takes the best plan met, the last plan
    included. Plans end with the episode. Stocks left at the end count at their shadow prices,
    which the reward pays as they build up.
    """

    def __init__(self, tracked: Tracked, settings: HorizonSettings) -> None:
        self.tracked, self.settings = tracked, settings
        model = tracked.model
        self.steps = max(1, settings.months // model.months_per_step)
        self.periods = -(-self.steps // settings.period)
        self._step = unwrap(type(model).step)  # environments may step without gradients
        self.begin()

    def begin(self) -> None:
        """Forget all plans: a new episode begins."""
        model: Any = self.tracked.model
        self.plan = {
            group.name: torch.zeros(
                (self.tracked.rows, self.periods, group.size, len(group.action_names)),
                dtype=model.dtype,
                device=model.device,
            )
            for group in model.groups
        }
        self.clock = 0
        self._planned = 0

    def act(self) -> dict[str, Tensor]:
        """Actions of the next step of the episode, group -> ``[R, n, A]``."""
        s = self.settings
        if self.clock % s.every == 0:
            self._renew(s.iterations if self.clock else s.first_iterations)
        period = min((self.clock - self._planned) // s.period, self.periods - 1)
        self.clock += 1
        return {name: plan[:, period] for name, plan in self.plan.items()}

    def _renew(self, iterations: int) -> None:
        """Plan anew from the present step on."""
        model, s = self.tracked.model, self.settings
        passed = self.clock - self._planned
        left = [
            min((passed + k * s.period) // s.period, self.periods - 1) for k in range(self.periods)
        ]
        start = {name: plan[:, left] for name, plan in self.plan.items()}
        self._planned = self.clock
        steps = min(self.steps, model.steps_per_episode - self.clock)
        if iterations:
            self.plan = self._climb(start, steps, iterations)
        else:
            self.plan = start

    def _climb(self, start: dict[str, Tensor], steps: int, iterations: int) -> dict[str, Tensor]:
        """The best plans met on the way up; the model is left where it stood."""
        moment, weather = self.tracked.model.moment(), self.tracked.model.weather
        plans = {name: plan.detach().clone().requires_grad_() for name, plan in start.items()}
        optimiser = torch.optim.Adam(plans.values(), lr=self.settings.learning_rate)
        best = {name: plan.detach().clone() for name, plan in plans.items()}
        highest: Tensor | None = None
        for iteration in range(iterations + 1):
            self._stand(moment, weather)
            climbs = iteration < iterations
            with torch.set_grad_enabled(climbs):
                returns = self._returns(plans, steps)
            found = returns.detach().nan_to_num(-torch.inf)
            better = torch.ones_like(found, dtype=torch.bool)
            if highest is not None:
                better = found > highest
            highest = found if highest is None else torch.maximum(highest, found)
            for name, plan in plans.items():
                best[name][better] = plan.detach()[better]
            if climbs:
                ascend(optimiser, plans, returns)
        self._stand(moment, weather)
        return best

    def _stand(self, moment: Any, weather: Tensor) -> None:
        """Put the model where the city is thought to stand, under the weather that it is in."""
        self.tracked.model.go_back(moment)
        self.tracked.model.expect(weather)

    def _returns(self, plans: Mapping[str, Tensor], steps: int) -> Tensor:
        """Discounted mean reward of every row's plan over its model cities ``[R]``."""
        model, s = self.tracked.model, self.settings
        total: Any = 0.0
        for step in range(steps):
            now = {name: plan[:, step // s.period] for name, plan in plans.items()}
            result = self._step(model, {k: self.tracked.spread(x) for k, x in now.items()})
            reward = torch.cat(list(result.rewards.values()), dim=1).mean(dim=1)
            total = total + s.monthly_discount ** (step * model.months_per_step) * reward
        found: Tensor = total.reshape(self.tracked.rows, self.tracked.copies).mean(dim=1)
        return found
