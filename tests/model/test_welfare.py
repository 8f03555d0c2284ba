"""Welfare: closed forms of the Atkinson family, exact equivalent variation, zero at the start."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from envs.city import planning, welfare
from envs.city.model import City, Flows
from envs.city.shocks import no_shocks
from envs.city.welfare import WEIGHTS, equally_distributed
from tests.model.runs import months, policy

AVERSIONS = (0.0, 0.5, 1.0, 2.0, 5.0, welfare.RAWLS)


def incomes(*values: float) -> Tensor:
    """Incomes of one district's types ``[1, 1, n]``."""
    return torch.tensor([[values]], dtype=torch.float64)


@pytest.mark.parametrize("aversion", AVERSIONS)
def test_equal_incomes_are_their_own_equivalent(aversion: float) -> None:
    people = incomes(3, 1, 2)
    found = equally_distributed(incomes(2.5, 2.5, 2.5), people, aversion)
    assert float(found) == pytest.approx(2.5)


def test_the_atkinson_family_has_its_closed_forms() -> None:
    income, people = incomes(1, 2, 4), incomes(2, 1, 1)
    mean, geometric = (2 * 1 + 2 + 4) / 4, (1 * 1 * 2 * 4) ** 0.25
    harmonic = 4 / (2 / 1 + 1 / 2 + 1 / 4)
    assert float(equally_distributed(income, people, 0)) == pytest.approx(mean)
    assert float(equally_distributed(income, people, 1)) == pytest.approx(geometric)
    assert float(equally_distributed(income, people, 2)) == pytest.approx(harmonic)
    assert float(equally_distributed(income, people, 200)) == pytest.approx(1, rel=0.01)
    near = [float(equally_distributed(income, people, 1 + x)) for x in (-1e-6, 1e-6)]
    assert near == pytest.approx([geometric, geometric], rel=1e-5)


@given(
    st.lists(st.floats(0.1, 50), min_size=2, max_size=6),
    st.floats(0, 20),
    st.floats(0.1, 10),
)
def test_the_family_is_ordered_bounded_and_scales(
    values: list[float], aversion: float, factor: float
) -> None:
    income = incomes(*values)
    people = torch.ones_like(income)
    found = equally_distributed(income, people, aversion)
    assert min(values) * (1 - 1e-9) <= float(found) <= max(values) * (1 + 1e-9)
    assert float(equally_distributed(income, people, aversion + 1)) <= float(found) * (1 + 1e-9)
    torch.testing.assert_close(
        equally_distributed(factor * income, people, aversion), factor * found
    )
    torch.testing.assert_close(equally_distributed(income, 7 * people, aversion), found)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_first_month_is_worth_nothing_more(city: City, weights: str) -> None:
    reference = welfare.reference(city, weights)
    (_, _, flows), *_ = months(city, {}, 1, "pooled")
    found = welfare.evaluate(city, reference, flows, weights)
    for name in welfare.POPULATION:
        assert float(getattr(found, name).abs().max()) < 1e-9, name
    assert float(found.by_type.abs().max()) < 1e-9
    people = found.people.sum((1, 2))
    mean = (found.people * reference.income.unsqueeze(1)).sum((1, 2)) / people
    torch.testing.assert_close(found.atkinson(0), mean)
    spread = [float(found.atkinson(e)) for e in AVERSIONS]
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] == pytest.approx(float(reference.income.min()), rel=0.2)


def given_to_all(city: City, amount: float) -> tuple[Flows, Flows]:
    """A month without and with ``amount`` (k$ at the default wage) for every resident."""
    start, rows = city.initial(), city.rows
    generous = policy(city, {"rebate": amount}, rows)
    in_force = start.treasury.policy | {"rebate": generous["rebate"]}
    paid = replace(start, treasury=replace(start.treasury, policy=in_force))
    (_, _, before), *_ = months(city, {}, 1, state=start)
    (_, _, after), *_ = months(city, {}, 1, state=paid)
    return before, after


@pytest.mark.parametrize("weights", WEIGHTS)
def test_measures_value_a_small_lump_sum_at_what_it_pays(city: City, weights: str) -> None:
    """By type, district and in total; experienced weights add what trips cost, under 5 %."""
    amount = 1e-3
    reference = welfare.reference(city, weights)
    before, after = given_to_all(city, amount)
    found = welfare.evaluate(city, reference, after, weights)
    close = 0.05 if weights == "experienced" else 0.02
    money = amount * float(city.fundamentals.treasury.money)
    people = reference.people
    by_type = (found.by_type * reference.income) / money
    assert torch.allclose(by_type, torch.ones_like(by_type), atol=close)
    per_head = float(reference.total / people.sum()) / money
    for name in ("total", "incumbents", "residents"):
        assert float(getattr(found, name)) * per_head == pytest.approx(1, abs=close), name
    local = (found.people * before.income.disposable).sum(-1) / found.people.sum(-1)
    worth = found.by_district * local / money
    assert torch.allclose(worth, torch.ones_like(worth), atol=close)


def test_newcomers_count_their_surplus_only(nine: City) -> None:
    """A tenth more people at unchanged utility leave all four measures of people alone."""
    reference = welfare.reference(nine)
    (_, _, flows), *_ = months(nine, {}, 1)
    crowd = replace(flows, residents=replace(flows.residents, people=1.1 * flows.residents.people))
    found = welfare.evaluate(nine, reference, crowd)
    for name in ("total", "incumbents", "residents"):
        assert float(getattr(found, name).abs()) < 1e-12
    better = replace(flows.value, welfare=flows.value.welfare + 0.01)
    found = welfare.evaluate(nine, reference, replace(crowd, value=better))
    gain = torch.expm1(torch.tensor(0.01, dtype=torch.float64))
    assert float(found.incumbents) == pytest.approx(float(gain), rel=1e-9)
    assert float(found.residents) == pytest.approx(float(gain), rel=1e-9)
    assert float(found.total) == pytest.approx(1.1 * float(gain), rel=1e-9)


def test_owners_gain_what_land_and_profits_gain(nine: City) -> None:
    reference = welfare.reference(nine)
    (_, _, flows), *_ = months(nine, {}, 1)
    richer = replace(
        flows.value,
        land_surplus=flows.value.land_surplus + 100,
        profit_surplus=flows.value.profit_surplus + 50,
    )
    found = welfare.evaluate(nine, reference, replace(flows, value=richer))
    p = nine.parameters.b
    owned = float((100 * p.own_rents + 50 * p.own_profits) / reference.total)
    assert float(found.incumbents) == pytest.approx(owned, rel=1e-9)
    balance = flows.settlement.revenue - flows.settlement.spending
    assert float(found.land_fiscal * reference.total - balance) == pytest.approx(100, rel=1e-6)
    total = (found.by_type * reference.income * reference.people).sum(-1) / reference.total
    assert float(total) == pytest.approx(owned, rel=1e-9)


def test_expected_utility_is_the_logsum_where_people_are_where_they_choose(nine: City) -> None:
    p, floor = nine.parameters, nine.start.planning.home_floor
    utility = torch.randn(1, 9, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    shares, inclusive = planning.location_choice(p, utility, floor)
    people = shares * torch.tensor([1.0, 2, 3, 4, 5, 6], dtype=torch.float64)
    torch.testing.assert_close(welfare.expected_utility(p, utility, people, floor), inclusive)
    moved = people.roll(1, dims=1)
    assert bool((welfare.expected_utility(p, utility, moved, floor) < inclusive).all())


def test_experienced_weights_are_their_formula(nine: City) -> None:
    """``V + E[money](kappa / vot - 42 / y) + E[minutes](kappa - kappa_w)``, y of a worker.

    Costs that all types weigh alike when they choose count at the mean value of time.
    """
    requested = policy(nine, {"toll": 0.003})
    *_, (_, _, flows) = months(nine, requested, 6)
    p, travel = nine.parameters, nine.fundamentals.travel
    kappa = 0.07 / 6.83
    worker = flows.income.disposable / travel.participation
    common, alike = flows.commute.common, travel.value_of_time.mean()
    weighed = (flows.commute.money - common) / travel.value_of_time + common / alike
    money = kappa * weighed - 42 / worker * flows.commute.money
    minutes = flows.commute.minutes * (kappa - p.b.kappa_w)
    torch.testing.assert_close(flows.value.welfare, flows.value.utility + money + minutes)


def test_a_loss_of_all_income_stays_finite(nine: City) -> None:
    before, after = given_to_all(nine, -50.0)
    reference = welfare.reference(nine)
    found = welfare.evaluate(nine, reference, after)
    assert bool((after.income.disposable > 0).all())
    for aversion in AVERSIONS:
        assert bool(torch.isfinite(found.atkinson(aversion)).all())
        assert float(found.atkinson(aversion)) > 0
    assert bool((after.income.disposable < before.income.disposable).all())


def test_every_row_has_its_own_reference(many: City) -> None:
    reference = welfare.reference(many)
    quiet = no_shocks(many.rows, many.districts, many.start.planning.home_rent)
    _, flows = many.step(many.initial(), policy(many, {}, many.rows), quiet)
    found = welfare.evaluate(many, reference, flows)
    assert float(found.total.abs().max()) < 1e-9
    alone = many.select(torch.tensor([3]))
    torch.testing.assert_close(welfare.reference(alone).income[0], reference.income[3])
