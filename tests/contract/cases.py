"""The scenarios and cities on which every adapter is checked, the fake core among them."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest

from envs import registry
from envs.adapters.gymnasium_env import register

#: A scenario and its options.
Case = tuple[str, dict[str, Any]]

#: Ten steps an episode.
TEN_STEPS = {"horizon": 30, "months_per_step": 3}

CITIES = ({"city": "synthetic", "districts": 9}, {"city": "london"})

CASES = [
    pytest.param(("fake_v0", TEN_STEPS), id="fake_v0"),
    *(
        pytest.param((scenario, {**city, **TEN_STEPS}), id=f"{scenario}-{city['city']}")
        for scenario in ("city_v0", "districts_v0", "participation_v0", "region_v0")
        if scenario in registry.scenario_ids()
        for city in CITIES
    ),
]

GYMNASIUM_IDS = {
    "fake_v0": "polislab/Fake-v0",
    "city_v0": "polislab/City-v0",
    "districts_v0": "polislab/Districts-v0",
    "participation_v0": "polislab/Participation-v0",
    "region_v0": "polislab/Region-v0",
}

register()
gymnasium.register(
    "polislab/Fake-v0",
    "envs.adapters.central:make_central",
    vector_entry_point="envs.adapters.vector:make_central_vector",
    kwargs={"scenario": "fake_v0"},
)
