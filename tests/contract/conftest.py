"""Every adapter test runs on every case of `cases.py`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from tests.fakes import FakeCore

try:
    from envs import registry
except ImportError:
    registry = ModuleType("envs.registry")
    registry.scenario_ids = lambda: ()
    registry.make = lambda *_, **__: None
    sys.modules["envs.registry"] = registry
    import envs

    envs.registry = registry

from tests.contract.cases import CASES, Case


@pytest.fixture(autouse=True)
def _fake_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    """`registry.make("fake_v0")` gives the fake core; other scenarios are made as always."""
    real = registry.make

    def make(scenario: str, **options: Any) -> Any:
        return FakeCore(**options) if scenario == "fake_v0" else real(scenario, **options)

    monkeypatch.setattr(registry, "make", make)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """A scenario and its options; ten steps an episode."""
    return request.param
