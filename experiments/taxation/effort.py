"""How much is lived through and learnt: settings of `configs/taxation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import yaml

import configs
from agents.learners.settings import NATIVE, Experience
from agents.planner import PlannerSettings
from agents.schema import Between, OneOf, read

EFFORTS = ("default", "quick")
Months = Annotated[int, Between(12, 1200)]


@dataclass(frozen=True)
class Effort:
    """How much is lived through and learnt; meanings stand in `configs/taxation`."""

    governed: Months
    adaptation: Months
    adapted: Months
    rise: Annotated[float, Between(0.001, 0.1)]
    response: Months
    window: Months
    worlds: Annotated[int, Between(1, 1000)]
    learner: Annotated[str, OneOf(tuple(NATIVE))]
    settings: dict[str, Any]
    plan: dict[str, Any]

    @property
    def months(self) -> int:
        """Months that are played."""
        return self.governed + self.adaptation + self.adapted

    def experience(self) -> Experience:
        """Settings of the learner: those of `configs/agent`, with this effort's own."""
        return read(NATIVE[self.learner], _agent(self.learner) | self.settings, "settings")

    def planning(self) -> PlannerSettings:
        """Settings of the search for a constant schedule, likewise."""
        return read(PlannerSettings, _agent("plan") | self.plan, "plan")


def effort(name: str) -> Effort:
    """The settings of `configs/taxation/<name>.yaml`."""
    return read(Effort, _table("taxation", name), f"taxation {name}")


def _agent(kind: str) -> dict[str, Any]:
    found = _table("agent", kind)
    found.pop("kind")
    return found


def _table(folder: str, name: str) -> dict[str, Any]:
    text = (configs.root() / folder / f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found
