"""Members of the twin: a city each, with drawn parameters, and a world that drifts.

Shapes: N members, D districts, V observed series. All float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from envs.city import tree
from envs.city.inversion import Panel, invert
from envs.city.levers import baseline_policy
from envs.city.model import City, CityState
from envs.city.parameters import TABLE, Parameters, Value
from envs.city.shocks import Shocks, no_shocks
from envs.twin.operators import OPERATORS
from envs.twin.settings import Process, TwinSettings


@dataclass(frozen=True)
class World:
    """Exogenous levels (logs) and yearly drifts of every member.

    productivity, amenity and their drifts: ``[N, D]``; outside, floor_cost, price_level and
    drifts: ``[N]``; common and its drift: ``[N, V]``, local: ``[N, V, D]``: what the model
    does not explain of each series.
    """

    productivity: Tensor
    productivity_drift: Tensor
    amenity: Tensor
    amenity_drift: Tensor
    outside: Tensor
    outside_drift: Tensor
    floor_cost: Tensor
    floor_cost_drift: Tensor
    price_level: Tensor
    price_level_drift: Tensor
    common: Tensor
    common_drift: Tensor
    local: Tensor

    def shocks(self) -> Shocks:
        """The levels as shocks of a month."""
        rows, districts = self.productivity.shape
        quiet = no_shocks(rows, districts, self.productivity)
        return quiet | {
            "productivity": self.productivity,
            "amenity": self.amenity,
            "outside": self.outside,
            "floor_cost": self.floor_cost,
        }


@dataclass(frozen=True)
class Members:
    """An ensemble at a moment: calibrations, states, worlds, and the end of its year."""

    city: City
    state: CityState
    world: World
    year: int

    @property
    def count(self) -> int:
        """Number of members N."""
        return self.world.outside.shape[0]

    def take(self, index: Tensor) -> Members:
        """Chosen members."""
        return Members(
            self.city.select(index),
            tree.take(self.state, index),
            tree.take(self.world, index),
            self.year,
        )


def draw_parameters(
    settings: TwinSettings, centre: Mapping[str, Value], generator: Generator
) -> Parameters:
    """Parameters of ``settings.members`` members around ``centre``.

    Positive rates, gains and elasticities are log-normal around the default and kept inside
    the table's range; parameters of the neutral prior keep their sign and are log-normal
    around the city's solution.
    """

    def noise(size: tuple[int, ...]) -> Tensor:
        shape = (settings.members, *size)
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    return spread_around(Parameters.default(centre), noise, settings.widths())


def spread_around(
    base: Parameters,
    noise: Callable[[tuple[int, ...]], Tensor],
    widths: Mapping[str, float],
) -> Parameters:
    """Log-normal draws around ``base``, a row each.

    Args:
        noise: standard normal numbers ``[rows, *size]``. widths: standard deviations of the logs
            of the parameters that are drawn (``TwinSettings.widths``).
    """
    drawn: dict[str, Tensor] = {}
    for name, width in widths.items():
        parameter, value = TABLE[name], base.values[name]
        sample = value * torch.exp(width * noise(tuple(value.shape[1:])))
        if not parameter.solved:
            sample = sample.clamp(parameter.low, parameter.high)
        drawn[name] = sample
    for name in ("w_facility", "cond_speed"):
        drawn[name] = drawn[name].clamp(0.001, 0.9)
    drawn["kappa_w"] = base.values["kappa_w"].expand_as(drawn["kappa_w"]).clone()
    return base.replace(drawn)


def found(
    panel: Panel,
    year: int,
    settings: TwinSettings,
    centre: Mapping[str, Value],
    series: tuple[str, ...],
) -> Members:
    """The ensemble at the end of the package's first year, each member in its own steady state."""
    generator = torch.Generator().manual_seed(settings.seed)
    parameters = draw_parameters(settings, centre, generator)
    with torch.no_grad():
        single = invert(panel, Parameters.default(centre))
        rows = tree.expand(panel, settings.members)
        city = invert(rows, parameters)
    city = replace(city, geography=single.geography)
    n, districts = city.start.planning.home_rent.shape

    def draw(process: Process, *shape: int) -> Tensor:
        noise = torch.randn(n, *shape, dtype=torch.float64, generator=generator)
        return process.trend + process.spread * noise

    zero = torch.zeros(n, dtype=torch.float64)
    zeros = torch.zeros(n, districts, dtype=torch.float64)
    trends = torch.tensor([settings.series[name].trend for name in series], dtype=torch.float64)
    unexplained = torch.randn(n, len(series), dtype=torch.float64, generator=generator) * trends
    common_productivity = draw(settings.city["productivity"]).unsqueeze(-1)
    world = World(
        productivity=zeros,
        productivity_drift=common_productivity + draw(settings.district_productivity, districts),
        amenity=zeros,
        amenity_drift=draw(settings.district_amenity, districts),
        outside=zero,
        outside_drift=draw(settings.city["outside"]),
        floor_cost=zero,
        floor_cost_drift=draw(settings.city["floor_cost"]),
        price_level=zero,
        price_level_drift=draw(settings.city["price_level"]),
        common=torch.zeros(n, len(series), dtype=torch.float64),
        common_drift=unexplained,
        local=torch.zeros(n, len(series), districts, dtype=torch.float64),
    )
    return Members(city, city.start, world, year)


def drift(
    world: World, settings: TwinSettings, series: tuple[str, ...], generator: Generator
) -> World:
    """The world one month later: drifts and random walks."""
    month, root = 1 / 12, (1 / 12) ** 0.5

    def walk(level: Tensor, size: float | Tensor) -> Tensor:
        noise = torch.randn(level.shape, dtype=level.dtype, generator=generator)
        scaled: Tensor = root * size * noise
        return level + scaled

    rows = [settings.series[name] for name in series]
    common = torch.tensor([row.common for row in rows], dtype=world.common.dtype)
    local = torch.tensor([row.local for row in rows], dtype=world.common.dtype)
    shared = walk(torch.zeros_like(world.outside), settings.city["productivity"].walk)
    city = settings.city
    return replace(
        world,
        productivity=walk(
            world.productivity + month * world.productivity_drift,
            settings.district_productivity.walk,
        )
        + shared.unsqueeze(-1),
        amenity=walk(world.amenity + month * world.amenity_drift, settings.district_amenity.walk),
        outside=walk(world.outside + month * world.outside_drift, city["outside"].walk),
        floor_cost=walk(world.floor_cost + month * world.floor_cost_drift, city["floor_cost"].walk),
        price_level=walk(
            world.price_level + month * world.price_level_drift, city["price_level"].walk
        ),
        common=walk(world.common + month * world.common_drift, common),
        local=walk(world.local, local.unsqueeze(-1)),
    )


def base_quantities(members: Members, series: tuple[str, ...]) -> Tensor:
    """Log model quantities of the first year ``[N, V, D]``."""
    with torch.no_grad():
        like = members.world.productivity
        quiet = no_shocks(like.shape[0], like.shape[1], like)
        _, flows = members.city.step(members.city.start, {}, quiet)
        return torch.stack(
            [
                torch.log(OPERATORS[name].quantity(members.city, members.city.start, flows))
                for name in series
            ],
            1,
        )


@torch.no_grad()
def advance_year(
    members: Members,
    settings: TwinSettings,
    series: tuple[str, ...],
    generator: Generator,
    requested: Mapping[str, Tensor] | None = None,
) -> tuple[Members, Tensor]:
    """Twelve months on.

    Args:
        requested: levers in physical units ``[N, ...]``; default today's.

    Returns:
        The members and the year's mean of each log series against the first year
        ``[N, V, D]``, everything that a series carries included.
    """
    state, world, city = members.state, members.world, members.city
    policy = requested
    if policy is None:
        policy = baseline_policy(members.count, city.districts, torch.float64)
    total = torch.zeros_like(world.local)
    nominal = torch.tensor([float(OPERATORS[name].nominal) for name in series], dtype=torch.float64)
    for _ in range(12):
        world = drift(world, settings, series, generator)
        before = state
        state, flows = city.step(state, policy, world.shocks())
        quantities = torch.stack(
            [torch.log(OPERATORS[name].quantity(city, before, flows)) for name in series], 1
        )
        carried = world.common + nominal * world.price_level.unsqueeze(-1)
        total = total + quantities + carried.unsqueeze(-1) + world.local
    return Members(city, state, world, members.year + 1), total / 12
