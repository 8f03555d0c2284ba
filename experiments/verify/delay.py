"""Limits of queues, building lags and beliefs (MODEL section 15, 13 and 14)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from envs.city.functions import erlang
from envs.city.model import CityState
from envs.city.parameters import Parameters
from experiments.verify.oracle import Row
from experiments.verify.worlds import (
    advance,
    bisect,
    line,
    standing,
    tensor,
    with_free,
)

_KNEE, _STEEP, _TOP, _USED = 0.9, 4, 1.6, 0.85


def time_in_system(counters: int, used: float) -> float:
    """Mean time in an M/M/c queue over the time of service, by Erlang's C formula."""
    busy = counters * used
    all_taken = busy**counters / math.factorial(counters) / (1 - used)
    some_free = sum(busy**k / math.factorial(k) for k in range(counters))
    return 1 + all_taken / (some_free + all_taken) / (counters * (1 - used))


def queue() -> list[Row]:
    """Quality of a service as ever more people share it, beside queues that theory solves.

    One counter keeps ``1 - u`` of the time in the system for service; many counters lose
    nothing until they are full. The model's curve lies between, stays above zero when
    demand exceeds capacity, and has its knee where seven counters have theirs.
    """
    used = torch.linspace(0.01, 2.0, 200, dtype=torch.float64)
    city = line([0.0])
    still = standing(city, len(used), ["services"])
    residents = still["residents"]
    crowd = replace(residents, people=residents.people * (used / _USED).reshape(-1, 1, 1))
    with torch.no_grad():
        _, flows = advance(city, city.initial(len(used)), 1, still | {"residents": crowd})
    kept, load = flows.services.access[:, 0] / _TOP, flows.services.load[:, 0]
    rows = []
    for u in (0.5, 0.9, 2.0):
        k = int((used - u).abs().argmin())
        theory = 1 / (1 + (u / _KNEE) ** _STEEP)
        rows.append(
            Row(f"quality over its top at a utilisation of {u:g}", theory, float(kept[k, 0]), 1e-9)
        )
    below = load < 1
    one_counter = int((kept[below] < 1 - load[below]).sum())
    rows.append(
        Row("utilisations below one at which one counter would do better", 0.0, one_counter, 0.0)
    )
    halved = int((kept[:, 0] > 0.5).sum())
    slope = (used[halved] - used[halved - 1]) / (kept[halved, 0] - kept[halved - 1, 0])
    knee = float(used[halved] + slope * (0.5 - kept[halved, 0]))
    seven = bisect(lambda u: time_in_system(7, u) - 2, 0.1, 0.999)
    rows.append(
        Row("utilisation that doubles the time in the system, seven counters", seven, knee, 5e-3)
    )
    return rows


def _lag_of_pulse(delivered: Tensor) -> tuple[float, float]:
    """Mass and mean month of what is delivered ``[T]``, the month of ordering counted 0."""
    months = torch.arange(len(delivered), dtype=torch.float64)
    mass = float(delivered.sum())
    return mass, float((months * delivered).sum()) / mass


def lags() -> list[Row]:
    """What one month starts arrives in full, and on average after the mean lag."""
    p = Parameters.default()
    rows = []
    for name, what in (("lag_h", "floor"), ("lag_fac", "facilities"), ("lag_g", "roads")):
        lag = p.values[name]
        pipe, started, done = torch.zeros(1, 3, dtype=torch.float64), torch.ones_like(lag), []
        for _ in range(1500):
            pipe, finished = erlang(pipe, started, lag)
            started = torch.zeros_like(lag)
            done.append(finished)
        mass, mean = _lag_of_pulse(torch.cat(done))
        rows.append(Row(f"mean lag of {what}, months", float(lag), mean, 1e-9))
        rows.append(Row(f"share of started {what} that arrives", 1.0, mass, 1e-9))
    return rows + _pulses()


def _pulses() -> list[Row]:
    """Mean lag of one month's extra spending, read off the stock that it adds."""
    kinds: dict[str, tuple[float, float, Callable[[CityState], Tensor]]] = {
        "road": (36.0, 0.05, lambda now: now.infrastructure.road[:, 0]),
        "facilities": (24.0, 0.04, lambda now: now.services.facilities[:, 0, 0]),
    }
    city = line([0.0])
    held = standing(city, 2, ["fiscal", "traffic", "services"])
    state = city.initial(2)
    usual = state.treasury.policy
    more = tensor([1.0, 2.0])
    extra = usual | {
        name: usual[name] * more.reshape(-1, *(1,) * (usual[name].dim() - 1)) for name in kinds
    }
    stocks = [[read(state) for _, _, read in kinds.values()]]
    with torch.no_grad():
        for month in range(600):
            policy = extra if month == 0 else usual
            state = replace(state, treasury=replace(state.treasury, policy=policy))
            state, _ = advance(city, state, 1, held)
            stocks.append([read(state) for _, _, read in kinds.values()])
    rows = []
    for (name, (lag, wear, _)), course in zip(
        kinds.items(), zip(*stocks, strict=True), strict=True
    ):
        added = torch.stack(course).diff(dim=1)[:, 0]
        arrived = added[1:] - (1 - wear / 12) * added[:-1]
        _, mean = _lag_of_pulse(arrived)
        rows.append(Row(f"mean lag of a month's spending on {name}, months", lag, mean, 1e-6))
    return rows


_Shift = Callable[[CityState, float], CityState]


def _shifted(block: str, name: str) -> _Shift:
    """The state with a belief of a block raised by a share of itself or by an amount."""

    def shift(state: CityState, by: float) -> CityState:
        part = getattr(state, block)
        moved = replace(part, **{name: getattr(part, name) + by})
        return replace(state, **{block: moved})

    return shift


#: Belief, where it is kept, gain, and the ports that its block needs alive.
_BELIEFS: tuple[tuple[str, str, str, float, tuple[str, ...]], ...] = (
    ("utility of a place", "planning", "perceived", 0.08, ("residents",)),
    ("chance of a job", "industry", "finding", 0.3, ("shopping",)),
    ("return on capital", "industry", "expected_return", 0.05, ("shopping",)),
    ("quality of a service", "services", "quality", 0.15, ("services",)),
    ("pace of a road", "infrastructure", "pace", 0.2, ("roads",)),
    ("probability of an audit", "treasury", "audit", 0.05, ("settlement",)),
)


def beliefs() -> list[Row]:
    """After a step the error of a belief shrinks by ``(1 - gain)^t`` while the world stands.

    Firms keep their capital, whose return would move with it, and all learn alike about audits.
    """
    months, step = 24, 0.01
    still = {"delta_k": 0.0, "seed_k": 0.0, "gain_audit": 0.05}
    city = with_free(line([0.0, 8.0]), still)
    rows = []
    for what, block, name, gain, live in _BELIEFS:
        start = city.initial()
        held = standing(city, 1, live)
        with torch.no_grad():
            end, _ = advance(city, _shifted(block, name)(start, step), months, held)
        truth = getattr(getattr(start, block), name)
        error = (getattr(getattr(end, block), name) - truth) / step
        worst = error.flatten()[int((error - (1 - gain) ** months).abs().argmax())]
        case = f"error left after {months} months: {what}, gain {gain:g}"
        rows.append(Row(case, (1 - gain) ** months, float(worst), 1e-9))
    return rows
