"""The bench measures what it says, on any size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from envs import registry
from experiments import bench, speed
from tests.fakes import FakeCore

TINY = bench.Plan(
    districts=(3,),
    rows=(1, 2),
    seconds=0.001,
    repeats=3,
    memory=(),
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
    for found in result["model"]:
        assert found["slowest"] <= found["city_months"] <= found["fastest"]
        assert found["milliseconds"] == pytest.approx(1000 * found["rows"] / found["city_months"])
        assert 0 < found["share"] == pytest.approx(found["limit"] / found["milliseconds"])
        assert found["goal"] is None
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


def test_the_limit_is_the_arithmetic_of_the_month() -> None:
    """Every product of matrices of districts and every exponential of them is in it, once."""
    city = registry.synthetic(0, 1, 5).to(torch.float32)
    calls = speed.arithmetic(city, city.initial(2))
    names = {func._schema.name for func, _ in calls}
    assert {"aten::exp", "aten::bmm"} <= names <= set(speed.ARITHMETIC)
    squares = [args for func, args in calls if args[0].shape[-2:] == (5, 5)]
    assert len(squares) >= 4
    again = speed.arithmetic(city, city.initial(2))
    assert [func for func, _ in again] == [func for func, _ in calls]


def test_goals_are_judged_where_they_are_set() -> None:
    assert speed.goal(33, 1, 2.9, 0.1) == ("3 ms", True)
    assert speed.goal(33, 1, 3.1, 0.9) == ("3 ms", False)
    assert speed.goal(33, 256, 50.0, 0.24) == ("25 % of the limit", False)
    assert speed.goal(9, 256, 50.0, 0.01) is None


def test_memory_grows_with_the_batch() -> None:
    small, large = speed.memory(9, 1024), speed.memory(9, 8192)
    assert large.megabytes > 2 * small.megabytes
    assert large.per_row == pytest.approx(large.megabytes / 8192)
