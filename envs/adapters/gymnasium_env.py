"""Gymnasium ids of the scenarios.

Gymnasium imports this module in every program where the project is installed, or `envs` does on
import: it stays light, and names the environments' makers by strings.
"""

from __future__ import annotations

import re
from importlib.metadata import entry_points

import gymnasium

from envs.scenarios import ENTRY_POINTS, SCENARIOS


def gymnasium_id(scenario: str) -> str:
    """The id of a scenario: `polislab/City-v0` for `city_v0`."""
    name, _, version = scenario.rpartition("_")
    return f"polislab/{name.title().replace('_', '')}-{version}"


def register() -> None:
    """Register the ids that are not there yet: `gymnasium.make("polislab/City-v0", city=...)`.

    Scenarios of other packages get one where their names end in a version, as `toll_v0`.
    """
    offered = (point.name for point in entry_points(group=ENTRY_POINTS))
    for scenario in (*SCENARIOS, *(x for x in offered if re.fullmatch(r"\w+_v\d+", x))):
        name = gymnasium_id(scenario)
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point="envs.adapters.central:make_central",
                vector_entry_point="envs.adapters.vector:make_central_vector",
                kwargs={"scenario": scenario},
            )
