"""Runs of the city model that its tests share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from envs.city.levers import LEVERS, Policy, baseline_policy
from envs.city.model import City, CityState, Flows
from envs.city.shocks import no_shocks

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
