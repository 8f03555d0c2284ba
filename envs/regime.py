"""Regime changes: unannounced breaks, after which a city answers otherwise than it did.

From a month in mid-episode on a row steps by other parameters, from the state it is in. Its twin
and its copies meet the same break in the same month. Nobody is told and no observation says so:
governors see it only in what their city does. Until then nothing differs from a world without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from envs.city.model import City
from envs.city.parameters import Parameters
from envs.city.sizes import SERVICE_NAMES
from envs.realism import LEAST
from envs.twin.ensemble import spread_around
from envs.twin.settings import load_settings

Values = Mapping[str, Tensor]
Streams = Sequence[np.random.Generator]
Noise = Callable[[tuple[int, ...]], Tensor]

#: Largest multiple of the usual break.
STRONGEST = 2.0
#: Largest share of anything that is evaded or dodged after a break (assumed).
MOST = 0.95
#: Share by which the need for health care grows at strength 1 (assumed).
NEED = 0.5
#: Sets breaks apart from the other random streams of a row.
_STREAM = (4,)


class Options(Protocol):
    """The part of a scenario's options that breaks need."""

    @property
    def regime(self) -> str: ...
    @property
    def regime_month(self) -> int: ...
    @property
    def regime_strength(self) -> float: ...
    @property
    def horizon(self) -> int: ...
    @property
    def evasion(self) -> float: ...


@dataclass(frozen=True)
class Regime:
    """A break of every row.

    city: what all rows are from then on. month: months lived before it, of the governed rows
    ``[B]``; copies and twins follow them. blocks: rows of the batch over governed ones.
    """

    city: City
    month: Tensor
    blocks: int

    def in_force(self, before: City, lived: Tensor) -> City:
        """What all rows live in after ``lived`` months ``[B]``; ``before``: until the break."""
        broken = lived >= self.month
        if not bool(broken.any()):
            return before
        if bool(broken.all()):
            return self.city
        every = broken.repeat(self.blocks)
        then, now = before.parameters.values, self.city.parameters.values
        mixed = {
            name: value if value is then[name] else _where(every, value, then[name])
            for name, value in now.items()
        }
        return replace(before, parameters=Parameters(mixed))

    def changed(self, change: Callable[[City], City]) -> Regime:
        """The same break of cities that were changed."""
        return replace(self, city=change(self.city))


def problems(options: Options) -> list[str]:
    """What is wrong with the month of a break, in words."""
    if options.regime == "none" or 0 <= options.regime_month < options.horizon:
        return []
    return [
        f"regime_month={options.regime_month}: expected 0 (each row its own) to "
        f"{options.horizon - 1}, before the end of an episode"
    ]


def by_seed(options: Options) -> bool:
    """Whether rows with other seeds meet other breaks."""
    if options.regime == "none":
        return False
    return BREAKS[options.regime].drawn or options.regime_month == 0


def drawn(model: City, options: Options, seeds: Sequence[int], blocks: int) -> Regime | None:
    """The break of some rows; None where there is none.

    Args:
        model: of all rows of the batch, in the order governed, copies, twins, or one that they
            share. seeds: one a governed row; each owns its stream. blocks: rows of the batch over
            governed ones.
    """
    if options.regime == "none":
        return None
    streams = [np.random.default_rng(np.random.SeedSequence(s, spawn_key=_STREAM)) for s in seeds]
    debt = model.start.treasury.debt
    months = [_month(options, stream) for stream in streams]
    values = BREAKS[options.regime].values(model.parameters, options, streams, blocks)
    month = torch.tensor(months, dtype=torch.long, device=debt.device)
    return Regime(replace(model, parameters=Parameters(values)), month, blocks)


def supposed(model: City, jump: Tensor, month: Tensor, blocks: int) -> Regime:
    """A break that a governor believes in: parameters that jump as they do at strength 1.

    Args:
        model: of all rows of the batch, or one that they share. jump: standard normal numbers that
            each governed row's jump is made of ``[B, J]`` (`jump_size`); gradients flow to them.
        month: months lived before it ``[B]``. blocks: rows of the batch over governed ones.
    """
    taken = 0

    def noise(size: tuple[int, ...]) -> Tensor:
        nonlocal taken
        first, taken = taken, taken + math.prod(size)
        return jump[:, first:taken].reshape(-1, *size)

    values = _jumped(model.parameters, 1.0, noise, blocks)
    return Regime(replace(model, parameters=Parameters(values)), month, blocks)


def jump_size(parameters: Parameters) -> int:
    """Numbers J that a jump of parameters is made of."""
    return sum(math.prod(size) for size in _jump_sizes(parameters))


def _month(options: Options, stream: np.random.Generator) -> int:
    """The month that was asked for, or one in the middle half of the episode."""
    quarter = options.horizon // 4
    own = int(stream.integers(max(1, quarter), max(2, options.horizon - quarter)))
    return options.regime_month or own


def _jump(p: Parameters, options: Options, streams: Streams, blocks: int) -> Values:
    """A draw from the priors around each row's own parameters, as members of a twin are drawn."""

    def noise(size: tuple[int, ...]) -> Tensor:
        return torch.as_tensor(np.stack([s.standard_normal(size) for s in streams]))

    return _jumped(p, options.regime_strength, noise, blocks)


def _jumped(p: Parameters, strength: float, noise: Noise, blocks: int) -> Values:
    """In float64, because ranges are checked in it.

    Args:
        noise: standard normal numbers of the governed rows ``[B, *size]``.
    """
    exact = p.to(torch.float64)

    def repeated(size: tuple[int, ...]) -> Tensor:
        return noise(size).repeat(blocks, *(1,) * len(size)).to(exact.values["discount"])

    found = spread_around(exact, repeated, load_settings().widths(strength)).values
    return {
        name: own if found[name] is exact.values[name] else found[name].to(own.dtype)
        for name, own in p.values.items()
    }


def _jump_sizes(p: Parameters) -> list[tuple[int, ...]]:
    """Shapes of the numbers that a jump is made of, a row's, in the order they are asked for."""
    sizes: list[tuple[int, ...]] = []

    def noise(size: tuple[int, ...]) -> Tensor:
        sizes.append(size)
        return torch.zeros(1, *size)

    _jumped(p, 1.0, noise, 1)
    return sizes


def _channel(p: Parameters, options: Options, streams: Streams, blocks: int) -> Values:
    """Shares that can be dodged grow by ``regime_strength`` times what is calibrated.

    As in ``envs.realism``: ``max`` is scaled at the same ``cost max``, so that the share at given
    rates is scaled as a whole.
    """
    now = max(options.evasion, LEAST)
    values = dict(p.values)
    for most, cost in (("ev_max", "ev_cost"), ("dodge_max", "dodge_cost")):
        bound = torch.maximum(values[most], torch.full_like(values[most], MOST))
        grown = torch.minimum(values[most] * ((now + options.regime_strength) / now), bound)
        values[cost] = values[cost] * (values[most] / grown)
        values[most] = grown
    return values


def _needs(p: Parameters, options: Options, streams: Streams, blocks: int) -> Values:
    """Need for health care grows by ``regime_strength`` times `NEED`."""
    grown = torch.ones_like(p.values["visits"])
    grown[..., SERVICE_NAMES.index("health")] += NEED * options.regime_strength
    return {**p.values, "visits": p.values["visits"] * grown}


@dataclass(frozen=True)
class Kind:
    """One row of the table of breaks.

    meaning: what breaks, in words; values: the parameters after it, from those before, for all
    rows or one that they share; drawn: whether each row meets a break of its own by its seed;
    source: of its size.
    """

    meaning: str
    values: Callable[[Parameters, Options, Streams, int], Values]
    source: str
    drawn: bool = False


BREAKS: dict[str, Kind] = {
    "parameters": Kind(
        "rates, gains, elasticities and the parameters of the neutral prior jump, each row's its "
        "own way",
        _jump,
        "as wide as the priors of a twin (configs/twin)",
        drawn=True,
    ),
    "evasion": Kind(
        "a channel opens by which taxes, fares and tolls are evaded and tags are mimicked",
        _channel,
        "as much again as is calibrated (assumed)",
    ),
    "needs": Kind(
        "residents come to need health care half as often again, as an ageing city does",
        _needs,
        "assumed",
    ),
}
REGIMES = ("none", *BREAKS)


def _where(mask: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(mask.reshape(-1, *(1,) * (no.dim() - 1)), yes, no)
