"""One block alone: the others frozen, ruled, or doing what they do under the status quo."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from envs.city import tree, welfare
from envs.city.boundary import Boundary
from envs.city.coupling import Driver, Port, first_month, run
from envs.city.dynamics import Dynamics
from envs.city.levers import LEVERS
from envs.city.model import City, CityState, Flows
from envs.city.rules import DRIVERS, RESPONSES, ruled
from envs.city.shocks import Shocks, no_shocks
from envs.city.valuation import costates
from envs.city.wiring import ports_of
from tests.model.runs import random_policy

GOVERNED = ("planning", "industry", "services", "infrastructure")
HELD = ("frozen", "rule", "replay")


def crisis(city: City, months: int) -> list[Shocks]:
    weather = Dynamics("crisis", 1, city.districts, months, city.start.planning.home_rent, None, 1)
    weather.seed(0, 3)
    weather.reset([0])
    return [weather.advance() for _ in range(months)]


def governed(
    city: City, boundary: Boundary, requested: dict[str, torch.Tensor], weather: list[Shocks]
) -> tuple[CityState, Flows]:
    """A governed row with its status quo behind, after some months."""
    state, flows = city.initial(2), first_month(city, 2)
    first = flows
    for shocks in weather:
        both = tree.tree_map(lambda x: torch.cat([x, x]), shocks)
        held = boundary.held(first, flows, 1)
        state, flows = city.step(state, requested, both, "pooled", 1, held)
    return state, flows


def own_levers(city: City, block: str, seed: int = 5) -> dict[str, torch.Tensor]:
    requested = random_policy(city, seed)
    return {name: x for name, x in requested.items() if LEVERS[name].governor == block}


def same(a: object, b: object) -> bool:
    pairs = zip(tree.leaves(a), tree.leaves(b), strict=True)
    return all(torch.equal(x, y) for (_, x), (_, y) in pairs)


@pytest.mark.parametrize("block", GOVERNED)
def test_frozen_blocks_keep_their_state(nine: City, block: str) -> None:
    state, flows = governed(
        nine, Boundary(block, "frozen"), own_levers(nine, block), crisis(nine, 12)
    )
    start, first = nine.initial(2), first_month(nine, 2)
    for other in GOVERNED:
        assert same(getattr(state, other), getattr(start, other)) == (other != block), other
    for port in ports_of(set(GOVERNED) - {block}):
        assert same(getattr(flows, port), getattr(first, port)), port


@pytest.mark.parametrize("block", GOVERNED)
def test_replay_is_the_record_of_the_status_quo_in_the_same_weather(nine: City, block: str) -> None:
    """Against the recorded ports of ``coupling.run``, which know nothing of pairs of rows."""
    weather, requested = crisis(nine, 12), own_levers(nine, block)
    state, flows = governed(nine, Boundary(block, "replay"), requested, weather)
    status_quo = run(nine, 12, weather=weather, rows=1)
    outside = ports_of(set(GOVERNED) - {block})
    recorded = Driver({port: Port("replay") for port in outside}, status_quo.flows)
    alone = run(nine, 12, requested, weather=weather, driver=recorded)
    for (name, x), (_, y) in zip(
        tree.leaves(getattr(state, block)),
        tree.leaves(getattr(alone.states[-1], block)),
        strict=True,
    ):
        torch.testing.assert_close(x[:1], y, rtol=1e-9, atol=1e-9, msg=name)
    for other in set(GOVERNED) - {block}:
        for name, x in tree.leaves(getattr(state, other)):
            assert torch.equal(x[:1], x[1:]), f"{other}.{name} is not the status quo's"
    for port in outside:
        for (name, x), (_, y) in zip(
            tree.leaves(getattr(flows, port)),
            tree.leaves(getattr(status_quo.flows[-1], port)),
            strict=True,
        ):
            torch.testing.assert_close(x[1:] if len(x) > 1 else x, y, msg=f"{port}.{name}")


@pytest.mark.parametrize("others", HELD)
def test_full_strength_and_live_are_the_coupled_city(nine: City, others: str) -> None:
    requested, weather = own_levers(nine, "planning"), crisis(nine, 6)
    whole, _ = governed(nine, Boundary(), requested, weather)
    for boundary in (Boundary("planning", others, 1.0), Boundary("planning", "live")):
        tied, _ = governed(nine, boundary, requested, weather)
        assert same(tied, whole)
    half, _ = governed(nine, Boundary("planning", others, 0.5), requested, weather)
    held, _ = governed(nine, Boundary("planning", others), requested, weather)
    assert not same(half, whole)
    assert not same(half, held)


@pytest.mark.parametrize("others", HELD)
def test_nothing_happens_without_cause(nine: City, others: str) -> None:
    """The first year is the status quo's fixed point, by rule too."""
    quiet = [no_shocks(1, 9, nine.start.planning.home_rent)] * 6
    state, flows = governed(nine, Boundary("services", others), {}, quiet)
    first = first_month(nine, 2)
    torch.testing.assert_close(flows.market.sales, first.market.sales, rtol=1e-6, atol=0)
    for name, x in tree.leaves(state):
        torch.testing.assert_close(x[:1], x[1:], rtol=1e-9, atol=1e-9, msg=name)


def test_rules_follow_their_drivers_by_the_elasticity_and_the_pace(nine: City) -> None:
    first = first_month(nine, 1)
    doubled = replace(first, residents=replace(first.residents, people=2 * first.residents.people))
    staff = ruled("staffing", first, doubled).staff
    torch.testing.assert_close(staff, first.staffing.staff * (1 + 1 / 12))
    torch.testing.assert_close(ruled("market", first, doubled).jobs, 2 * first.market.jobs)
    empty = replace(first, commute=replace(first.commute, car=first.commute.car / 16))
    torch.testing.assert_close(
        ruled("roads", first, empty).car_time, first.roads.car_time * 16**-0.4
    )
    assert torch.equal(ruled("roads", first, empty).transit_time, first.roads.transit_time)
    for port in {row.port for row in RESPONSES}:
        assert same(ruled(port, first, first), getattr(first, port)), port


def test_the_table_of_rules_names_what_there_is(nine: City) -> None:
    flows = first_month(nine, 1)
    for row in RESPONSES:
        value = getattr(getattr(flows, row.port), row.field)
        assert bool((value >= 0).all()), "an elasticity needs a positive number"
        assert row.driver in DRIVERS
        assert 0 < row.pace <= 1
        assert row.reason
        assert row.source


@pytest.mark.parametrize("others", HELD)
def test_the_step_is_differentiable_with_ports_held(nine: City, others: str) -> None:
    step = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    quiet = [no_shocks(1, 9, nine.start.planning.home_rent)] * 6

    def income(move: torch.Tensor) -> torch.Tensor:
        settings = {"income_tax": 0.05 + move, "research": 1 + move}
        _, flows = governed(nine, Boundary("industry", others), settings, quiet)
        return flows.income.disposable[0].sum()

    (slope,) = torch.autograd.grad(income(step), step)
    with torch.no_grad():
        width = torch.full((1,), 1e-5, dtype=torch.float64)
        expected = (income(width) - income(-width)) / (2 * width)
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=0)
    assert float(slope) != 0


def test_stocks_outside_have_no_price_where_nobody_asks_for_them(nine: City) -> None:
    ref = welfare.reference(nine)
    whole = costates(nine, ref, 12)
    inside = costates(nine, ref, 12, Boundary("services", "replay"))
    assert float(whole.planning.home_floor.abs().max()) > 0
    assert float(inside.planning.home_floor.abs().max()) == 0
    assert float(inside.services.facilities.abs().max()) > 0


def test_a_bad_boundary_is_described_in_full() -> None:
    problems = Boundary("planning", "asleep", 1.5).problems()
    assert problems == [
        "others='asleep': expected one of live, frozen, rule, replay",
        "coupling=1.5: expected 0 to 1",
    ]
    assert Boundary("planning", "rule", 0.3).problems() == []
