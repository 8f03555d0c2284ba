"""Invariants 14 and 15 of MODEL section 13: replay to the bit, and gradients of finite steps."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from envs.city import tree, welfare
from envs.city.coupling import Driver, Run, run
from envs.city.levers import LEVERS
from envs.city.wiring import BLOCKS
from tests.model.worlds import World, over_worlds, worlds


def leaves_of(found: Run, block: str, month: int) -> dict[str, Tensor]:
    """Named tensors of a block's state before a month, or at the end (-1)."""
    return dict(tree.leaves(getattr(found.states[month], block)))


@over_worlds()
def test_invariant_14_a_block_alone_on_recorded_ports_repeats_the_coupled_run(
    world: World,
) -> None:
    """Invariant 14: to the bit, and the blocks that are replayed stand still."""
    city, requested, weather = world.city(), world.requested(), world.weather()
    block = BLOCKS[world.seed % len(BLOCKS)]

    def lives(driver: Driver | None = None) -> Run:
        with torch.no_grad():
            return run(city, world.length, requested, world.mode, weather, driver)

    whole = lives()
    alone = lives(Driver.alone(block, whole.flows))
    for name in BLOCKS:
        expected = leaves_of(whole, name, -1 if name == block else 0)
        for leaf, value in leaves_of(alone, name, -1).items():
            assert torch.equal(value, expected[leaf]), f"{block} alone: {name}.{leaf}"
    first = leaves_of(whole, block, 0)
    moved = [not torch.equal(x, first[leaf]) for leaf, x in leaves_of(whole, block, -1).items()]
    assert any(moved), "a block that never moves would repeat anything"


def outcome(world: World, lever: str, points: Tensor) -> Tensor:
    """Welfare, money and stocks in the end ``[points]``, ``lever`` set to a point everywhere."""
    city, rows = world.city(), points.shape[0]
    reference = welfare.reference(city)
    requested = {
        name: value.expand(rows, *value.shape[1:]) for name, value in world.requested().items()
    }
    column = points.reshape(-1, *(1,) * (requested[lever].dim() - 1))
    requested[lever] = column.expand_as(requested[lever])
    state, total = city.initial(rows), torch.zeros_like(points)
    for month in world.weather():
        shocks = tree.expand(month, rows)
        state, flows = city.step(state, requested, shocks, world.mode)
        worth = welfare.evaluate(city, reference, flows)
        total = total + worth.total + torch.log(flows.settlement.spending)
    stocks = (state.industry.capital.sum(1), state.planning.people, state.infrastructure.road)
    for stock in stocks:
        total = total + torch.log(stock).flatten(1).mean(1)
    return total


#: Points around, or inward from a bound, in steps, and their weights in the slope.
CENTRAL = ((-2.0, 1 / 12), (-1.0, -2 / 3), (1.0, 2 / 3), (2.0, -1 / 12))
INWARD = ((0.0, -25 / 12), (1.0, 4.0), (2.0, -3.0), (3.0, 4 / 3), (4.0, -1 / 4))
STEP = 1e-3


@settings(max_examples=15)
@given(
    worlds(
        seeds=st.integers(0, 99).map(lambda seed: (seed,)),
        precision="float64",
        length=st.integers(3, 5),
        sudden=False,
    ),
    st.sampled_from([name for name in LEVERS if name != "budget_split"]),
    st.sampled_from([0.0, 1.0]) | st.floats(0.05, 0.95),
)
def test_invariant_15_gradients_are_finite_differences(
    world: World, lever: str, place: float
) -> None:
    """Invariant 15: of every lever, somewhere between its bounds and at them.

    Differences of order four, one-sided at a bound.
    """
    table = LEVERS[lever]
    span = table.high - table.low
    point = torch.tensor([table.low + place * span], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(outcome(world, lever, point).sum(), point)
    sign = 1.0 - 2.0 * place if place in (0.0, 1.0) else 1.0
    rule = torch.tensor(INWARD if place in (0.0, 1.0) else CENTRAL, dtype=torch.float64)
    with torch.no_grad():
        values = outcome(world, lever, point + sign * STEP * span * rule[:, 0])
    slope = (sign * rule[:, 1] * values).sum() / STEP
    torch.testing.assert_close(gradient[0] * span, slope, rtol=1e-5, atol=1e-7)
