"""What must not matter: company in the batch, names of districts, units, how types are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import pytest
import torch
from torch import Tensor

import envs
from envs.city import tree
from envs.city.cities import build, with_parameters
from envs.city.dynamics import Dynamics
from envs.city.model import City, CityState
from envs.city.panel import Panel
from envs.city.parameters import TABLE, Parameters
from envs.city.shocks import Shocks
from envs.city.synthetic import synthetic_panel
from envs.priors import SYNTHETIC, read
from tests.model.runs import random_policy

T = TypeVar("T")

STEPS = 12
EXTENSIVE = (
    "planning.people",
    "planning.home_floor",
    "planning.work_floor",
    "planning.home_pipe",
    "planning.work_pipe",
    "industry.employed",
    "industry.capital",
    "services.facilities",
    "services.staff",
    "services.pipe",
    "infrastructure.road",
    "infrastructure.road_pipe",
    "treasury.debt",
    "treasury.dividend",
)
MONEY = (
    "planning.home_rent",
    "planning.work_rent",
    "industry.wage",
    "industry.capital",
    "treasury.debt",
    "treasury.dividend",
)


def calibrated(panel: Panel, overrides: Mapping[str, float] | None = None) -> City:
    """A panel inverted, with the neutral prior."""
    return with_parameters(build(panel, overrides), read(SYNTHETIC))


def world(rows: int, districts: int, like: Tensor) -> list[Shocks]:
    """Three years of crisis weather, the same for every row."""
    weather = Dynamics("crisis", 1, districts, 36, like)
    weather.seed(0, 7)
    weather.reset([0])
    return [
        tree.tree_map(lambda x: x.expand(rows, *x.shape[1:]), weather.advance()) for _ in range(36)
    ]


def lived(city: City, requested: Mapping[str, Tensor], weather: list[Shocks]) -> CityState:
    """State after the given weather under one policy."""
    state = city.initial()
    with torch.no_grad():
        for shocks in weather:
            state, _ = city.step(state, requested, shocks)
    return state


def assert_same(now: CityState, then: CityState, factors: Mapping[str, float], rtol: float) -> None:
    """``now`` equals ``then`` times the factor of each state; debt within a share of capital."""
    capital = float(now.industry.capital.sum())
    for (name, x), (_, y) in zip(tree.leaves(now), tree.leaves(then), strict=True):
        expected = y * factors.get(name, 1.0)
        size = capital if name.startswith("treasury.d") else float(expected.abs().max())
        assert torch.allclose(x, expected, rtol=rtol, atol=rtol * max(size, 1e-3)), name


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("row", [0, 37])
def test_a_row_of_sixty_four_is_the_same_alone(
    many: City, dtype: torch.dtype, close: float, row: int
) -> None:
    def make(rows: int, seed: int) -> envs.governance.GovernanceEnv:
        return envs.make("city_v0", city=many, num_envs=rows, seed=seed, dtype=dtype, horizon=36)

    crowd, alone = make(64, 0), make(1, row)
    generator = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        actions = {
            group.name: 2 * torch.rand(64, 1, len(group.action_names), generator=generator) - 1
            for group in crowd.groups
        }
        many_rows = crowd.step(actions)
        one_row = alone.step({name: a[row : row + 1] for name, a in actions.items()})
        for name, seen in one_row.observations.items():
            together = many_rows.observations[name][row : row + 1]
            assert torch.allclose(together, seen, rtol=close, atol=10 * close)
        for name, reward in one_row.rewards.items():
            together = many_rows.rewards[name][row : row + 1]
            assert torch.allclose(together, reward, rtol=close, atol=10 * close)
        for name, value in one_row.info["indicators"].items():
            together = many_rows.info["indicators"][name][row : row + 1]
            size = float(value.abs().max())
            assert torch.allclose(together, value, rtol=close, atol=close * max(size, 1.0))


def test_the_weather_of_a_row_is_its_own_to_the_bit() -> None:
    like = torch.zeros(1, dtype=torch.float32)
    crowd = Dynamics("crisis", 64, 9, 36, like)
    for row in range(64):
        crowd.seed(row, 100 + row)
    crowd.reset(range(64))
    for row in (0, 37, 63):
        alone = Dynamics("crisis", 1, 9, 36, like, chance=1)
        alone.seed(0, 100 + row)
        alone.reset([0])
        other = Dynamics("crisis", 64, 9, 36, like, chance=1)
        for each in range(64):
            other.seed(each, 100 + each)
        other.reset(list(reversed(range(64))))
        for _ in range(36):
            one = alone.advance()
            again = other.advance()
            for name, value in one.items():
                assert torch.equal(value[0], again[name][row]), name
    crowd.reset([5])
    before = [s["outside"].clone() for s in (crowd.advance(), crowd.advance())]
    assert float((before[0] - before[1]).abs().max()) > 0


def test_relabelling_districts_relabels_the_results() -> None:
    panel = synthetic_panel([3], 9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    shuffled = Panel(
        xy=panel.xy[:, order],
        land=panel.land[:, order],
        people=panel.people[:, order],
        jobs=panel.jobs[:, order],
        sectors=None if panel.sectors is None else panel.sectors[:, order],
    )
    tribal = {"homophily": 0.1}
    city, other = calibrated(panel, tribal), calibrated(shuffled, tribal)
    requested = random_policy(city, 11)
    relabelled = {
        name: x[:, order] if x.dim() > 1 and x.shape[1] == 9 else x for name, x in requested.items()
    }
    weather = world(1, 9, city.start.planning.home_rent)
    turned = [
        {name: x[:, order] if x.dim() > 1 and x.shape[1] == 9 else x for name, x in month.items()}
        for month in weather
    ]
    then = lived(city, requested, weather)
    now = lived(other, relabelled, turned)
    permuted = tree.tree_map(lambda x: x[:, order] if x.dim() > 1 and x.shape[1] == 9 else x, then)
    assert_same(now, permuted, {}, 1e-9)
    assert not torch.allclose(now.planning.people, then.planning.people)


def test_twice_the_city_is_twice_everything() -> None:
    """Exact for people, jobs, floor, capital, roads, staff and money on the same map.

    Land stays, because the width of a district sets the length of trips within it; density
    acts against the first year's, so that the level cancels.
    """
    panel = synthetic_panel([3], 9)
    double = replace(panel, people=2 * panel.people, jobs=2 * panel.jobs)
    tribal = {"homophily": 0.1}
    city, other = calibrated(panel, tribal), calibrated(double, tribal)
    requested = random_policy(city, 12)
    weather = world(1, 9, city.start.planning.home_rent)
    then, now = lived(city, requested, weather), lived(other, requested, weather)
    assert_same(now, then, dict.fromkeys(EXTENSIVE, 2.0), 1e-9)


def test_land_alone_changes_trips_within_a_district_and_nothing_at_the_start() -> None:
    panel = synthetic_panel([3], 9)
    wide = calibrated(replace(panel, land=4 * panel.land))
    city = calibrated(panel)
    inner = torch.diagonal(wide.geography.distance[0]) / torch.diagonal(city.geography.distance[0])
    assert torch.allclose(inner, torch.full_like(inner, 2))
    torch.testing.assert_close(wide.start.planning.people, city.start.planning.people)


def test_the_unit_of_money_does_not_matter() -> None:
    panel = synthetic_panel([3], 9)
    city = calibrated(panel)
    other = calibrated(panel, {"wage": 4.0 * 9})
    requested = random_policy(city, 13)
    weather = world(1, 9, city.start.planning.home_rent)
    then, now = lived(city, requested, weather), lived(other, requested, weather)
    assert_same(now, then, dict.fromkeys(MONEY, 9.0), 1e-9)


_BY_TYPE = {
    "planning.people": 2,
    "planning.perceived": 2,
    "planning.amenity": 2,
    "planning.mix": 2,
    "planning.outside": 1,
    "planning.replacement": 1,
    "industry.affinity": 1,
    "industry.type_tags": 1,
    "travel.value_of_time": 1,
    "treasury.dodging.claims": 1,
    "treasury.policy.rebate": 1,
    "treasury.policy.targeting": 1,
}
_COUNTS = ("planning.people", "planning.mix")


def _recut(structure: T, index: list[int], share: Tensor) -> T:
    """Household types ``index``, each with a ``share`` of the people of the original."""
    chosen = torch.tensor(index)

    def cut(name: str, value: Tensor) -> Tensor:
        axis = _BY_TYPE.get(name)
        if name == "planning.kinship":
            return value.index_select(1, chosen).index_select(2, chosen)
        if axis is None or value.dim() <= axis:
            return value
        return value.index_select(axis, chosen) * (share if name in _COUNTS else 1)

    values = iter([cut(name, value) for name, value in tree.leaves(structure)])
    return tree.tree_map(lambda _: next(values), structure)


def _recut_city(city: City, index: list[int], share: Tensor) -> City:
    values = {
        name: value[:, index] if TABLE[name].axis == "type" else value
        for name, value in city.parameters.values.items()
    }
    return City(
        city.geography,
        Parameters(values),
        _recut(city.fundamentals, index, share),
        _recut(city.start, index, share),
    )


@pytest.mark.parametrize(
    ("index", "share"),
    [
        ([5, 3, 1, 0, 2, 4], [1.0] * 6),
        ([0, 0, 1, 2, 3, 4, 5], [0.5, 0.5, 1, 1, 1, 1, 1]),
        ([0, 1, 2, 3, 4, 5, 5], [1, 1, 1, 1, 1, 0.3, 0.7]),
    ],
    ids=["relabelled", "halved", "cut unevenly"],
)
def test_how_types_are_cut_does_not_matter(index: list[int], share: list[float]) -> None:
    parts = torch.tensor(share, dtype=torch.float64)
    settled = {"rise": (0.0,) * 6, "fall": (0.0,) * 6}  # careers lead from one type to the next
    nine = calibrated(synthetic_panel([3], 9), settled)
    city = _recut_city(nine, index, parts)
    requested = random_policy(nine, 14)
    recut = dict(requested)
    for name in ("rebate", "targeting"):
        recut[name] = requested[name][:, index]
    weather = world(1, 9, nine.start.planning.home_rent)
    cut = [
        month
        | {
            "arrivals": month["arrivals"][:, index],
            "moving_noise": month["moving_noise"][..., index],
        }
        for month in weather
    ]
    then, now = lived(nine, requested, weather), lived(city, recut, cut)
    expected = _recut(then, index, parts)
    assert_same(now, expected, {}, 1e-9)


def test_two_copies_of_a_city_in_one_batch_agree(nine: City) -> None:
    twice = replace(
        nine,
        start=tree.expand(nine.start, 2),
        fundamentals=tree.expand(nine.fundamentals, 2),
        geography=tree.expand(nine.geography, 2),
    )
    requested = random_policy(nine, 15)
    weather = world(1, 9, nine.start.planning.home_rent)
    then = lived(nine, requested, weather)
    now = lived(
        twice,
        {name: x.expand(2, *x.shape[1:]) for name, x in requested.items()},
        world(2, 9, nine.start.planning.home_rent),
    )
    assert_same(now, tree.expand(then, 2), {}, 1e-12)
