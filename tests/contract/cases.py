"""The scenarios and cities on which every adapter is checked, the fake core among them."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest

from envs.adapters.gymnasium_env import gymnasium_id, register
from envs.scenarios import SCENARIOS

#: A scenario and its options.
Case = tuple[str, dict[str, Any]]

#: Ten steps an episode.
TEN_STEPS = {"horizon": 30, "months_per_step": 3}

SMALL = {"city": "synthetic", "districts": 4, "cities": 1}
#: Scenarios that are checked on more than one small city.
LARGER: dict[str, tuple[dict[str, Any], ...]] = {
    "city_v0": ({"city": "synthetic", "districts": 9}, {"city": "london"}),
    "districts_v0": ({"city": "synthetic", "districts": 9}, {"city": "london"}),
}

CASES = [
    pytest.param(("fake_v0", TEN_STEPS), id="fake_v0"),
    *(
        pytest.param((scenario, {**city, **TEN_STEPS}), id=f"{scenario}-{city['city']}")
        for scenario in SCENARIOS
        for city in LARGER.get(scenario, (SMALL,))
    ),
]

GYMNASIUM_IDS = {scenario: gymnasium_id(scenario) for scenario in ("fake_v0", *SCENARIOS)}

register()
gymnasium.register(
    GYMNASIUM_IDS["fake_v0"],
    "envs.adapters.central:make_central",
    vector_entry_point="envs.adapters.vector:make_central_vector",
    kwargs={"scenario": "fake_v0"},
)
