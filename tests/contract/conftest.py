"""Every adapter test runs on every case of `cases.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from envs import ground, registry
from envs.city import valuation
from tests.contract.cases import CASES, Case
from tests.fakes import FakeCore


@pytest.fixture(autouse=True)
def _fake_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    """`registry.make("fake_v0")` gives the fake core; other scenarios are made as always."""
    real = registry.make

    def make(scenario: str, **options: Any) -> Any:
        return FakeCore(**options) if scenario == "fake_v0" else real(scenario, **options)

    monkeypatch.setattr(registry, "make", make)


@pytest.fixture(autouse=True)
def _near_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stocks are priced two years ahead instead of twenty: views do not depend on the prices."""
    near = partial(valuation.shadow_prices, months=24)
    monkeypatch.setattr(ground, "shadow_prices", near)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """A scenario and its options; ten steps an episode."""
    return request.param
