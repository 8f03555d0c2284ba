"""Worlds that the invariants of MODEL section 13 are tested on: any city, action and weather."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from typing import Any

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from envs.city.cities import build, with_parameters
from envs.city.dynamics import PRESETS, Dynamics
from envs.city.levers import LEVERS, Policy, baseline_policy
from envs.city.model import City, CityState, Flows
from envs.city.panel import Panel
from envs.city.shocks import Shocks
from envs.city.synthetic import synthetic_panel
from envs.city.treasury import MODES
from envs.priors import SYNTHETIC, read

#: How a lever is set: uniformly, or cell by cell at either bound or anywhere between.
SIDES = ("default", "low", "high", "corners", "scattered")
#: Settings of a city before its first year is inverted.
TRAITS = ((), (("vc", 1.3),), (("homophily", 0.1),))
Traits = tuple[tuple[str, Any], ...]
Property = Callable[..., None]
Sides = tuple[tuple[str, str], ...]
#: State before, shocks, state after and flows.
Month = tuple[CityState, Shocks, CityState, Flows]
#: Month in which the crises of an episode of twice as many months strike.
STRIKE = 12
DTYPES = {"float64": torch.float64, "float32": torch.float32}


@cache
def calibrated(seeds: tuple[int, ...], districts: int, traits: Traits = ()) -> City:
    """Synthetic cities inverted, one row a seed, with the neutral prior; float64."""
    return inverted(synthetic_panel(seeds, districts), traits)


def inverted(panel: Panel, traits: Traits = ()) -> City:
    """A panel inverted, with the neutral prior."""
    return with_parameters(build(panel, dict(traits)), read(SYNTHETIC))


@dataclass(frozen=True)
class World:
    """Cities, what their governors ask for, and what the world does to them.

    seeds: one row each; sides: side of ``SIDES`` by lever; seed: of all that is drawn within;
    sudden: the request is in force from the first day, else delays and rate limits apply;
    preset, chance: of the weather (``envs.city.dynamics``); length: months.
    """

    seeds: tuple[int, ...] = (0, 1)
    districts: int = 4
    traits: Traits = ()
    precision: str = "float64"
    mode: str = "pooled"
    sides: Sides = ()
    seed: int = 0
    sudden: bool = False
    preset: str = "crisis"
    chance: float = 0.0
    length: int = 6

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the run."""
        return DTYPES[self.precision]

    def close(self, double: float, single: float) -> float:
        """The tolerance of the number format."""
        return double if self.dtype is torch.float64 else single

    def panel(self) -> Panel:
        """The first year of the cities."""
        return synthetic_panel(self.seeds, self.districts)

    def city(self) -> City:
        """The calibrated cities, the request in force where it is sudden."""
        return self.governed(calibrated(self.seeds, self.districts, self.traits))

    def governed(self, city: City) -> City:
        """``city`` in the number format of the run, the request in force where it is sudden."""
        city = city.to(self.dtype)
        if not self.sudden:
            return city
        start = city.initial()
        treasury = replace(start.treasury, policy=self.requested())
        return replace(city, start=replace(start, treasury=treasury))

    def requested(self) -> Policy:
        """What governors ask for, ``[rows, *lever shape]``."""
        result = baseline_policy(len(self.seeds), self.districts, torch.float64)
        generator = torch.Generator().manual_seed(self.seed)
        for name, side in self.sides:
            lever = LEVERS[name]
            draw = torch.rand(result[name].shape, generator=generator, dtype=torch.float64)
            span = lever.high - lever.low
            values: dict[str, Tensor] = {
                "default": result[name],
                "low": torch.full_like(draw, lever.low),
                "high": torch.full_like(draw, lever.high),
                "corners": lever.low + span * draw.round(),
                "scattered": lever.low + span * draw,
            }
            result[name] = values[side]
        return {name: value.to(self.dtype) for name, value in result.items()}

    def weather(self) -> list[Shocks]:
        """Shocks month by month; what strikes does so half way."""
        rows, like = len(self.seeds), torch.zeros(1, dtype=self.dtype)
        found = Dynamics(self.preset, rows, self.districts, 2 * STRIKE, like, None, self.chance)
        for row in range(rows):
            found.seed(row, self.seed + row)
        found.reset(range(rows))
        months = [found.advance() for _ in range(STRIKE + self.length)]
        first = STRIKE - self.length // 2
        return months[first : first + self.length]

    def months(self) -> list[Month]:
        """State before, shocks, state after and flows of each month."""
        return _months(self)


@lru_cache(16)
def _months(world: World) -> list[Month]:
    return list(lived(world.city(), world.requested(), world.weather(), world.mode))


def lived(
    city: City, requested: Mapping[str, Tensor], weather: list[Shocks], mode: str = "pooled"
) -> Iterator[Month]:
    """State before, shocks, state after and flows of the months of some weather."""
    state = city.initial(next(iter(requested.values())).shape[0])
    for shocks in weather:
        with torch.no_grad():
            after, flows = city.step(state, requested, shocks, mode)
        yield state, shocks, after, flows
        state = after


def alike(side: str) -> Sides:
    """Every lever on one side."""
    return tuple((name, side) for name in LEVERS)


def _sides() -> st.SearchStrategy[Sides]:
    """All levers on one side, or each on its own."""
    each = st.tuples(*(st.tuples(st.just(name), st.sampled_from(SIDES)) for name in LEVERS))
    return st.sampled_from(SIDES[1:]).map(alike) | each


def worlds(**fixed: Any) -> st.SearchStrategy[World]:
    """Worlds with some fields ``fixed`` to a value or drawn from a strategy of their own."""
    drawn: dict[str, st.SearchStrategy[Any]] = {
        "seeds": st.lists(st.integers(0, 99), min_size=1, max_size=2).map(tuple),
        "districts": st.integers(3, 5),
        "traits": st.sampled_from(TRAITS),
        "precision": st.sampled_from(list(DTYPES)),
        "mode": st.sampled_from(MODES),
        "sides": _sides(),
        "seed": st.integers(0, 999),
        "sudden": st.booleans(),
        "preset": st.sampled_from(list(PRESETS)),
        "chance": st.sampled_from([0.0, 1.0]),
        "length": st.integers(3, 8),
    }
    for name, value in fixed.items():
        drawn[name] = value if isinstance(value, st.SearchStrategy) else st.just(value)
    return st.builds(World, **drawn)


def over_worlds(count: int = 5, **fixed: Any) -> Callable[[Property], Property]:
    """Decorator of a property of ``world``: bounds under each treasury, then ``count`` draws."""
    plain = {k: v for k, v in fixed.items() if not isinstance(v, st.SearchStrategy)}
    bounds = [
        World(**{"mode": mode, "seed": seed, **plain, "sides": alike(side), "sudden": True})
        for seed, (side, mode) in enumerate(product(("low", "high"), MODES))
    ]

    def decorate(test: Property) -> Property:
        for bound in bounds:
            test = example(world=bound)(test)
        decorated: Property = settings(max_examples=count)(given(world=worlds(**fixed))(test))
        return decorated

    return decorate
