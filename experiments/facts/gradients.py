"""Density and rent fall with the distance to the jobs, though nothing but jobs is placed.

A featureless plain: people, floor space, amenities and building costs are spread evenly over the
land of synthetic cities; only jobs are where they are. A century later homes and rents show what
access is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs import presets
from envs.city.cities import build, with_parameters
from envs.city.model import City
from envs.city.synthetic import synthetic_panel
from experiments.facts import plots
from experiments.facts.fact import Fact, Measure, Size, Tick
from experiments.histories import history, policies

_CITIES = 4
_YEARS = 100


@dataclass(frozen=True)
class Gradient:
    """Slopes of log density per km and of log rent per minute ``[B]``, and what they fit:

    distance ``[B, D]`` km and drive ``[B, D]`` minutes to the jobs, density and rent ``[B, D]``
    in logs from their mean.
    """

    density_slope: Tensor
    rent_slope: Tensor
    distance: Tensor
    drive: Tensor
    density: Tensor
    rent: Tensor


def plain(seeds: range, districts: int) -> City:
    """Synthetic cities on a featureless plain: people by land, all districts alike but for jobs."""
    panel = synthetic_panel(seeds, districts)
    mix = panel.people.sum(1, keepdim=True)
    share = panel.land / panel.land.sum(1, keepdim=True)
    city = with_parameters(
        build(replace(panel, people=share.unsqueeze(-1) * mix)),
        presets.read(presets.SYNTHETIC).values,
    )
    f = city.fundamentals.planning
    alike = replace(
        f,
        amenity=_everywhere_the_mean(f.amenity),
        home_cost=_everywhere_the_mean(f.home_cost),
        work_cost=_everywhere_the_mean(f.work_cost),
    )
    return replace(city, fundamentals=replace(city.fundamentals, planning=alike)).to(torch.float32)


def _everywhere_the_mean(values: Tensor) -> Tensor:
    """``values`` ``[B, D, ...]`` evened out over districts."""
    return values.mean(1, keepdim=True).expand_as(values).clone()


def slope(up: Tensor, across: Tensor) -> Tensor:
    """Least-squares slope ``[B]`` of ``up`` on ``across``, both ``[B, D]`` from their means."""
    return (up * across).sum(-1) / (across**2).sum(-1)


def _centred(values: Tensor) -> Tensor:
    return values - values.mean(-1, keepdim=True)


def gradient(city: City, years: int, tick: Tick) -> Gradient:
    """Gradients after ``years``."""
    policy = policies(city, [{}] * city.rows)
    *_, (_, _, flows) = history(city, policy, 12 * years)
    tick()
    weight = flows.market.jobs / flows.market.jobs.sum(-1, keepdim=True)
    xy = city.geography.xy
    centre = (xy * weight.unsqueeze(-1)).sum(1, keepdim=True)
    distance = (xy - centre).norm(dim=-1)
    drive = (flows.roads.car_time * weight.unsqueeze(1)).sum(-1)
    density = _centred(torch.log(flows.residents.people.sum(-1) / city.geography.land))
    rent = _centred(torch.log(flows.residents.home_rent))
    return Gradient(
        density_slope=slope(density, _centred(distance)),
        rent_slope=slope(rent, _centred(drive)),
        distance=distance,
        drive=drive,
        density=density,
        rent=rent,
    )


def theory(city: City) -> float:
    """Log rent per minute with one job centre, one mode and fixed incomes (MODEL section 15.2)."""
    p = city.parameters.b
    scale, kappa = float(p.mu_r), float(p.ke / p.eps)
    return -kappa * scale / (1 + scale * float(p.housing_share))


def fact(size: Size, tick: Tick) -> Fact:
    """Density and rent gradients."""
    years = size.horizon(_YEARS) // 12
    city = plain(range(_CITIES), size.places)
    found = gradient(city, years, tick)
    rent = 100 * float(found.rent_slope.mean())
    return Fact(
        key="gradients",
        title="Density and rent gradients",
        question="Cities are denser and dearer near their jobs.",
        experiment=(
            f"{_CITIES} synthetic cities of {size.places} districts on a featureless plain: "
            "people, floor space, amenities and building costs spread evenly, jobs as drawn; "
            f"{years} years without policy or shock. Nothing of the gradients is put in."
        ),
        measures=(
            Measure(
                "log density per km from the jobs",
                float(found.density_slope.mean()),
                high=0.0,
                digits=3,
            ),
            Measure("rent per minute of mean drive to the jobs", rent, -4.0, -1.0, "%"),
            Measure(
                "the same with one centre, one mode, fixed incomes: closed form",
                100 * theory(city),
                unit="%",
            ),
        ),
        remarks=(
            f"Over the {_CITIES} cities the rent gradient lies between "
            f"{100 * float(found.rent_slope.min()):.2f} and "
            f"{100 * float(found.rent_slope.max()):.2f} % a minute. It is a little flatter than "
            "the closed form: people reach many centres, and by transit and on foot as well.",
        ),
        picture=_picture(found),
        caption="One dot a district; lines are least squares over all cities.",
    )


def _picture(found: Gradient) -> bytes:
    figure, panels = plots.canvas()
    for panel, across, up, colour in (
        (panels[0], found.distance, found.density, plots.BLUE),
        (panels[1], found.drive, found.rent, plots.GREEN),
    ):
        level = across - across.mean(-1, keepdim=True) + across.mean()
        panel.scatter(level.flatten(), up.flatten(), s=9, color=colour, alpha=0.6, linewidths=0)
        steep = float(slope(up.flatten(), (level - level.mean()).flatten()))
        ends = torch.stack([level.min(), level.max()])
        panel.plot(ends, steep * (ends - level.mean()), color=plots.GREY, linewidth=1.5)
    plots.label(panels[0], "density", "km from the jobs' centre", "log of people per km²")
    plots.label(panels[1], "rent", "minutes of mean drive to the jobs", "log of rent")
    return plots.png(figure)
