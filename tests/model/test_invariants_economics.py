"""Invariants 16 to 18 of MODEL section 13: every lever works the right way, in any city."""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from envs import presets
from envs.city import infrastructure
from envs.city.levers import LEVERS
from envs.city.model import City
from tests.model.runs import last, months, policy
from tests.model.test_signs import SETTINGS, SIGNS, quantities
from tests.model.worlds import TRAITS, World, calibrated, worlds

#: Months after which signs are taken, at most: what takes longest, housing, has turned by then.
HORIZON = 120

cities = st.builds(
    lambda seed, districts, traits: calibrated((seed,), districts, traits),
    st.integers(0, 99),
    st.integers(3, 6),
    st.sampled_from(TRAITS),
)


def responses(city: City, share: float, wanted: set[int]) -> dict[int, dict[str, Tensor]]:
    """Log responses to a ``share`` of every setting, by month and quantity ``[settings]``."""
    requested = policy(city, {}, len(SETTINGS))
    for row, setting in enumerate(SETTINGS.values()):
        for lever, value in setting.items():
            default = LEVERS[lever].default
            requested[lever][row] = default + share * (value - default)
    found = {}
    with torch.no_grad():
        for month, (_, state, flows) in enumerate(months(city, requested, max(wanted)), 1):
            if month in wanted:
                values = quantities(city, state, flows)
                found[month] = {k: torch.log(v / v[0]) for k, v in values.items() if v.min() > 0}
    return found


@settings(max_examples=5)
@given(cities, st.sampled_from([0.25, 1.0]) | st.floats(0.1, 1.0))
def test_invariant_16_signs_hold_in_any_city_for_any_step(city: City, share: float) -> None:
    """Invariant 16: all signs of ``test_signs`` but their sizes, which are those of two cities."""
    months_of = {sign: min(sign.month, HORIZON) for sign in SIGNS}
    found = responses(city, share, set(months_of.values()))
    wrong = []
    for sign, month in months_of.items():
        response = float(found[month][sign.quantity][list(SETTINGS).index(sign.setting)])
        if sign.direction * response <= 0:
            wrong.append(f"{sign.setting}: {sign.quantity} {response:+.2e} after {month} months")
    assert not wrong


@settings(max_examples=5)
@given(cities, st.floats(1.05, 2.0))
def test_invariant_16_more_capacity_is_faster_at_once_and_fills_up(
    city: City, factor: float
) -> None:
    """Invariant 16: time falls at fixed demand, and vehicle-km grow from month to month."""
    start, f = city.initial(), city.fundamentals.infrastructure
    roads = start.infrastructure
    before, after = (
        infrastructure.congested_pace(
            city.geography.roads, city.parameters, roads.condition, f.link_km / (x * f.road)
        )
        for x in (1.0, factor)
    )
    assert bool((after < before).all())
    wider = replace(roads, road=factor * roads.road, road_pipe=factor * roads.road_pipe)
    requested = policy(city, {"road": min(factor, LEVERS["road"].high)})
    driven = [f.vehicle_km.sum()]
    with torch.no_grad():
        run = months(city, requested, 48, state=replace(start, infrastructure=wider))
        for month, (_, state, flows) in enumerate(run, 1):
            if month in (3, 12, 48):
                driven.append(flows.traffic.vehicle_km.sum())
                assert bool((state.infrastructure.pace.mean() < f.pace.mean()).all())
    assert bool((torch.stack(driven).diff() > 0).all())


@settings(max_examples=3)
@given(st.integers(0, 99), st.integers(4, 6), st.floats(0.2, 1.0))
def test_invariant_16_more_floor_space_and_more_staff_draw_people(
    seed: int, districts: int, share: float
) -> None:
    """Invariant 16: in the setting of the reference figures, where these signs are unconditional.

    With neutral margins they are for the city to say (MODEL sections 22 and 23).
    """
    city = presets.cities(presets.STUDY, [seed], districts).to(torch.float32)
    asked = policy(city, {"far": [1.0, 1 + 0.3 * share, 1.0], "staff": [1, 1, 1 + 0.3 * share]}, 3)
    with torch.no_grad():
        state, flows = last(city, asked, 180)
    people = state.planning.people.sum((1, 2))
    assert bool((people[1:] > people[0]).all())
    assert bool(state.planning.home_floor.sum(-1)[1] > state.planning.home_floor.sum(-1)[0])
    assert bool((state.planning.home_rent[1] < state.planning.home_rent[0]).all())
    assert bool((flows.services.quality[2] > flows.services.quality[0]).all())


RATES = (0.02, 0.1, 0.2, 0.3, 0.5, 0.7, 0.95)


@settings(max_examples=2)
@given(cities)
def test_invariant_17_revenue_has_a_laffer_peak(city: City) -> None:
    """Invariant 17: each point of tax raises less than the last; in the end all revenue falls.

    Evasion, hours, firms and people respond; forty years, since people take that long to leave.
    """
    city = city.to(torch.float32)
    usual = [LEVERS[lever].default for lever in ("business_tax", "income_tax")]
    asked = policy(
        city,
        {
            "business_tax": [*RATES, *[usual[0]] * len(RATES)],
            "income_tax": [*[usual[1]] * len(RATES), *RATES],
        },
        2 * len(RATES),
    )
    with torch.no_grad():
        _, flows = last(city, asked, 480)
    for rows, lever in enumerate(("business_tax", "income_tax")):
        own, whole = (
            x.chunk(2)[rows] for x in (flows.settlement.lines[lever], flows.settlement.revenue)
        )
        marginal = own.diff() / torch.tensor(RATES).diff()
        assert float(marginal[0]) > 0
        assert bool((marginal.diff() < 0).all())
        assert 0 < int(whole.argmax()) < len(RATES) - 1, lever


@settings(max_examples=12)
@given(
    worlds(length=st.integers(1, 6)),
    st.sampled_from([-0.02, 0.001, LEVERS["rebate"].high]) | st.floats(0.0005, 0.2),
)
def test_invariant_18_a_lump_sum_is_worth_itself(world: World, amount: float) -> None:
    """Invariant 18: its equivalent variation, for every type in every district, at any time.

    ``y (exp(V - V_ref) - 1)`` is exact in decision weights (MODEL section 9).
    """
    city = world.city()
    *_, (state, shocks, _, _) = world.months()
    requested = world.requested()
    month = []
    for paid in (0.0, amount):
        in_force = state.treasury.policy | {"rebate": torch.full_like(requested["rebate"], paid)}
        held = replace(state, treasury=replace(state.treasury, policy=in_force))
        with torch.no_grad():
            _, flows = city.step(held, in_force, shocks, world.mode)
        month.append(flows)
    without, with_it = month
    gain = without.income.disposable * torch.expm1(with_it.value.utility - without.value.utility)
    money = (amount * city.fundamentals.treasury.money).reshape(-1, 1, 1)
    assert torch.allclose(gain, money.expand_as(gain), rtol=world.close(1e-8, 1e-2))
