"""Prices of breaking the budgets of constraint costs.

A controller on the mean cost of an episode (Stooke, Achiam and Abbeel 2020): with
`over = (cost - budget) / budget` the price is `max(0, P over + I sum(over) + D rise)`; with
P = D = 0 it is the plain Lagrange multiplier by dual ascent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from agents.learners.sections import Section
from agents.learners.settings import MultiplierSettings
from envs.groups import Group


class Multipliers:
    """One price for each group and cost it carries, at least zero.

    Costs and their prices count in budgets, so that one set of gains serves all of them; a budget
    of zero counts in the cost's own unit. Costs are means over rows, agents and steps.
    """

    def __init__(
        self, settings: MultiplierSettings, groups: Sequence[Group], device: torch.device
    ) -> None:
        self.settings = settings
        self.groups = [group for group in groups if group.cost_names]
        self.budgets = {g.name: torch.tensor(g.budgets, device=device) for g in self.groups}
        self.sums = {name: torch.zeros_like(b) for name, b in self.budgets.items()}
        self.before = {name: torch.zeros_like(b) for name, b in self.budgets.items()}
        self.prices = {name: torch.zeros_like(b) for name, b in self.budgets.items()}
        self.begun = torch.zeros((), device=device)

    def update(self, means: Mapping[str, Tensor]) -> None:
        """Answer to the mean costs of a rollout, group -> `[C]`."""
        s = self.settings
        for name, budget in self.budgets.items():
            over = (means[name] - budget) / torch.where(budget > 0, budget, 1.0)
            rise = (over - self.before[name]).clamp_min(0) * self.begun
            self.sums[name] = (self.sums[name] + s.integral * over).clamp(0, s.limit)
            price = s.proportional * over + self.sums[name] + s.derivative * rise
            self.prices[name] = price.clamp(0, s.limit)
            self.before[name] = over
        self.begun = torch.ones_like(self.begun)

    def of(self, section: Section) -> Tensor:
        """Prices of a budget's worth for the agents of a section `[a, C]`; 0 for padding."""
        return self._padded(section, self.prices)

    def per_unit(self, section: Section) -> Tensor:
        """Budgets that a unit of cost is worth `[a, C]`; 0 for padding."""
        shares = {name: 1 / torch.where(b > 0, b, 1.0) for name, b in self.budgets.items()}
        return self._padded(section, shares)

    def _padded(self, section: Section, values: Mapping[str, Tensor]) -> Tensor:
        parts = []
        for group in section.groups:
            value = values.get(group.name, self.begun.new_zeros(0))
            padded = functional.pad(value, (0, section.costs - len(value)))
            parts.append(padded.expand(group.size, -1))
        return torch.cat(parts)

    def metrics(self, means: Mapping[str, Tensor]) -> dict[str, float]:
        """Mean costs and prices by group and name."""
        found: dict[str, float] = {}
        for group in self.groups:
            for column, cost in enumerate(group.cost_names):
                name = f"{group.name}/{cost}"
                found[f"cost/{name}"] = float(means[group.name][column])
                found[f"multiplier/{name}"] = float(self.prices[group.name][column])
        return found

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        found = {"begun": self.begun}
        for what in ("sums", "before", "prices"):
            found |= {f"{what}.{name}": x for name, x in getattr(self, what).items()}
        return found

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from `tensors`."""
        self.begun = tensors["begun"].to(self.begun.device)
        for what in ("sums", "before", "prices"):
            mine = getattr(self, what)
            for name, now in mine.items():
                mine[name] = tensors[f"{what}.{name}"].to(now.device)
