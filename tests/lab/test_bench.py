"""The bench measures what it says, on any size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from envs import registry
from experiments import bench
from tests.fakes import FakeCore

TINY = bench.Plan(
    districts=(3,),
    rows=(1, 2),
    seconds=0.001,
    repeats=3,
    worlds=(("fake_v0", "nowhere"),),
    environments=2,
    batch=16,
    epochs=1,
    steps=4,
    pairs=3,
)


@pytest.fixture
def fake_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning on the fake core, which is made with the options of the plan."""

    class Sized(FakeCore):
        districts = 3

    def make(scenario: str, **options: Any) -> Any:
        assert (options["num_envs"], options["months_per_step"]) == (2, 3)
        core = Sized(**options)
        core.scenario, core.city = scenario, core
        return core

    monkeypatch.setattr(registry, "make", make)
    monkeypatch.setattr(bench.envs, "make", make, raising=False)


def test_every_measurement_is_made_and_counted(fake_core: None) -> None:
    ticks: list[None] = []
    result = bench.measure(TINY, lambda: ticks.append(None))
    assert len(ticks) == TINY.work == 3 * 2 + 3
    assert [(m["districts"], m["rows"]) for m in result["model"]] == [(3, 1), (3, 2)]
    for speed in result["model"]:
        assert speed["slowest"] <= speed["city_months"] <= speed["fastest"]
        assert speed["milliseconds"] == pytest.approx(1000 * speed["rows"] / speed["city_months"])
    (learning,) = result["learning"]
    assert (learning["agents"], learning["environments"]) == (4, 2)
    assert 0 < learning["lowest"] <= learning["ratio"] <= learning["highest"]
    assert learning["goal"] is None


def test_a_slow_world_lowers_the_ratio(fake_core: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from time import sleep

    step = FakeCore.step

    def slow(self: FakeCore, actions: Any) -> Any:
        sleep(0.05)
        return step(self, actions)

    plan = replace(TINY, districts=(), rows=())
    monkeypatch.setattr(FakeCore, "step", slow)
    (learning,) = bench.measure(plan, lambda: None)["learning"]
    assert learning["ratio"] < 0.5
    assert learning["city_steps"] < 8 * 4 / (4 * 0.05)
