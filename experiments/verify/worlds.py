"""Small cities in which a limit of the model can be read off, and ways to let them rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from envs.city import wiring
from envs.city.coupling import first_month
from envs.city.inversion import invert
from envs.city.model import City, CityState, Flows
from envs.city.panel import Panel
from envs.city.parameters import Parameters
from envs.city.shocks import no_shocks
from envs.city.sizes import TYPES
from envs.city.wiring import WRITERS

#: Share of people or jobs that stands for none: an empty cell would divide by zero.
NONE = 1e-9

#: What moves people between types, who stay what they are in a limit.
_GENERATIONS = ("birth_rate", "death_rate", "rise", "fall")

#: Ports that do not come from their writers: a value, or a rule on the ports written before.
Held = dict[str, Any]


def tensor(values: Any) -> Tensor:
    """Numbers in double precision."""
    return torch.as_tensor(values, dtype=torch.float64)


def free(overrides: Mapping[str, Any] | None = None) -> Parameters:
    """Default parameters without births, deaths and careers, some beyond their published range.

    A value is a number for all entries, or a tensor with a row per case ``[b, ...]``.
    """
    values = dict(Parameters.default().values)
    for name, value in (dict.fromkeys(_GENERATIONS, 0.0) | dict(overrides or {})).items():
        new, old = tensor(value), values[name]
        values[name] = new.expand_as(old).clone() if new.dim() == 0 else new
    return Parameters(values)


def with_free(city: City, overrides: Mapping[str, Any]) -> City:
    """The same calibration with some parameters set beyond their range."""
    changed = free(overrides).values
    values = city.parameters.values | {name: changed[name] for name in overrides}
    return replace(city, parameters=Parameters(values))


def one_type(districts: int, people: float = 100_000.0) -> Tensor:
    """Residents ``[1, D, K]`` of the third type, whose efficiency is one."""
    residents = torch.full((1, districts, TYPES), NONE * people, dtype=torch.float64)
    residents[..., 2] = people
    return residents


def line(
    places: Sequence[float],
    overrides: Mapping[str, Any] | None = None,
    people: Tensor | None = None,
    jobs: Tensor | None = None,
    land: float = 25.0,
    sectors: Sequence[float] | None = None,
) -> City:
    """Equal districts at ``places`` (km) along a line, calibrated on their first year.

    Args:
        overrides: parameters (see ``free``).
        people: ``[1, D, K]`` (default: 100,000 a district, mixed). jobs: ``[D]`` (default: as
            many as the labour market needs). land: km2 of a district. sectors: ``[S]`` shares.
    """
    size = len(places)
    mixed = tensor([0.1, 0.2, 0.2, 0.2, 0.2, 0.1]) * 100_000
    residents = mixed.expand(1, size, -1).clone() if people is None else people
    work = 0.475 * residents.sum(-1) if jobs is None else jobs[None]
    panel = Panel(
        xy=torch.stack([tensor(list(places)), torch.zeros(size, dtype=torch.float64)], -1)[None],
        land=torch.full((1, size), land, dtype=torch.float64),
        people=residents,
        jobs=work,
        sectors=None if sectors is None else tensor(list(sectors)).expand(1, size, -1),
    )
    with torch.no_grad():
        return invert(panel, free(overrides))


def standing(city: City, rows: int, live: Iterable[str]) -> Held:
    """All ports but ``live`` stand still at their values of the first month."""
    with torch.no_grad():
        first = first_month(city, rows)
    alive = set(live)
    return {name: getattr(first, name) for name in WRITERS if name not in alive}


def advance(
    city: City,
    state: CityState,
    months: int,
    held: Held | None = None,
    requested: Mapping[str, Tensor] | None = None,
    mode: str = "soft",
) -> tuple[CityState, Flows]:
    """State and flows after some months of a quiet world."""
    like = state.planning.home_rent
    quiet = no_shocks(like.shape[0], like.shape[1], like)
    ports = {name: wiring.Held(value) for name, value in (held or {}).items()}
    for _ in range(months):
        state, flows = city.step(state, requested or {}, quiet, mode, held=ports)
    return state, flows


def summit(
    slope: Callable[[Tensor], Tensor], first: Tensor, second: Tensor, steps: int = 10
) -> Tensor:
    """Where the slope of an objective vanishes, row by row ``[B]``, by secants on the gradient."""
    x, y, fx, fy = first, second, slope(first), slope(second)
    for _ in range(steps):
        change = torch.where(fy == fx, 0.0, -fy * (y - x) / (fy - fx))
        x, y, fx = y, y + change, fy
        fy = slope(y)
    return y


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Root of a function that changes sign once between ``low`` and ``high``."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) * function(low) > 0 else (low, middle)
    return (low + high) / 2
