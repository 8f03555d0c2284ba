"""The dashboard: every row says what it is, and is what it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from envs.city.dashboard import DASHBOARD, dashboard_values
from envs.city.indicators import INDICATORS
from envs.city.model import City, CityState, Flows
from envs.city.standards import STANDARDS
from envs.twin.operators import OPERATORS
from envs.twin.variables import lookup
from tests.model.runs import months, policy

Case = tuple[City, CityState, Flows]


@pytest.fixture
def case(city: City) -> Case:
    """Three years after a change of several levers."""
    levers = {"transit": 2.0, "audit": 0.1, "staff": 1.2, "toll": 0.002, "income_tax": 0.15}
    *_, (_, state, flows) = months(city, policy(city, levers), 36, "pooled")
    return city, state, flows


def test_every_row_says_what_it_is() -> None:
    for name, row in DASHBOARD.items():
        assert row.name == name
        assert row.unit, name
        assert row.better in (-1, 0, 1)
        assert row.subsystem in ("planning", "industry", "services", "infrastructure", "treasury")
        assert row.formula_text, name
        assert row.scale > 0, name
        assert not row.proxy or row.standard, f"{name} stands in for nothing"
        for code in row.standard:
            assert code in STANDARDS, f"{name}: {code}"
        if row.observed:
            assert lookup(row.observed.replace("*", "any")), f"{name}: {row.observed}"


def test_every_series_that_the_twin_observes_has_a_row() -> None:
    assert set(OPERATORS) <= {row.observed for row in DASHBOARD.values()}


def test_every_standard_is_answered_by_a_row() -> None:
    answered = {code for row in DASHBOARD.values() for code in row.standard}
    assert set(STANDARDS) == answered


def test_the_dashboard_starts_with_what_governors_observe_and_adds_to_it() -> None:
    assert list(DASHBOARD)[: len(INDICATORS)] == list(INDICATORS)
    assert len(DASHBOARD) > len(INDICATORS) + 20


def test_every_row_is_finite_and_has_the_shape_of_its_kind(case: Case) -> None:
    city, state, flows = case
    for name, row in DASHBOARD.items():
        whole = row.city(city, state, flows)
        assert whole.shape == (1,), name
        assert bool(torch.isfinite(whole).all()), name
        if row.district is not None:
            local = row.district(city, state, flows)
            assert local.shape == (1, city.districts), name
            assert bool(torch.isfinite(local).all()), name


def test_rows_of_a_batch_are_those_of_each_city(many: City) -> None:
    state, flows = next((after, f) for _, after, f in months(many, {}, 1, "pooled"))
    together = dashboard_values(many, state, flows)
    one = many.select(torch.tensor([2]))
    _, after, flow = next(months(one, {}, 1, "pooled"))
    for name, value in dashboard_values(one, after, flow).items():
        torch.testing.assert_close(value[0], together[name].expand(8)[2], msg=name)


def test_poverty_and_gini_by_hand(case: Case) -> None:
    """Against one pass over all pairs of residents' incomes."""
    city, state, flows = case
    found = dashboard_values(city, state, flows)
    income = flows.income.disposable.flatten().numpy()
    people = flows.residents.people.flatten().numpy()
    share = people / people.sum()
    gaps = np.abs(income[:, None] - income[None]) * share[:, None] * share[None]
    assert float(found["gini"]) == pytest.approx(gaps.sum() / (2 * (share * income).sum()))
    order = np.argsort(income)
    middle = np.searchsorted(share[order].cumsum(), 0.5)
    poor = share[income < 0.6 * income[order][middle]].sum()
    assert float(found["poverty"]) == pytest.approx(poor)
    assert 0 < poor < 0.5


def test_reach_counts_what_is_within_the_minutes(case: Case) -> None:
    city, state, flows = case
    found = dashboard_values(city, state, flows)
    car, transit = flows.roads.car_time[0], flows.roads.transit_time[0]
    walk, jobs = city.geography.active_time[0], flows.market.jobs[0]
    people = flows.residents.people[0].sum(-1)
    places = state.services.facilities[0]
    near_jobs, near_places = 0.0, 0.0
    for i, j in itertools.product(range(city.districts), repeat=2):
        weight = float(people[i] / people.sum())
        if car[i, j] <= 30:
            near_jobs += weight * float(jobs[j] / jobs.sum())
        if min(car[i, j], transit[i, j], walk[i, j]) <= 15:
            near_places += weight * float((places[j] / places.sum(0)).mean())
    assert float(found["jobs_by_car"]) == pytest.approx(near_jobs)
    assert float(found["services_near"]) == pytest.approx(near_places)
    assert 0 < near_places < near_jobs < 1


def test_public_accounts_and_tax_by_hand(case: Case) -> None:
    city, state, flows = case
    found = dashboard_values(city, state, flows)
    lines, revenue = flows.settlement.lines, flows.settlement.revenue
    assert float(found["own_revenue"]) == pytest.approx(1 - float(lines["grant"] / revenue))
    own = float(found["own_revenue"] * revenue)
    assert float(found["debt_service"]) == pytest.approx(float(lines["interest"]) / own)
    # Evaders keep a share of two taxes; the third is paid in full.
    due, paid = float(lines["property_tax"]), float(lines["property_tax"])
    for tax, evaded in (("income_tax", 0), ("business_tax", 1)):
        kept = {0: flows.fiscal.keep_income, 1: flows.fiscal.keep_business}[evaded]
        rate = flows.fiscal.policy[tax]
        evasion = 1 - (1 - kept) / rate
        due += float(lines[tax]) / (1 - float(evasion.mean()))
        paid += float(lines[tax])
    assert float(found["tax_collected"]) == pytest.approx(paid / due)
    assert 0.5 < paid / due < 1


def test_commuters_by_mode_and_value_by_use_add_up(case: Case) -> None:
    city, state, flows = case
    found = dashboard_values(city, state, flows)
    drivers = float(flows.commute.car.sum() / flows.commute.workers.sum())
    assert float(found["without_car"]) == pytest.approx(1 - drivers)
    assert float(found["by_transit"]) < float(found["without_car"])
    homes = 1 - float(found["commercial_property"])
    yearly = 12 * float(found["income"] * found["population"])
    price = homes * float(found["property_value"]) / yearly
    assert float(found["price_to_income"]) == pytest.approx(price)
    assert float(found["housing_cost"]) == pytest.approx(0.25, abs=0.01), "a quarter of income"


def test_carbon_is_that_of_energy_which_is_not_renewable(case: Case) -> None:
    city, state, flows = case
    found = dashboard_values(city, state, flows)
    p, people = city.parameters, float(found["population"])
    by_use = flows.energy.use.sum((0, 1)) * p.values["carbon"][0]
    dirty = 12 * float(by_use.sum()) * (1 - float(found["renewable"])) / people
    assert float(found["carbon"]) == pytest.approx(dirty)
    assert 0 < float(found["home_energy"]) < float(found["energy"])
    homes = 12 * float(flows.energy.use[0, :, 0].sum()) / people
    assert float(found["home_energy"]) == pytest.approx(homes)


def test_built_and_open_land_are_all_land(case: Case) -> None:
    city, state, flows = case
    found = dashboard_values(city, state, flows)
    people, land = float(found["population"]), float(city.geography.land.sum())
    built = float(found["built_up"]) * people / 1e6
    assert built + float(found["open_land"]) * land == pytest.approx(land)
    assert float(found["green_area"]) * people / 1e7 == pytest.approx(land - built)
