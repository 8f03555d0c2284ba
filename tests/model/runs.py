"""Runs of the city model that its tests share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from envs.city import tree
from envs.city.levers import LEVERS, Policy, baseline_policy
from envs.city.model import City, CityState, Flows
from envs.city.shocks import no_shocks

SIGNED = {
    "planning.perceived",
    "planning.home_growth",
    "planning.work_growth",
    "industry.establishments",
    "industry.knowledge",
    "industry.skill",
    "industry.tags",
    "industry.price_export",
    "treasury.debt",
    "treasury.dividend",
}
# A lever that settles on zero may miss it by a rounding error of single precision.
ROUNDING = {
    f"treasury.policy.{name}": 1e-9 * (lever.high - lever.low) for name, lever in LEVERS.items()
}
Setting = float | Sequence[float] | Tensor


def policy(city: City, settings: Mapping[str, Setting], rows: int = 1) -> Policy:
    """Today's policy with some levers set: a number for all rows, or one a row ``[rows]``."""
    like = city.start.planning.home_rent
    result = baseline_policy(rows, city.districts, like.dtype)
    for name, value in settings.items():
        lever = result[name]
        column = torch.as_tensor(value, dtype=like.dtype)
        if column.dim() <= 1:
            column = column.reshape(-1, *(1,) * (lever.dim() - 1))
        result[name] = column.expand_as(lever).clone()
    return result


def random_policy(
    city: City, seed: int, rows: int | None = None, levers: Sequence[str] = tuple(LEVERS)
) -> Policy:
    """Every cell of every lever drawn uniformly within its bounds."""
    like = city.start.planning.home_rent
    generator = torch.Generator().manual_seed(seed)
    result = baseline_policy(rows or city.rows, city.districts, like.dtype)
    for name in levers:
        lever = LEVERS[name]
        draw = torch.rand(result[name].shape, generator=generator, dtype=torch.float64)
        result[name] = (lever.low + (lever.high - lever.low) * draw).to(like)
    return result


def months(
    city: City,
    requested: Mapping[str, Tensor],
    count: int,
    mode: str = "soft",
    state: CityState | None = None,
) -> Iterator[tuple[CityState, CityState, Flows]]:
    """Months of a steady world: the state before, the state after, and the flows."""
    rows = next(iter(requested.values())).shape[0] if requested else city.rows
    now = city.initial(rows) if state is None else state
    like = now.planning.home_rent
    shocks = no_shocks(like.shape[0], like.shape[1], like)
    for _ in range(count):
        after, flows = city.step(now, requested, shocks, mode)
        yield now, after, flows
        now = after


def last(
    city: City,
    requested: Mapping[str, Tensor],
    count: int,
    mode: str = "soft",
    state: CityState | None = None,
) -> tuple[CityState, Flows]:
    """State and flows after ``count`` months."""
    for _, after, flows in months(city, requested, count, mode, state):
        found = after, flows
    return found


def wrong(state: object) -> list[str]:
    """States that are not finite, or negative where they count something."""
    found = []
    for name, value in tree.leaves(state):
        if not bool(torch.isfinite(value).all()):
            found.append(f"{name} is not finite")
        elif name not in SIGNED and not bool((value >= -ROUNDING.get(name, 0.0)).all()):
            found.append(f"{name} is negative: {float(value.min()):g}")
    return found
