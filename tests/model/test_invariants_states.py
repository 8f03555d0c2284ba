"""Invariants 5, 6 and 13 of MODEL section 13: states and shares stay what they are, and still."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from envs.city import planning
from envs.city.steady import drift
from tests.model.runs import last, policy, wrong
from tests.model.worlds import World, over_worlds, worlds


@over_worlds(12)
def test_invariant_5_states_are_finite_and_quantities_not_negative(world: World) -> None:
    """Invariant 5: under any action within bounds, in force at once or by and by."""
    for _, _, after, flows in world.months():
        assert not wrong(after)
        assert not [text for text in wrong(flows) if "finite" in text]


@over_worlds()
def test_invariant_6_probabilities_sum_to_one(world: World) -> None:
    """Invariant 6: shares of residences, workplaces, modes, sectors, kin and air."""
    city = world.city()
    p, close = city.parameters, world.close(1e-12, 1e-5)

    def whole(shares: Tensor, axis: int) -> bool:
        total = shares.sum(axis)
        return torch.allclose(total, torch.ones_like(total), rtol=close, atol=0)

    assert whole(city.geography.air, 1)
    assert whole(city.fundamentals.planning.kinship, 1)
    participation = city.fundamentals.travel.participation
    for before, _, after, flows in world.months():
        chosen, _ = planning.location_choice(
            p, after.planning.perceived, before.planning.home_floor
        )
        assert whole(chosen, 1)
        assert whole(flows.offers.affinity, 2)
        workers = participation[:, None] * before.planning.people.sum(1)
        torch.testing.assert_close(flows.commute.workers.sum(1), workers, rtol=close, atol=0)
        by_wheels = flows.commute.car.sum((1, 2)) + flows.commute.transit.sum((1, 2))
        assert bool((by_wheels < workers.sum(-1)).all())
        by_sector = flows.offers.jobs.unsqueeze(2) * flows.offers.affinity.unsqueeze(1)
        torch.testing.assert_close(by_sector.sum(-1), flows.offers.attraction, rtol=close, atol=0)


@over_worlds()
def test_invariant_6_employment_stays_below_supply_and_demand(world: World) -> None:
    """Invariant 6: nobody works in a job that is not offered, or offered to nobody."""
    above = 1 + world.close(0.0, 1e-6)
    efficiency = world.city().parameters.bdk.efficiency
    for _, _, _, flows in world.months():
        employed, offers = flows.market.employed, flows.offers
        units = flows.commute.workers * efficiency * flows.market.effort.reshape(-1, 1, 1)
        assert bool((employed <= above * offers.demand).all())
        assert bool((employed <= above * offers.supply(units)).all())
        assert bool((flows.market.rate <= above).all())


@settings(max_examples=10)
@given(worlds(sides=(), sudden=False, length=st.integers(6, 12)), st.booleans())
def test_invariant_13_the_first_year_is_a_steady_state(world: World, asked: bool) -> None:
    """Invariant 13: asking for today's policy, or for nothing, moves nothing in a quiet world."""
    city = world.city()
    rows = len(world.seeds)
    requested = policy(city, {}, rows) if asked else {}
    state, _ = last(city, requested, world.length, world.mode)
    moved = {name: gap for name, gap in drift(city, state).items() if gap >= 1e-4}
    assert not moved
    if world.dtype is torch.float64:
        assert max(drift(city, state).values()) < 1e-7
