"""Invariants 7 to 12 of MODEL section 13: names, company, size, money and cuts do not matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from envs.city import tree
from envs.city.levers import LEVERS, Policy
from envs.city.model import City, CityState
from envs.city.panel import Panel
from envs.city.parameters import TABLE, Parameters
from envs.city.shocks import AXES, SHOCKS, Shocks
from envs.city.sizes import TYPES
from tests.model.worlds import (
    Month,
    Traits,
    World,
    calibrated,
    inverted,
    lived,
    over_worlds,
    worlds,
)

T = TypeVar("T")

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
#: Careers lead from one type to the next: nobody has one where types are cut or renamed.
SETTLED: Traits = (("rise", (0.0,) * TYPES), ("fall", (0.0,) * TYPES))


def assert_same(now: CityState, then: CityState, factors: Mapping[str, float], rtol: float) -> None:
    """``now`` equals ``then`` times the factor of each state; debt within a share of capital."""
    capital = float(now.industry.capital.sum())
    for (name, x), (_, y) in zip(tree.leaves(now), tree.leaves(then), strict=True):
        expected = y * factors.get(name, 1.0)
        size = capital if name.startswith("treasury.d") else float(expected.abs().max())
        assert torch.allclose(x, expected, rtol=rtol, atol=rtol * max(size, 1e-3)), name


def ending(world: World, city: City, requested: Policy, weather: list[Shocks]) -> Month:
    """The last month of a world."""
    *_, month = lived(city, requested, weather, world.mode)
    return month


def after(world: World, city: City, requested: Policy, weather: list[Shocks]) -> CityState:
    """The state at the end of the months of a world."""
    return ending(world, city, requested, weather)[2]


def in_order(values: Mapping[str, Tensor], axes: Mapping[str, int], order: list[int]) -> Policy:
    """Named tensors with the entries along ``axes`` in another order."""
    chosen = torch.tensor(order)
    return {
        name: value.index_select(axes[name], chosen) if name in axes else value
        for name, value in values.items()
    }


def levers_along(what: str) -> dict[str, int]:
    """Axis of each lever that counts districts or types."""
    named = {name: lever.shape.split(",") for name, lever in LEVERS.items()}
    return {name: 1 + axes.index(what) for name, axes in named.items() if what in axes}


def shocks_along(letter: str) -> dict[str, int]:
    """Axis of each shock that counts districts (D) or types (K)."""
    named = {name: AXES[shock.axis] for name, shock in SHOCKS.items()}
    return {name: 1 + axes.index(letter) for name, axes in named.items() if letter in axes}


def states_along_districts() -> dict[str, int]:
    """Axis of each state that counts districts: the one that grows with the city."""
    pairs = zip(
        tree.leaves(calibrated((0,), 7).start), tree.leaves(calibrated((0,), 8).start), strict=True
    )
    return {
        name: axis
        for (name, x), (_, y) in pairs
        for axis in range(x.dim())
        if x.shape[axis] != y.shape[axis]
    }


def renamed(structure: T, axes: Mapping[str, int], order: list[int]) -> T:
    """A tree with the entries along ``axes`` of its tensors in another order."""
    values = iter(in_order(dict(tree.leaves(structure)), axes, order).values())
    return tree.tree_map(lambda _: next(values), structure)


@over_worlds()
def test_invariant_7_relabelling_districts_relabels_the_results(world: World) -> None:
    """Invariant 7: the panel is relabelled before it is inverted, and all that is done to it."""
    shuffle = torch.Generator().manual_seed(world.seed)
    order = torch.randperm(world.districts, generator=shuffle).roll(1).tolist()
    panel = world.panel()
    assert panel.sectors is not None
    other = Panel(
        xy=panel.xy[:, order],
        land=panel.land[:, order],
        people=panel.people[:, order],
        jobs=panel.jobs[:, order],
        sectors=panel.sectors[:, order],
    )
    policies, storms = levers_along("district"), shocks_along("D")
    requested = in_order(world.requested(), policies, order)
    weather = [in_order(month, storms, order) for month in world.weather()]
    city = inverted(other, world.traits).to(world.dtype)
    if world.sudden:
        city = in_force(city, requested)
    now = after(world, city, requested, weather)
    then = world.months()[-1][2]
    expected = renamed(then, states_along_districts(), order)
    assert_same(now, expected, {}, world.close(1e-9, 1e-4))


def in_force(city: City, requested: Policy) -> City:
    """The city with a policy in force from the first day."""
    start = city.initial()
    return replace(city, start=replace(start, treasury=replace(start.treasury, policy=requested)))


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


def recut(structure: T, index: Sequence[int], share: Tensor) -> T:
    """Household types ``index``, each with a ``share`` of the people of the original."""
    chosen = torch.tensor(index)

    def cut(name: str, value: Tensor) -> Tensor:
        axis = _BY_TYPE.get(name)
        if name == "planning.kinship":
            return value.index_select(1, chosen).index_select(2, chosen)
        if axis is None or value.dim() <= axis:
            return value
        return value.index_select(axis, chosen) * (share.to(value) if name in _COUNTS else 1)

    values = iter([cut(name, value) for name, value in tree.leaves(structure)])
    return tree.tree_map(lambda _: next(values), structure)


def recut_city(city: City, index: Sequence[int], share: Tensor) -> City:
    """The calibrated city with other types: their tags and tastes are set by rank before."""
    values = {
        name: value[:, list(index)] if TABLE[name].axis == "type" else value
        for name, value in city.parameters.values.items()
    }
    return City(
        city.geography,
        Parameters(values),
        recut(city.fundamentals, index, share),
        recut(city.start, index, share),
    )


def assert_types_do_not_matter(world: World, index: list[int], share: list[float]) -> None:
    """Household types ``index`` with a ``share`` of the people of the original live alike."""
    parts = torch.tensor(share, dtype=torch.float64)
    city = recut_city(world.city(), index, parts)
    requested = in_order(world.requested(), levers_along("type"), index)
    weather = [in_order(month, shocks_along("K"), index) for month in world.weather()]
    now, then = ending(world, city, requested, weather), world.months()[-1]
    close = world.close(1e-9, 1e-4)
    assert_same(now[2], recut(then[2], index, parts), {}, close)
    worth = then[3].value.welfare[..., index]
    assert torch.allclose(now[3].value.welfare, worth, rtol=close, atol=close)


@over_worlds(traits=st.sampled_from([SETTLED, (*SETTLED, ("homophily", 0.1))]))
def test_invariant_7_relabelling_types_relabels_the_results(world: World) -> None:
    """Invariant 7: with their tags, tastes, parameters, rebates and shocks."""
    world = world if world.traits else replace(world, traits=SETTLED)
    shuffle = torch.Generator().manual_seed(world.seed)
    order = torch.randperm(TYPES, generator=shuffle).roll(1).tolist()
    assert_types_do_not_matter(world, order, [1.0] * TYPES)


@settings(max_examples=8)
@given(
    worlds(
        traits=st.sampled_from([SETTLED, (*SETTLED, ("homophily", 0.1))]),
        chance=0.0,
    ),
    st.integers(0, TYPES - 1),
    st.sampled_from([0.5, 0.1, 0.9]) | st.floats(0.01, 0.99),
)
def test_invariant_11_a_type_cut_in_two_changes_nothing(
    world: World, kind: int, share: float
) -> None:
    """Invariant 11: halves or other parts; with kin as without, since halves are kin."""
    index = [*range(kind + 1), *range(kind, TYPES)]
    parts = [1.0] * (TYPES + 1)
    parts[kind : kind + 2] = share, 1 - share
    assert_types_do_not_matter(world, index, parts)


@over_worlds(seeds=st.lists(st.integers(0, 99), min_size=2, max_size=4).map(tuple))
def test_invariant_8_a_row_does_not_depend_on_the_others(world: World) -> None:
    """Invariant 8: a city alone, and beside others that do something else, is the same."""
    row = world.seed % len(world.seeds)
    mine = torch.tensor([row])
    then = tree.take(world.months()[-1][2], mine)
    alone = after(
        world,
        world.city().select(mine),
        tree.take(world.requested(), mine),
        [tree.take(month, mine) for month in world.weather()],
    )
    close = world.close(1e-12, 1e-5)
    assert_same(alone, then, {}, close)
    other = replace(world, sides=tuple((name, "high") for name in LEVERS), seed=world.seed + 1)
    both = ([x.requested(), *x.weather()] for x in (other, world))
    crowd = [
        tree.tree_map(lambda a, b: torch.cat([a[:row], b[row : row + 1], a[row + 1 :]]), a, b)
        for a, b in zip(*both, strict=True)
    ]
    city = calibrated(world.seeds, world.districts, world.traits).to(world.dtype)
    if world.sudden:
        city = in_force(city, crowd[0])
    beside = after(world, city, crowd[0], crowd[1:])
    assert_same(tree.take(beside, mine), then, {}, close)


@settings(max_examples=8)
@given(worlds(chance=0.0), st.sampled_from([0.1, 2.0, 10.0]) | st.floats(0.05, 20.0))
def test_invariant_9_c_times_the_city_is_c_times_everything(world: World, factor: float) -> None:
    """Invariant 9: people, jobs, land, floor, capital, roads, services and money, same map.

    The width of a district sets the length of trips within it, so that the map keeps its own;
    land counts as density against the first year's. Chance is smaller in a larger city.
    """
    panel = world.panel()
    larger = replace(panel, people=factor * panel.people, jobs=factor * panel.jobs)
    city = inverted(larger, world.traits)
    same = calibrated(world.seeds, world.districts, world.traits)
    land = replace(city.geography, land=factor * city.geography.land)
    spill = replace(city.fundamentals.industry, spill=same.fundamentals.industry.spill)
    city = replace(city, geography=land, fundamentals=replace(city.fundamentals, industry=spill))
    now = after(world, world.governed(city), world.requested(), world.weather())
    then = world.months()[-1][2]
    assert_same(now, then, dict.fromkeys(EXTENSIVE, factor), world.close(1e-9, 1e-4))


@settings(max_examples=8)
@given(worlds(), st.sampled_from([0.05, 9.0, 12.0]) | st.floats(0.03, 12.0))
def test_invariant_10_the_unit_of_money_does_not_matter(world: World, factor: float) -> None:
    """Invariant 10: prices, capital and debt in another currency, everything else as it was."""
    unit = 4.0 * factor
    city = inverted(world.panel(), (*world.traits, ("wage", unit)))
    now = after(world, world.governed(city), world.requested(), world.weather())
    then = world.months()[-1][2]
    assert_same(now, then, dict.fromkeys(MONEY, factor), world.close(1e-9, 1e-4))


def cut_in_two(panel: Panel, place: int, angle: float) -> Panel:
    """The panel with one district as two halves, trips as long on average as within the whole."""
    order = [*range(place + 1), *range(place, panel.jobs.shape[1])]
    share = torch.ones(len(order), dtype=torch.float64)
    share[place : place + 2] = 0.5
    xy = panel.xy[:, order].clone()
    turn = torch.tensor(angle, dtype=torch.float64)
    width = panel.land[:, place].sqrt().unsqueeze(-1)
    apart = (0.5 - 0.25 * 0.5**0.5) * width / TABLE["detour"].default
    step = apart * torch.stack([turn.cos(), turn.sin()])
    xy[:, place] += step
    xy[:, place + 1] -= step
    assert panel.sectors is not None
    return Panel(
        xy=xy,
        land=panel.land[:, order] * share,
        people=panel.people[:, order] * share.unsqueeze(-1),
        jobs=panel.jobs[:, order] * share,
        sectors=panel.sectors[:, order],
    )


TOTALS = (
    "planning.people",
    "planning.home_floor",
    "planning.work_floor",
    "industry.employed",
    "industry.capital",
    "services.staff",
    "infrastructure.road",
)


@settings(max_examples=8)
@given(worlds(chance=0.0, precision="float64"), st.integers(0, 4), st.floats(0.0, 6.28))
def test_invariant_12_a_district_cut_in_two_changes_little(
    world: World, place: int, angle: float
) -> None:
    """Invariant 12: halves are as good as the whole, and the city grows as it did.

    Halves count by their floor and jobs (log size terms): without them each would seem
    ln 2 / mu worse a place than the whole. Trips within and between halves are not quite those
    within the whole, so that it holds nearly.
    """
    place = place % world.districts
    order = [*range(place + 1), *range(place, world.districts)]
    whole = calibrated(world.seeds, world.districts, world.traits)
    city = inverted(cut_in_two(world.panel(), place, angle), world.traits)
    amenity = whole.fundamentals.planning.amenity[:, order]
    gap = (city.fundamentals.planning.amenity - amenity)[:, place : place + 2].abs().max()
    assert float(gap) < 0.05
    policies, storms = levers_along("district"), shocks_along("D")
    requested = in_order(world.requested(), policies, order)
    weather = [in_order(month, storms, order) for month in world.weather()]
    if world.sudden:
        city = in_force(city, requested)
    now = dict(tree.leaves(after(world, city, requested, weather)))
    then = dict(tree.leaves(world.months()[-1][2]))
    before = [dict(tree.leaves(x.start)) for x in (city, whole)]
    for name in TOTALS:
        grown = [
            torch.log(state[name].flatten(1).sum(1) / start[name].flatten(1).sum(1))
            for state, start in ((now, before[0]), (then, before[1]))
        ]
        assert bool(((grown[0] - grown[1]).abs() < 0.001 + 0.15 * grown[1].abs()).all()), name
