"""Fifty years of extreme policies: every state stays finite, and quantities non-negative."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from envs.city.cities import build
from envs.city.dynamics import Dynamics
from envs.city.indicators import city_values
from envs.city.levers import LEVERS
from envs.city.model import City, CityState, Flows
from envs.city.synthetic import synthetic_panel
from tests.model.runs import random_policy, wrong


def govern(
    city: City, preset: str, length: int, mode: str = "pooled", corner: str | None = None
) -> Iterator[tuple[CityState, Flows]]:
    """Months under random policies redrawn each year, or with every lever at one bound."""
    state = city.initial()
    weather = Dynamics(preset, city.rows, city.districts, length, state.planning.home_rent)
    for row in range(city.rows):
        weather.seed(row, row)
    weather.reset(range(city.rows))
    with torch.no_grad():
        for month in range(length):
            if month % 12 == 0:
                requested = random_policy(city, month)
            if corner:
                for name, lever in LEVERS.items():
                    requested[name] = torch.full_like(requested[name], getattr(lever, corner))
            state, flows = city.step(state, requested, weather.advance(), mode)
            assert not wrong(state), f"month {month}"
            assert not [x for x in wrong(flows) if "finite" in x], f"month {month}"
            yield state, flows


def test_fifty_years_in_a_steady_world_stay_within_bounds(many: City) -> None:
    city = many.to(torch.float32)
    ranges: dict[str, list[float]] = {}
    start: dict[str, torch.Tensor] = {}
    for state, flows in govern(city, "steady", 600):
        values = city_values(city, state, flows)
        start = start or values
        for name in ("population", "output", "rent"):
            ranges.setdefault(name, []).extend((values[name] / start[name]).tolist())
        ranges.setdefault("load", []).append(float(flows.traffic.load.max()))
        debt = state.treasury.debt / flows.settlement.revenue
        ranges.setdefault("debt", []).extend(debt.tolist())
    for name, (low, high) in {
        "population": (0.25, 2.5),
        "output": (0.4, 3.5),
        "rent": (0.4, 1.6),
        "load": (0, 3),
        "debt": (-12, 12),
    }.items():
        assert low < min(ranges[name]), (name, min(ranges[name]))
        assert max(ranges[name]) < high, (name, max(ranges[name]))


@pytest.mark.parametrize("preset", ["shocks", "crisis"])
@pytest.mark.parametrize("mode", ["pooled", "boards", "departments"])
def test_random_policies_redrawn_yearly_break_nothing(many: City, mode: str, preset: str) -> None:
    length = 600 if (mode, preset) == ("pooled", "shocks") else 180
    months = sum(1 for _ in govern(many.to(torch.float32), preset, length, mode))
    assert months == length


@pytest.mark.parametrize("side", ["low", "high"])
def test_every_lever_at_its_bound_for_ever(many: City, side: str) -> None:
    assert sum(1 for _ in govern(many.to(torch.float32), "steady", 240, corner=side)) == 240


def test_an_empty_district_is_a_district_like_any_other() -> None:
    panel = synthetic_panel([3], 9)
    people = panel.people.clone()
    people[:, 4] = 1e-3
    city = build(replace(panel, people=people)).to(torch.float32)
    assert sum(1 for _ in govern(city, "shocks", 120)) == 120
