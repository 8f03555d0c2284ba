"""A region in two levels: a city whose district is a city."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from envs.city.model import City
from envs.city.region import Region, RegionFlows, RegionState, inner_panel
from envs.city.shocks import no_shocks
from envs.city.steady import drift
from tests.model.runs import policy

HELD = 4


@pytest.fixture(scope="module")
def region(nine: City) -> Region:
    return Region(nine, {HELD: inner_panel(nine, HELD, 5, seed=2)})


def lived(
    region: Region,
    months: int,
    settings: dict[str, float],
    inside: dict[str, torch.Tensor] | None = None,
    closure: float = 0.0,
    mode: str = "pooled",
) -> tuple[RegionState, RegionFlows]:
    state = region.initial()
    whole = region.whole
    requested = policy(whole, settings)
    for month in range(months):
        shocks = no_shocks(1, whole.districts, whole.start.planning.home_rent)
        if month == 0:
            shocks["closure"][:, HELD] = closure
        detail = {HELD: inside} if inside else None
        state, flows = region.step(state, requested, shocks, detail, mode)
    return state, flows


def test_both_levels_rest_at_their_first_year(region: Region) -> None:
    state, _ = lived(region, 60, {})
    for city, now in ((region.whole, state.whole), (region.parts[HELD].city, state.parts[HELD])):
        moved = drift(city, now)
        assert max(moved.values()) < 1e-6, max(moved, key=lambda name: moved[name])


def test_the_people_of_a_part_are_those_of_its_district(region: Region) -> None:
    """One month late, whatever happens on either level; types to what schools differ in."""
    state, flows = lived(region, 48, {"transit": 1.5, "far": 1.3}, closure=0.5)
    inside = state.parts[HELD].planning.people.sum(1)
    district = flows.whole.residents.people[:, HELD]
    torch.testing.assert_close(inside.sum(-1), district.sum(-1), rtol=1e-5, atol=0)
    torch.testing.assert_close(inside, district, rtol=5e-4, atol=0)
    start = region.whole.start.planning.people[:, HELD]
    assert float((inside / start - 1).abs().max()) > 1e-3


def test_what_happens_inside_is_felt_by_the_whole(region: Region) -> None:
    """Better schools in one quarter of the part draw people to its district."""
    staff = torch.ones(1, 5, 4, dtype=torch.float64)
    staff[:, 0] = 1.8
    base, _ = lived(region, 60, {}, mode="soft")
    better, _ = lived(region, 60, {}, {"staff": staff}, mode="soft")
    gain = better.whole.planning.people.sum(-1) / base.whole.planning.people.sum(-1) - 1
    assert int(gain.argmax()) == HELD
    assert float(gain[0, HELD]) > 1e-3
    asked = better.whole.treasury.policy["staff"]
    people = region.parts[HELD].city.start.planning.people.sum(-1)
    mean = float(1 + 0.8 * people[0, 0] / people.sum())
    assert float(asked[0, HELD].mean()) == pytest.approx(mean, abs=0.02)
    assert torch.equal(asked[0, 0], torch.ones(4, dtype=torch.float64))


def test_what_happens_to_the_whole_is_felt_inside(region: Region) -> None:
    base, _ = lived(region, 36, {}, mode="soft")
    taxed, flows = lived(region, 36, {"income_tax": 0.12}, mode="soft")
    fewer = taxed.parts[HELD].planning.people.sum() / base.parts[HELD].planning.people.sum()
    assert float(fewer) < 0.999
    assert float(flows.parts[HELD].fiscal.keep_income) < 0.93


def test_a_panel_that_is_not_its_district_is_refused(nine: City) -> None:
    panel = inner_panel(nine, HELD, 5)
    with pytest.raises(ValueError, match=r"district 12: expected 0 to 8; district 4: .* people"):
        Region(nine, {12: panel, HELD: replace(panel, people=panel.people * 1.1)})
