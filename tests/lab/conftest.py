"""The lab's tests run on a small world with a known best action: scenario `fake_v0`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import envs
from envs import registry
from envs.adapters.sb3 import GovernanceVecEnv
from envs.scenarios.city_v0 import CityV0
from tests.fakes import FakeCore

QUICK = [
    "scenario.id=fake_v0",
    "scenario.horizon=15",
    "experiment=quick",
    "agent.num_envs=4",
    "agent.env_steps=60",
    "agent.rollouts_per_segment=1",
    "agent.epochs=2",
    "agent.hidden=[16]",
]


@pytest.fixture
def fake_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """`envs` knows one more scenario, `fake_v0`."""

    def options(values: dict[str, Any]) -> dict[str, Any]:
        kept = ("num_envs", "seed", "device", "months_per_step", "horizon")
        return {key: value for key, value in values.items() if key in kept}

    offered = registry.scenarios() | {"fake_v0": CityV0}
    monkeypatch.setattr(registry, "scenarios", lambda: offered)
    monkeypatch.setattr(envs, "make", lambda name, **o: FakeCore(**options(o)), raising=False)
    monkeypatch.setattr(
        envs,
        "sb3_vec_env",
        lambda name, **o: GovernanceVecEnv(FakeCore(**options(o))),
        raising=False,
    )


@pytest.fixture
def quick(fake_world: None, tmp_path: Path) -> Callable[..., list[str]]:
    """Overrides of a run that takes a second, under the test's own folder."""
    return lambda *more: [*QUICK, f"runs={tmp_path / 'runs'}", *more]
