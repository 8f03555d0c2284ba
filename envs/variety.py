"""What may differ from one training segment to the next: switches of realism, and the cities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from envs import realism
from envs.city.model import City
from envs.scenario import Scenario


class Variety:
    """The part of a governed world that learners vary; it counts from the next ``reset`` on."""

    city: City
    options: Scenario
    _next: Scenario
    _first_row: int

    @property
    def realism(self) -> dict[str, float]:
        """Switches of realism in force (``envs.realism.SWITCHES``)."""
        return {name: getattr(self.options, name) for name in realism.SWITCHES}

    def set_realism(self, values: Mapping[str, float]) -> None:
        """Change switches of realism; the others stay.

        Raises:
            ValueError: unknown switches or values outside [0, 1]; all in one message.
        """
        if problems := realism.problems(values):
            raise ValueError("; ".join(problems))
        changes: dict[str, Any] = dict(values)
        self._next = replace(self._next, **changes)

    def move(self, first_row: int) -> None:
        """Let row i stand on city ``first_row + i``, round and round, so that a few rows meet
        many cities. The members of a fitted twin stay where they are, with their drifts."""
        if self.city.panel is not None:
            self._first_row = first_row
