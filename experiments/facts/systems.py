"""Systems of cities: many cities of different sizes that share what nature and technology give.

The first year of a city of any size is a steady state by construction, with the productivity that
this takes. Here the productivity, and the land that floor space stands on, are those of a usual
city, so that what size does to output is the model's doing: agglomeration raises it, dear floor
space lowers it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from envs import presets
from envs.city import planning
from envs.city.cities import build, with_parameters
from envs.city.model import City, CityState, Flows
from envs.city.parameters import Parameters, Value
from envs.city.shocks import no_shocks
from envs.city.sizes import PRIVATE_NAMES, TYPES
from envs.city.synthetic import PEOPLE_PER_DISTRICT, synthetic_panel
from experiments.histories import Month, Rule, policies, quiet


def strengths(**by_sector: float) -> tuple[float, ...]:
    """Productivity-density elasticities of the private sectors; none where it is not named."""
    return tuple(by_sector.get(name, 0.0) for name in PRIVATE_NAMES)


def sized_cities(
    seeds: Sequence[int],
    sizes: Tensor,
    districts: int | None = None,
    preset: str = presets.SYNTHETIC,
    overrides: Mapping[str, Value] | None = None,
    land: float = 0.0,
    sorting: Tensor | float = 0.0,
) -> City:
    """Cities of ``sizes`` ``[B]`` times the usual people, jobs, roads and services.

    Args:
        land: elasticity of a city's land to its people (0: all on the same land).
        sorting: ``[B]`` tilt towards high types per log point of size.
    """
    chosen = presets.read(preset)
    parameters = {**chosen.parameters, **(overrides or {})}
    count = districts or chosen.districts
    usual = synthetic_panel(seeds, count, spread=chosen.spread)
    larger = synthetic_panel(
        seeds,
        count,
        people=(PEOPLE_PER_DISTRICT * sizes).tolist(),
        spread=(chosen.spread * sizes ** (land / 2)).tolist(),
    )
    larger = replace(larger, people=_sorted(larger.people, torch.log(sizes), sorting))
    known = {k: v for k, v in chosen.values.items() if k not in parameters}
    reference = with_parameters(build(usual, parameters), known)
    city = with_parameters(build(larger, parameters), known)
    return _on_usual_ground(city, reference, sizes, sizes**land)


def _sorted(people: Tensor, log_size: Tensor, tilt: Tensor | float) -> Tensor:
    """People ``[B, D, K]`` with the mix of types tilted by size, district totals kept."""
    level = torch.arange(TYPES, dtype=people.dtype) - (TYPES - 1) / 2
    weight = torch.exp((log_size * tilt).reshape(-1, 1, 1) * level)
    tilted = people * weight
    return tilted * (people.sum(-1) / tilted.sum(-1)).unsqueeze(-1)


def _on_usual_ground(city: City, usual: City, sizes: Tensor, area: Tensor) -> City:
    """``city`` with the usual productivity at a density, and the usual floor costs per land.

    Floor space and rents start where they will rest, so that a history need not wait for them.
    """
    f, ground = city.fundamentals, usual.fundamentals
    column = area.unsqueeze(-1)
    eps = city.parameters.bd.eps_h
    density = (sizes / area).unsqueeze(-1)
    less = density ** (-1 / (1 + eps))
    s = city.start.planning
    return replace(
        city,
        fundamentals=replace(
            f,
            industry=replace(f.industry, spill=ground.industry.spill),
            planning=replace(
                f.planning,
                home_floor=ground.planning.home_floor * column,
                work_floor=ground.planning.work_floor * column,
            ),
        ),
        start=replace(
            city.start,
            planning=replace(
                s,
                home_floor=s.home_floor * less,
                work_floor=s.work_floor * less,
                home_pipe=s.home_pipe * less.unsqueeze(-1),
                work_pipe=s.work_pipe * less.unsqueeze(-1),
                home_rent=s.home_rent / less,
                work_rent=s.work_rent / less,
            ),
        ),
    )


def with_migration(city: City, open_rows: Tensor) -> City:
    """The same cities where nobody comes or goes but in the rows ``open_rows`` ``[B]`` (bool)."""
    values = city.parameters.values
    speed = values["chi"].expand(len(open_rows)) * open_rows
    return replace(city, parameters=Parameters(values | {"chi": speed}))


def settle(city: City, months: int, systems: Tensor, rule: Rule = quiet) -> tuple[CityState, Flows]:
    """State and flows after ``months`` in which cities of a system exchange people.

    What a type finds elsewhere is the mean over the cities of its own system, weighted by where
    the type lives: a closed system of open cities.

    Args:
        systems: ``[B]`` index of the system that each city belongs to. rule: called after
            each month.
    """
    rows = len(systems)
    policy, state = policies(city, [{}] * rows), city.initial(rows)
    like = state.planning.home_rent
    shocks = no_shocks(rows, city.districts, like)
    member = torch.nn.functional.one_hot(systems).to(like)
    for month in range(1, months + 1):
        with torch.no_grad():
            world = _elsewhere(city, state, member)
            state, flows = world.step(state, policy, shocks, "soft")
            rule(Month(month, policy, shocks, state, flows))
    return state, flows


def _elsewhere(city: City, state: CityState, member: Tensor) -> City:
    """The cities with the common utility of their system outside; ``member`` ``[B, systems]``."""
    s, f = state.planning, city.fundamentals
    _, expected = planning.location_choice(city.parameters, s.perceived, s.home_floor)
    kinds = s.people.sum(1)
    common = (member.T @ (kinds * expected)) / (member.T @ kinds)
    return replace(
        city,
        fundamentals=replace(f, planning=replace(f.planning, outside=member @ common)),
    )
