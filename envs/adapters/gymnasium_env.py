"""Gymnasium ids of the scenarios.

Gymnasium imports this module in every program where the project is installed, or `envs` does on
import: it stays light, and names the environments' makers by strings.
"""

from __future__ import annotations

import gymnasium

#: Gymnasium id -> scenario id.
SCENARIOS = {
    "polislab/City-v0": "city_v0",
    "polislab/Districts-v0": "districts_v0",
    "polislab/Participation-v0": "participation_v0",
    "polislab/Region-v0": "region_v0",
}


def register() -> None:
    """Register the ids that are not there yet: `gymnasium.make("polislab/City-v0", city=...)`."""
    for name, scenario in SCENARIOS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point="envs.adapters.central:make_central",
                vector_entry_point="envs.adapters.vector:make_central_vector",
                kwargs={"scenario": scenario},
            )
