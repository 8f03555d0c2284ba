"""Limits with exact answers: the model's parts against the theory they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from envs.city import industry, infrastructure, planning, treasury
from envs.city.cities import build
from envs.city.functions import ces, ces_match, diminishing, saturate, soft_cap
from envs.city.levers import LEVERS, baseline_policy, enforce
from envs.city.model import City
from envs.city.panel import Panel
from envs.city.parameters import Parameters
from envs.city.ports import Roads
from envs.city.shocks import no_shocks
from tests.model.runs import months, policy


def free(overrides: Mapping[str, float]) -> Parameters:
    """Default parameters with some set beyond their published range, as a limit asks."""
    values = dict(Parameters.default().values)
    for name, value in overrides.items():
        values[name] = torch.full_like(values[name], value)
    return Parameters(values)


def small(districts: int) -> City:
    """A city of one or two equal districts ten kilometres apart."""
    kinds = torch.tensor([0.1, 0.2, 0.2, 0.2, 0.2, 0.1], dtype=torch.float64)
    place = torch.arange(districts, dtype=torch.float64)
    return build(
        Panel(
            xy=torch.stack([10 * place, 0 * place], -1)[None],
            land=torch.full((1, districts), 25.0, dtype=torch.float64),
            people=(100_000 * kinds).expand(1, districts, -1).clone(),
            jobs=torch.full((1, districts), 47_500.0, dtype=torch.float64),
        )
    )


def single(growth: float) -> tuple[float, float]:
    """Log changes of rent and floor in the long run when incomes of one district grow."""
    city = small(1)
    quiet = no_shocks(1, 1, city.start.planning.home_rent)
    (_, _, flows), *_ = months(city, {}, 1)
    income = replace(flows.income, disposable=flows.income.disposable * math.exp(growth))
    closed = Parameters(city.parameters.values | {"chi": torch.zeros(1, dtype=torch.float64)})
    state = city.start.planning
    for _ in range(6000):
        state = planning.advance(
            state,
            city.fundamentals.planning,
            closed,
            flows.market,
            income,
            replace(flows.value, utility=state.perceived),
            flows.fiscal,
            quiet,
        )
    start = city.start.planning
    return (
        float(torch.log(state.home_rent / start.home_rent)),
        float(torch.log(state.home_floor / start.home_floor)),
    )


def test_one_district_has_the_elasticities_of_its_floor_supply() -> None:
    """Rent 1 / (1 + eps_H) and floor eps_H / (1 + eps_H) of income: 0.3636 and 0.6364."""
    rent, floor = single(0.01)
    assert rent / 0.01 == pytest.approx(1 / 2.75, abs=1e-4)
    assert floor / 0.01 == pytest.approx(1.75 / 2.75, abs=1e-4)


@pytest.mark.parametrize(
    ("scale", "slope"), [(3.0, -0.017570), (6.83, -0.025854), (20.0, -0.034163)]
)
def test_the_rent_gradient_of_a_monocentric_city(scale: float, slope: float) -> None:
    """-kappa mu / (1 + mu (1 - beta)) a minute, with fixed floor (Alonso, Muth, Mills)."""
    p = free({"mu_r": scale})
    kappa, housing = 0.07 / 6.83, 0.25
    minutes = torch.linspace(5, 65, 31, dtype=torch.float64)
    floor = torch.ones(1, 31, dtype=torch.float64)
    rent = torch.ones(1, 31, dtype=torch.float64)
    for _ in range(2000):
        utility = (-kappa * minutes - housing * torch.log(rent)).unsqueeze(-1)
        shares, _ = planning.location_choice(p, utility, floor)
        rent = rent * (shares.sum(-1) * 31 / floor / rent) ** 0.2
    found = torch.log(rent[0]).diff() / minutes.diff()
    theory = -kappa * scale / (1 + scale * housing)
    assert theory == pytest.approx(slope, abs=2e-5)
    assert torch.allclose(found, torch.full_like(found, theory), rtol=1e-6)


@pytest.mark.parametrize(("strength", "share"), [(0.96, 0.5), (1.093, 0.7437), (1.366, 0.8979)])
def test_homophily_splits_two_districts_at_its_threshold(strength: float, share: float) -> None:
    """``2x - 1 = tanh(mu h (2x - 1) / 2)``: a pitchfork at ``h = 2 / mu``."""
    city = small(2)
    kinds = city.start.planning.people.clone()
    kinds[:, :, 2:] = 1e-9
    kinds[:, :, :2] = torch.tensor([[0.52, 0.48], [0.48, 0.52]], dtype=torch.float64)
    homophily = torch.tensor(strength * 2 / 6.83, dtype=torch.float64)
    floor = city.start.planning.home_floor
    for _ in range(4000):
        own = kinds / kinds.sum(-1, keepdim=True)
        shares, _ = planning.location_choice(city.parameters, homophily * own, floor)
        kinds = kinds + 0.05 * (shares * kinds.sum(1, keepdim=True) - kinds)
    assert float(kinds[0, 0, 0]) == pytest.approx(share, abs=2e-3)


def test_beliefs_forget_at_a_constant_rate(nine: City) -> None:
    """After a step the error of a belief decays by ``(1 - gain)^t``."""
    (_, _, flows), *_ = months(nine, {}, 1)
    quiet = no_shocks(1, 9, nine.start.planning.home_rent)
    state, truth = nine.start.planning, nine.start.planning.perceived + 0.1
    for month in range(1, 25):
        state = planning.advance(
            state,
            nine.fundamentals.planning,
            nine.parameters,
            flows.market,
            flows.income,
            replace(flows.value, utility=truth),
            flows.fiscal,
            quiet,
        )
        torch.testing.assert_close(truth - state.perceived, 0.1 * 0.92**month + 0 * truth)
    audit = nine.initial().treasury
    for month, (_, after, _) in enumerate(months(nine, policy(nine, {"audit": 0.06}), 200), 1):
        gap = after.treasury.policy["audit"] - after.treasury.audit
        assert bool((gap.abs() < 0.01).all()), month
    assert float(gap.abs().max()) < 1e-4
    assert float(audit.audit) == 0.05


def test_honesty_where_the_gamble_does_not_pay() -> None:
    """Allingham & Sandmo: no evasion where detection times fine exceeds the tax saved."""
    sharp = free({"ev_sharp": 2000.0})
    audit = torch.tensor([0.125, 0.15, 0.3], dtype=torch.float64)
    evaded = treasury.evaded_share(sharp, torch.tensor([0.3], dtype=torch.float64), audit)
    assert bool((evaded < 1e-3).all())
    smooth = Parameters.default()
    rates = torch.linspace(0.01, 0.9, 50, dtype=torch.float64)
    rising = treasury.evaded_share(smooth, rates, torch.full_like(rates, 0.05))
    assert bool((rising.diff() > 0).all())
    assert float(rising[-1]) < 0.5
    checks = torch.linspace(0, 0.3, 50, dtype=torch.float64)
    falling = treasury.evaded_share(smooth, torch.full_like(checks, 0.3), checks)
    assert bool((falling.diff() < 0).all())


def test_commuting_is_the_joint_logit_over_workplaces_and_modes(nine: City) -> None:
    """Shares of the factorised kernels are those of the written-out multinomial logit."""
    (_, _, flows), *_ = months(nine, policy(nine, {"toll": 0.004}), 3)
    *_, (before, after, flows) = months(nine, policy(nine, {"toll": 0.004}), 3)
    f = nine.fundamentals
    people, toll = before.planning.people, after.treasury.policy["toll"]
    offers = flows.offers
    ke, occupancy = 0.07, 1.3
    vot = f.travel.value_of_time[0]
    cost = 0.25e-3 * nine.geography.distance[0] / occupancy
    time = {"car": flows.roads.car_time[0], "transit": flows.roads.transit_time[0]}
    size = torch.log(offers.attraction[0]).T.unsqueeze(1)
    by_type = vot.reshape(-1, 1, 1)
    car = -ke * (time["car"] + cost / vot.mean() + (toll[0] / occupancy) / by_type)
    transit = -ke * (time["transit"] + 0.002 / by_type) - 0.6
    walk = (-ke * nine.geography.active_time[0] - 0.2).expand_as(car)
    utility = torch.stack([x + size for x in (car, transit, walk)], -1)
    share = torch.softmax(utility.reshape(6, 9, -1), -1).reshape(6, 9, 9, 3)
    workers = (f.travel.participation[0] * people[0]).T.unsqueeze(-1).unsqueeze(-1) * share
    torch.testing.assert_close(flows.commute.car[0], workers[..., 0].sum(0))
    torch.testing.assert_close(flows.commute.transit[0], workers[..., 1].sum(0))
    torch.testing.assert_close(flows.commute.workers[0], workers.sum((1, 3)).T)
    logsum = torch.logsumexp(utility.reshape(6, 9, -1), -1).T
    torch.testing.assert_close(torch.log(flows.commute.phi[0]), logsum)


def test_inversion_clears_every_labour_market(city: City) -> None:
    """Furness balancing: supply equals demand in each district and sector."""
    (_, _, flows), *_ = months(city, {}, 1)
    frictional = 2 ** (-1 / 13.5)
    assert torch.allclose(
        flows.market.rate, torch.full_like(flows.market.rate, frictional), rtol=1e-8
    )


def shopping(size: float, first: float) -> Tensor:
    """Shares of two shops that share all customers after a long time, by returns to size."""
    city = small(2)
    p = Parameters(
        city.parameters.values
        | {
            "hw_a": torch.tensor([size], dtype=torch.float64),
            "hw_b": torch.zeros(1, dtype=torch.float64),
        }
    )
    f = city.fundamentals.industry
    (_, _, flows), *_ = months(city, {}, 1)
    roads: Roads = flows.roads
    capital = city.start.industry.capital.clone()
    total = capital[..., 2].sum()
    share = torch.tensor([[first, 1 - first]], dtype=torch.float64)
    for _ in range(3000):
        capital[..., 2] = share * total
        now = replace(city.start.industry, capital=capital)
        revenue = industry.shop(now, f, p, roads, flows.income).revenue
        share = share + 0.1 * (revenue / revenue.sum() - share)
    return share[0]


def test_shops_share_or_win_all() -> None:
    """Harris & Wilson: an interior equilibrium below a = 1, winner takes all above it."""
    assert torch.allclose(shopping(0.9, 0.8), torch.full((2,), 0.5, dtype=torch.float64), atol=1e-6)
    assert float(shopping(1.3, 0.55)[0]) > 0.999
    assert float(shopping(1.3, 0.45)[0]) < 0.001
    assert float(shopping(1.0, 0.7)[0]) == pytest.approx(0.7, abs=1e-6)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_matching_is_den_haan_ramey_and_watsons(a: float, b: float) -> None:
    rho = 1.27
    expected = a * b / (a**rho + b**rho) ** (1 / rho)
    found = ces_match(
        torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64), rho
    )
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_five_percent_are_between_jobs(nine: City) -> None:
    (_, _, flows), *_ = months(nine, {}, 1)
    assert float(flows.market.rate.mean()) == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize("load", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_delay_is_that_of_the_bureau_of_public_roads(load: float) -> None:
    p = Parameters.default()
    pace = infrastructure.congested_pace(
        p, torch.ones(1, 1, dtype=torch.float64), torch.full((1, 1), load, dtype=torch.float64)
    )
    expected = 60 / 35 * (1 + 0.15 * load**4)
    assert float(pace) == pytest.approx(expected, rel=2e-3)


def test_no_load_makes_a_road_stand_still() -> None:
    p = Parameters.default()
    jam = infrastructure.congested_pace(
        p, torch.ones(1, 1, dtype=torch.float64), torch.full((1, 1), 1e6, dtype=torch.float64)
    )
    assert float(jam) == pytest.approx(60 / 35 * (1 + 0.15 * 4**4), rel=1e-6)


@given(st.floats(0.0, 1e4), st.floats(0.5, 4), st.floats(2, 20))
def test_saturation_is_anchored_at_zero_one_and_its_cap(q: float, psi: float, cap: float) -> None:
    def at(x: float) -> float:
        return float(saturate(*(torch.tensor(v, dtype=torch.float64) for v in (x, psi, cap))))

    assert at(1.0) == pytest.approx(1)
    assert at(0.0) == pytest.approx(0, abs=1e-3)
    assert 0 <= at(q) <= cap
    assert at(1e30) == pytest.approx(cap, rel=1e-3)


def test_other_responses_have_their_anchors() -> None:
    one = torch.tensor(1.0, dtype=torch.float64)
    assert float(diminishing(one)) == 0
    assert float(diminishing(0 * one)) == -2
    assert float(diminishing(1e9 * one)) == pytest.approx(2)
    assert float(ces(3 * one, 3 * one, 0.3 * one, 8 * one)) == pytest.approx(3)
    assert float(soft_cap(1e6 * one, 4 * one, 8 * one)) == pytest.approx(4)


def test_a_lever_is_limited_in_pace_and_then_delayed() -> None:
    """The largest change of a month is the delay's share of a twelfth of the range."""
    today = baseline_policy(1, 9, torch.float64)
    for name, lever in LEVERS.items():
        asked = torch.full_like(today[name], lever.high)
        after = enforce(today, {name: asked})[name]
        gap = lever.rate * math.tanh((lever.high - lever.default) / lever.rate)
        assert torch.allclose(after - today[name], torch.full_like(after, lever.delay * gap))
        now = today
        for _ in range(2000):
            now = enforce(now, {name: asked})
        assert torch.allclose(now[name], asked, atol=1e-6 * (lever.high - lever.low)), name
    assert enforce(today, {}) == today
