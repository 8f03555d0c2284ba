"""Every stock that levers build: requested, paid, built, worn, month by month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import Tensor

from envs.city.capital import CAPITAL
from envs.city.dynamics import Dynamics
from envs.city.levers import LEVERS
from envs.city.lifecycle import (
    LIFE_CYCLE,
    STAGES,
    Cycle,
    figures_of,
    life_cycle,
    pipeline,
    stages,
)
from envs.city.model import City, CityState, Flows
from envs.city.treasury import MODES
from tests.model.runs import months, policy, random_policy

#: Spending that builds no stock: a transfer, and the standing of the city's tags.
NO_STOCK = {"subsidy", "talent"}
BUILDING = {lever.name for lever in LEVERS.values() if lever.kind == "spending"} - NO_STOCK


def recorded(
    city: City, requested: Mapping[str, Tensor], count: int, mode: str = "pooled"
) -> Iterator[tuple[CityState, Flows, dict[str, Cycle]]]:
    """Begin-of-month state, flows and record of each month of a crisis."""
    rows = next(iter(requested.values())).shape[0]
    weather = Dynamics("crisis", rows, city.districts, count, city.start.planning.home_rent)
    weather.reset(range(rows))
    state = city.initial(rows)
    for _ in range(count):
        after, flows = city.step(state, requested, weather.advance(), mode)
        yield state, flows, life_cycle(city, state, after, flows)
        state = after


def closes(left: Tensor, right: Tensor, size: Tensor) -> bool:
    return bool((left - right).abs().max() <= 1e-12 * size.abs().max() + 1e-15)


def test_every_spending_lever_has_a_life_cycle() -> None:
    driven = {lever for row in CAPITAL.values() for lever in row.levers}
    assert driven >= BUILDING
    assert {"far", "release", "mix"} <= driven
    assert driven <= set(LEVERS)


@pytest.mark.parametrize("mode", MODES)
def test_stocks_pipelines_and_payments_add_up(nine: City, mode: str) -> None:
    requested = random_policy(nine, 5, 2)
    previous: dict[str, Cycle] = {}
    for state, flows, record in recorded(nine, requested, 30, mode):
        assert set(record) == set(CAPITAL)
        for name, now in record.items():
            row = CAPITAL[name]
            stock, waiting = row.stock(state), pipeline(row, state)
            assert closes(now.stock, stock - now.wear + now.completions, stock), name
            assert closes(now.pipeline, waiting + now.starts - now.completions, stock), name
            if row.share is not None:
                paid = row.share(flows) * now.request
                assert torch.equal(now.paid, paid), name
            if name in previous:
                assert torch.equal(previous[name].stock, stock), name
                assert torch.equal(previous[name].pipeline, waiting), name
        previous = record


def test_in_a_steady_city_what_wears_out_is_rebuilt(nine: City) -> None:
    ((before, after, flows),) = months(nine, {}, 1)
    record = life_cycle(nine, before, after, flows)
    for name, now in record.items():
        size = CAPITAL[name].stock(before).abs().clamp_min(1e-6)
        assert torch.allclose(now.completions / size, now.wear / size, atol=1e-9), name
        assert torch.allclose(now.starts / size, now.wear / size, atol=1e-9), name
    for name, found in stages(nine, record).items():
        assert found.keys() <= set(STAGES)
        for stage, value in found.items():
            assert torch.allclose(value, torch.ones(1, dtype=torch.float64)), (name, stage)


def half_way(path: list[float]) -> int:
    """First month in which a path has gone half of its way."""
    return next(i for i, x in enumerate(path) if x - path[0] >= 0.5 * (path[-1] - path[0]))


def test_money_comes_first_then_the_site_then_the_stock(nine: City) -> None:
    doubled = ("road", "facilities", "renewables")
    followed = ("request", "paid", "pipeline", "stock")
    paths = {name: {stage: [1.0] for stage in followed} for name in doubled}
    for before, after, flows in months(nine, policy(nine, dict.fromkeys(doubled, 2.0)), 150):
        found = stages(nine, life_cycle(nine, before, after, flows))
        for name, path in paths.items():
            for stage, values in path.items():
                values.append(float(found[name][stage]))
    for name, path in paths.items():
        assert path["request"][-1] == pytest.approx(2, rel=1e-3)
        assert path["paid"] == pytest.approx(path["request"])
        halves = [half_way(path[stage]) for stage in ("request", "pipeline", "stock")]
        assert halves[0] < halves[1] < halves[2], name
        assert path["pipeline"][-1] == pytest.approx(2, rel=0.02)
        assert 1.1 < path["stock"][-1] < 2


def test_what_is_not_paid_is_not_built(nine: City) -> None:
    """Staff at twice today's in one treasury: everything else is paid in part."""
    dear, free = policy(nine, {"staff": 2.0}), policy(nine, {})
    (*_, (_, _, short)) = recorded(nine, dear, 60)
    (*_, (_, _, full)) = recorded(nine, free, 60)
    for name in ("road", "maintenance", "facilities", "transit", "knowledge"):
        poor, rich = stages(nine, short)[name], stages(nine, full)[name]
        assert float(poor["request"]) == pytest.approx(1)
        assert float(poor["paid"]) < 0.9 * float(rich["paid"])
        assert float(poor["stock"]) < float(rich["stock"]), name
    assert float(stages(nine, short)["road"]["condition"]) < 0.97


def test_zoning_moves_what_developers_build(nine: City) -> None:
    built = {}
    for far in (0.8, 1.0, 1.3):
        (*_, (_, _, record)) = recorded(nine, policy(nine, {"far": far}), 36)
        built[far] = stages(nine, record)["home_floor"]
    assert float(built[1.3]["request"]) == pytest.approx(1.3, rel=0.1)
    for stage in ("paid", "pipeline", "stock"):
        assert float(built[0.8][stage]) < float(built[1.0][stage]) < float(built[1.3][stage])


def test_governors_see_their_own_capital_and_districts_their_part(nine: City) -> None:
    ((_, after, flows),) = months(nine, {}, 1)
    assert "works_road_pipeline" in figures_of(["road"])
    assert not set(figures_of(["road"])) & set(figures_of(["staff"]))
    assert figures_of(["transit"], local=True) == ()
    for name, row in LIFE_CYCLE.items():
        whole = row.city(nine, after, flows)
        assert whole.shape == (1,)
        if row.district is None:
            continue
        part = row.district(nine, after, flows)
        assert part.shape == (1, 9), name
        joined = part.sum(-1) if name.endswith(("_stock", "_pipeline")) else part.mean(-1)
        assert torch.allclose(joined, whole), name
