"""What enters equals what leaves: people, money, floor space, roads and probabilities."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from envs.city import infrastructure, planning
from envs.city.functions import ces_match, erlang, erlang_steady
from envs.city.model import City
from envs.city.parameters import Parameters
from envs.city.treasury import MODES
from tests.model.runs import months, random_policy

REVENUE = (
    "income_tax",
    "business_tax",
    "property_tax",
    "fares",
    "tolls",
    "fees",
    "land_sales",
    "grant",
)


def closed(city: City) -> City:
    """The same city with nobody moving in or out, nobody born and nobody gone."""
    values = dict(city.parameters.values)
    for name in ("chi", "birth_rate", "death_rate"):
        values[name] = torch.zeros_like(values[name])
    f = city.fundamentals
    still = replace(f.planning, replacement=torch.zeros_like(f.planning.replacement))
    return replace(city, parameters=Parameters(values), fundamentals=replace(f, planning=still))


def relative(gap: Tensor, size: Tensor) -> float:
    """Largest gap over size."""
    return float((gap.abs() / size.abs()).max())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_a_closed_city_keeps_its_people(many: City, dtype: torch.dtype) -> None:
    city = closed(many).to(dtype)
    before = city.initial().planning.people.sum((1, 2))
    for _, after, _ in months(city, random_policy(city, 1), 24, "pooled"):
        now = after.planning.people.sum((1, 2))
        assert relative(now - before, before) < (1e-12 if dtype is torch.float64 else 1e-6)
        assert (
            relative(after.planning.people - city.start.planning.people, before[:, None, None]) > 0
        )


def test_people_change_by_net_migration_births_and_deaths_alone(many: City) -> None:
    p, f = many.parameters, many.fundamentals.planning
    natural = (p.values["birth_rate"] - p.values["death_rate"]) / 12
    for before, after, flows in months(many, random_policy(many, 2), 24, "pooled"):
        s, everyone = before.planning, before.planning.people.sum(1)
        _, value = planning.location_choice(p, after.planning.perceived, s.home_floor)
        pull = 0.02 * 0.25 * torch.tanh((value + flows.market.pull - f.outside) / 0.25)
        settled = everyone * (1 + pull + f.replacement)
        expected = (settled * (1 + natural)).sum(-1)
        assert relative(after.planning.people.sum((1, 2)) - expected, expected) < 1e-12


@pytest.mark.parametrize("mode", MODES)
def test_the_treasury_balances(many: City, mode: str) -> None:
    for before, after, flows in months(many, random_policy(many, 3), 36, mode):
        account, lines = flows.settlement, flows.settlement.lines
        spent = [v for k, v in lines.items() if k not in (*REVENUE, "interest")]
        assert relative(torch.stack(spent).sum(0) - account.spending, account.spending) < 1e-12
        earned = torch.stack([lines[name] for name in REVENUE]).sum(0)
        assert relative(earned - account.revenue, account.revenue) < 1e-12
        owed = before.treasury.debt + account.spending + lines["interest"] - account.revenue
        if mode == "soft":
            owed = before.treasury.debt
        assert relative(after.treasury.debt - owed, account.revenue) < 1e-12
        assert bool(torch.stack(list(account.scale.values())).le(2 ** (1 / 100)).all())


def test_the_treasury_balances_in_single_precision(many: City) -> None:
    city = many.to(torch.float32)
    for before, after, flows in months(city, random_policy(city, 4), 36, "pooled"):
        lines = flows.settlement.lines
        owed = before.treasury.debt + flows.settlement.spending + lines["interest"]
        gap = after.treasury.debt - (owed - flows.settlement.revenue)
        assert relative(gap, flows.settlement.revenue) < 1e-5


def test_dividends_paid_are_dividends_received(many: City) -> None:
    """The dividend of a month reaches residents the month after, to the last unit of money."""
    paid = None
    for before, _, flows in months(many, random_policy(many, 5), 24, "pooled"):
        people = before.planning.people.sum((1, 2))
        received = flows.fiscal.dividend / people * people
        if paid is not None:
            assert relative(received - paid, flows.settlement.revenue) < 1e-12
        paid = flows.settlement.lines["dividend"]


def test_wages_paid_are_wages_earned_and_sales_are_shared_out(many: City) -> None:
    for before, _, flows in months(many, random_policy(many, 6), 24, "pooled"):
        earned = (before.planning.people * flows.income.gross).sum((1, 2))
        paid = flows.market.wages.sum((1, 2))
        assert relative(earned - paid, paid) < 1e-12
        shares = flows.market.wages[..., :3] + flows.market.profit
        sold = flows.market.sales.sum(-1)
        assert relative(shares.sum(-1) + flows.market.floor - sold, sold) < 1e-12


@pytest.mark.parametrize("kind", ["home", "work"])
def test_floor_space_is_built_or_worn(many: City, kind: str) -> None:
    wear, lag = 0.02 / 12, 18
    for before, after, _ in months(many, random_policy(many, 7), 60, "pooled"):
        floor, pipe = (getattr(before.planning, f"{kind}_{x}") for x in ("floor", "pipe"))
        new_floor, new_pipe = (getattr(after.planning, f"{kind}_{x}") for x in ("floor", "pipe"))
        starts = new_pipe[..., 0] - pipe[..., 0] * (1 - 3 / lag)
        assert bool((starts >= 0).all())
        assert bool((starts <= 8 * wear * floor).all())
        change = new_floor + new_pipe.sum(-1) - floor - pipe.sum(-1)
        assert relative(change - (starts - wear * floor), floor) < 1e-12


def test_roads_are_paid_for_or_worn(many: City) -> None:
    wear = 0.05 / 12
    for before, after, flows in months(many, random_policy(many, 8), 60, "pooled"):
        s, t = before.infrastructure, after.infrastructure
        asked = after.treasury.policy["road"] * flows.settlement.scale["infrastructure"][:, None]
        starts = wear * many.fundamentals.infrastructure.road * asked
        change = t.road + t.road_pipe.sum(-1) - s.road - s.road_pipe.sum(-1)
        assert relative(change - (starts - wear * s.road), s.road) < 1e-12


@pytest.mark.parametrize("lag", [18.0, 24.0, 36.0])
def test_the_mean_delivery_lag_is_exact(lag: float) -> None:
    pipe, start = torch.zeros(1, 3, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    length = torch.tensor([lag], dtype=torch.float64)
    pipe, done = erlang(pipe, start, length)
    assert float(done) == 0
    mass = mean = 0.0
    for month in range(1, 2000):
        pipe, done = erlang(pipe, torch.zeros_like(start), length)
        mass, mean = mass + float(done), mean + month * float(done)
    assert mass == pytest.approx(1, abs=1e-12)
    assert mean == pytest.approx(lag, abs=1e-9)


def test_a_steady_pipe_delivers_what_is_started() -> None:
    start, lag = torch.rand(4, 9, dtype=torch.float64), torch.tensor([[18.0]], dtype=torch.float64)
    pipe = erlang_steady(start, lag)
    after, done = erlang(pipe, start, lag)
    torch.testing.assert_close(done, start)
    torch.testing.assert_close(after, pipe)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(1, 10))
def test_matching_is_below_both_sides_and_homogeneous(a: float, b: float, factor: float) -> None:
    left, right = torch.tensor([a], dtype=torch.float64), torch.tensor([b], dtype=torch.float64)
    matched = ces_match(left, right, 13.5)
    assert float(matched) <= min(a, b)
    torch.testing.assert_close(ces_match(factor * left, factor * right, 13.5), factor * matched)
    torch.testing.assert_close(ces_match(right, left, 13.5), matched)


def test_employment_stays_below_supply_and_demand(many: City) -> None:
    for _, _, flows in months(many, random_policy(many, 9), 36, "pooled"):
        offers = flows.offers
        assert bool((flows.market.employed <= offers.demand).all())
        assert bool((flows.market.rate <= 1).all())
        by_sector = offers.jobs.unsqueeze(2) * offers.affinity.unsqueeze(1)
        assert relative(by_sector.sum(-1) - offers.attraction, offers.attraction) < 1e-12


def test_choices_sum_to_one(many: City) -> None:
    share = many.fundamentals.travel.participation
    for before, after, flows in months(many, random_policy(many, 10), 12, "pooled"):
        s = before.planning
        shares, _ = planning.location_choice(
            many.parameters, after.planning.perceived, s.home_floor
        )
        torch.testing.assert_close(shares.sum(1), torch.ones_like(shares[:, 0]))
        workers = share[:, None] * s.people.sum(1)
        torch.testing.assert_close(flows.commute.workers.sum(1), workers)
        by_wheels = flows.commute.car.sum((1, 2)) + flows.commute.transit.sum((1, 2))
        assert bool((by_wheels < workers.sum(-1)).all())
    torch.testing.assert_close(
        many.geography.air.sum(1), torch.ones_like(many.geography.land), rtol=1e-12, atol=0
    )


def test_pollution_is_dispersed_not_made(nine: City) -> None:
    emitted = torch.rand(1, 9, dtype=torch.float64)
    felt = infrastructure.push_air(nine.geography, emitted)
    assert float(felt.sum()) == pytest.approx(float(emitted.sum()))
