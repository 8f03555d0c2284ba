"""toll_v0: one agent that sets the cordon toll, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs import costs
from envs.city.levers import Policy
from envs.city.model import City
from envs.groups import Group
from envs.scenario import Scenario, Scene, scaled
from envs.view import View

_FIGURES = ("congestion", "commute_time", "revenue")
_COSTS = ("emissions", "intervention")


@dataclass(frozen=True)
class TollV0(Scenario):
    """A road pricing agency for the whole city.

    Attributes:
        free: share of the toll that is waived.
    """

    free: float = 0.0

    def problems(self) -> list[str]:
        found = super().problems()
        if not 0 <= self.free < 1:
            found.append(f"free={self.free}: expected at least 0 and below 1")
        return found

    def groups(self, city: City) -> tuple[Group, ...]:
        names = (*_FIGURES, "elapsed")
        return (Group("pricing", ("agency",), names, ("toll",), _COSTS, self.budgets(_COSTS)),)

    def observe(self, view: View) -> dict[str, Tensor]:
        columns = [view.change(name, "infrastructure") for name in _FIGURES]
        return {"pricing": torch.stack([*columns, view.elapsed], -1).unsqueeze(1)}

    def request(self, actions: Mapping[str, Tensor], policy: Policy) -> Policy:
        toll = (1 - self.free) * scaled("toll", actions["pricing"][:, 0], self.reach)
        return {**policy, "toll": toll.expand_as(policy["toll"])}

    def goals(self, scene: Scene) -> dict[str, Tensor]:
        relief = 1 - scene.value("congestion") / scene.start["congestion"]
        return {"pricing": 10 * relief.unsqueeze(-1)}

    def costs(self, scene: Scene) -> dict[str, Tensor]:
        return {"pricing": costs.evaluate(_COSTS, scene, self.terms(scene, ("toll",)), 1)}
