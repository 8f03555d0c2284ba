"""Histories of a city under held or rule-driven policies in a quiet world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs.city.levers import Policy, baseline_policy
from envs.city.model import City, CityState, Flows
from envs.city.shocks import Shocks, no_shocks
from envs.city.wiring import Held

Tick = Callable[[], None]


@dataclass(frozen=True)
class Month:
    """A month that has passed, with the policy and the shocks that the next one will meet.

    A rule may change both in place. number: from 1.
    """

    number: int
    policy: Policy
    shocks: Shocks
    state: CityState
    flows: Flows


#: Feedback: called after each month.
Rule = Callable[[Month], None]


def quiet(*_: object) -> None:
    """A tick or a rule that does nothing."""


def policies(city: City, settings: Sequence[Mapping[str, float | Tensor]]) -> Policy:
    """One row a setting: today's policy with some levers set, uniform or ``[lever shape]``."""
    like = city.start.planning.home_rent
    found = baseline_policy(len(settings), city.districts, like.dtype, like.device)
    for row, setting in enumerate(settings):
        for lever, value in setting.items():
            found[lever][row] = torch.as_tensor(value, dtype=like.dtype)
    return found


def history(
    city: City,
    policy: Policy,
    months: int,
    mode: str = "soft",
    state: CityState | None = None,
    rule: Rule = quiet,
    tick: Tick = quiet,
    held: Mapping[str, Held] | None = None,
) -> Iterator[tuple[int, CityState, Flows]]:
    """Months 1, 2, ... with the state at their end and their flows.

    Args:
        policy: requested levers, one row each. mode: of the treasury. state: to start from
            (default: the first year). rule: called after each month. tick: called after each
            month. held: ports that are not live.
    """
    rows = next(iter(policy.values())).shape[0]
    now = city.initial(rows) if state is None else state
    like = now.planning.home_rent
    shocks = no_shocks(rows, city.districts, like)
    for month in range(1, months + 1):
        with torch.no_grad():
            now, flows = city.step(now, policy, shocks, mode, held=held)
            rule(Month(month, policy, shocks, now, flows))
        tick()
        yield month, now, flows


def widened(city: City, factors: Sequence[float]) -> tuple[CityState, Policy]:
    """First state and policy with ``factors`` times the road capacity, one row each.

    The stock, the works in progress and the lever are all multiplied, so that the new capacity
    is a steady state of the road stock.
    """
    policy = policies(city, [{"road": factor} for factor in factors])
    state = city.initial(len(factors))
    roads, public = state.infrastructure, state.treasury
    times = torch.tensor(factors, dtype=roads.road.dtype).unsqueeze(-1)
    wider = replace(roads, road=roads.road * times, road_pipe=roads.road_pipe * times.unsqueeze(-1))
    in_force = {**public.policy, "road": policy["road"].clone()}
    return (
        replace(state, infrastructure=wider, treasury=replace(public, policy=in_force)),
        policy,
    )


def change(values: Tensor, base: int = 0) -> list[float]:
    """Percentage change of every row ``[B]`` against row ``base``."""
    return (100 * (values / values[base] - 1)).tolist()
