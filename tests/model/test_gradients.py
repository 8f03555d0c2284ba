"""Gradients through the model are those of finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from envs.city import tree, welfare
from envs.city.dynamics import Dynamics
from envs.city.levers import LEVERS
from envs.city.model import City
from tests.model.runs import policy

LEVERS_TESTED = ("toll", "fare", "transit", "income_tax", "far", "staff")
MONTHS = 24


def total_welfare(city: City, x: Tensor, mode: str = "pooled") -> Tensor:
    """Sum of monthly welfare over two years with uniform levers ``x`` ``[rows, 6]``."""
    rows = x.shape[0]
    settings = {name: x[:, column] for column, name in enumerate(LEVERS_TESTED)}
    reference = welfare.reference(city)
    requested = policy(city, settings, rows)
    state = city.initial(rows)
    weather = Dynamics("shocks", 1, city.districts, MONTHS, state.planning.home_rent)
    weather.seed(0, 5)
    weather.reset([0])
    value = torch.zeros(rows, dtype=x.dtype)
    for _ in range(MONTHS):
        shocks = tree.tree_map(lambda s: s.expand(rows, *s.shape[1:]), weather.advance())
        state, flows = city.step(state, requested, shocks, mode)
        value = value + welfare.evaluate(city, reference, flows).total
    return value


@pytest.mark.parametrize("mode", ["pooled", "soft", "boards", "departments"])
@pytest.mark.parametrize("share", [0.0, 0.3], ids=["at today's policy", "away from it"])
def test_gradient_of_welfare_is_the_central_difference(nine: City, mode: str, share: float) -> None:
    levers = [LEVERS[name] for name in LEVERS_TESTED]
    point = torch.tensor(
        [x.default + share * (x.high - x.default) for x in levers], dtype=torch.float64
    )
    size = torch.tensor([x.high - x.low for x in levers], dtype=torch.float64)
    x = point[None].clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(total_welfare(nine, x, mode).sum(), x)
    step = torch.diag(3e-5 * size)
    with torch.no_grad():
        above = total_welfare(nine, point + step, mode)
        below = total_welfare(nine, point - step, mode)
    slope = (above - below) / (2 * torch.diagonal(step))
    assert bool((slope != 0).all())
    torch.testing.assert_close(gradient[0] * size, slope * size, rtol=1e-6, atol=1e-8)


def test_london_has_gradients_of_every_lever(london: City) -> None:
    """Finite, and none is cut off: each lever reaches welfare within two years."""
    requested = {name: value.requires_grad_(True) for name, value in policy(london, {}).items()}
    reference = welfare.reference(london)
    state = london.initial()
    weather = Dynamics("steady", 1, london.districts, 6, state.planning.home_rent)
    for _ in range(6):
        state, flows = london.step(state, requested, weather.advance())
    whole = welfare.evaluate(london, reference, flows)
    target = whole.total.sum() + whole.atkinson(2.0).sum() + state.treasury.debt.sum()
    target = target + sum(x.sum() for name, x in tree.leaves(state) if "pipe" in name)
    target = target + state.industry.knowledge.sum() + state.industry.skill.sum()
    wanted = [name for name in requested if name != "budget_split"]
    gradients = torch.autograd.grad(target, [requested[name] for name in wanted])
    for name, gradient in zip(wanted, gradients, strict=True):
        assert bool(torch.isfinite(gradient).all()), name
        assert bool((gradient != 0).any()), name
