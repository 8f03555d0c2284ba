"""Stocks that levers build: one row each, for the life cycle of capital (MODEL section 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.functions import diminishing, saturate
from envs.city.levers import LEVERS, Policy
from envs.city.model import City, CityState, Flows


@dataclass(frozen=True)
class Capital:
    """One row: a stock, the levers that move it, and how.

    Attributes:
        name, unit: of the stock; ``log`` where it is kept as a logarithm, ``city_wide``
            where districts have no part of their own, ``on_roads`` where it lies on the road
            resources, which are districts or links.
        levers: that drive it; the governor of the first one owns it.
        request: what instruments in force ask for, over the first year's level.
        stock: units that stand; base: units that the first year's level keeps up, or what a
            logarithm heads for.
        rate: share of the stock that wears out and is replaced a month, before ``use``.
        share: paid over requested; None where builders pay for themselves.
        effect: starts over ``rate`` times ``base`` that a paid level brings (default: itself).
        pipe, lag: work in progress ``[B, ..., 3]`` and the parameter of its mean lag.
        use: wear over the first year's at the same stock (default: one).
        condition: index; for services the quality that residents perceive. None: unknown, or
            the stock is a condition itself (maintenance).
    """

    name: str
    levers: tuple[str, ...]
    unit: str
    request: Callable[[Policy], Tensor]
    stock: Callable[[CityState], Tensor]
    base: Callable[[City], Tensor]
    rate: Callable[[City], Tensor]
    share: Callable[[Flows], Tensor] | None = None
    effect: Callable[[City, Tensor], Tensor] | None = None
    pipe: Callable[[CityState], Tensor] | None = None
    lag: str = ""
    use: Callable[[City, Flows], Tensor] | None = None
    condition: Callable[[City, CityState], Tensor] | None = None
    log: bool = False
    city_wide: bool = False
    on_roads: bool = False

    @property
    def governor(self) -> str:
        """Who holds it."""
        return LEVERS[self.levers[0]].governor


def _lever(name: str) -> Callable[[Policy], Tensor]:
    return lambda policy: policy[name]


def _scale(governor: str) -> Callable[[Flows], Tensor]:
    return lambda f: f.settlement.scale[governor]


def _quality(c: City, s: CityState) -> Tensor:
    return s.services.quality / c.fundamentals.services.quality


def _road_use(c: City, f: Flows) -> Tensor:
    p = c.parameters.bd
    more = f.traffic.link_load - c.fundamentals.infrastructure.load
    return 1 + (1 - p.wear_fixed) * more / p.vc


def _one(c: City) -> Tensor:
    return torch.ones_like(c.fundamentals.treasury.budget)


def _yearly(name: str, rank: str) -> Callable[[City], Tensor]:
    return lambda c: getattr(getattr(c.parameters, rank), name) / 12


CAPITAL: dict[str, Capital] = {
    row.name: row
    for row in (
        Capital(
            "home_floor",
            ("far", "release", "mix"),
            "m2",
            request=lambda policy: (1 + policy["release"]) * policy["far"] * policy["mix"],
            stock=lambda s: s.planning.home_floor,
            base=lambda c: c.fundamentals.planning.home_floor,
            rate=_yearly("delta_h", "bd"),
            pipe=lambda s: s.planning.home_pipe,
            lag="lag_h",
        ),
        Capital(
            "work_floor",
            ("far", "release", "mix"),
            "m2",
            request=lambda policy: (1 + policy["release"]) * policy["far"] / policy["mix"],
            stock=lambda s: s.planning.work_floor,
            base=lambda c: c.fundamentals.planning.work_floor,
            rate=_yearly("delta_h", "bd"),
            pipe=lambda s: s.planning.work_pipe,
            lag="lag_h",
        ),
        Capital(
            "knowledge",
            ("research",),
            "log index",
            request=_lever("research"),
            stock=lambda s: s.industry.knowledge,
            base=lambda c: c.parameters.b.el_research,
            rate=lambda c: c.parameters.b.rate_know,
            share=_scale("industry"),
            effect=lambda c, paid: diminishing(paid),
            log=True,
            city_wide=True,
        ),
        Capital(
            "skill",
            ("training",),
            "log index",
            request=_lever("training"),
            stock=lambda s: s.industry.skill,
            base=lambda c: c.parameters.b.el_training,
            rate=lambda c: c.parameters.b.rate_know,
            share=_scale("industry"),
            effect=lambda c, paid: diminishing(paid),
            log=True,
            city_wide=True,
        ),
        Capital(
            "staff",
            ("staff",),
            "efficiency units",
            request=_lever("staff"),
            stock=lambda s: s.services.staff,
            base=lambda c: c.fundamentals.services.staff,
            rate=lambda c: c.parameters.bdk.rate_staff,
            share=lambda f: f.settlement.staff_scale.unsqueeze(-1),
            condition=_quality,
        ),
        Capital(
            "facilities",
            ("facilities",),
            "visits/month",
            request=_lever("facilities"),
            stock=lambda s: s.services.facilities,
            base=lambda c: c.fundamentals.services.facilities,
            rate=_yearly("delta_fac", "bdk"),
            share=lambda f: f.settlement.scale["services"].reshape(-1, 1, 1),
            pipe=lambda s: s.services.pipe,
            lag="lag_fac",
            condition=_quality,
        ),
        Capital(
            "road",
            ("road",),
            "veh-km/h",
            request=_lever("road"),
            base=lambda c: c.fundamentals.infrastructure.road,
            rate=_yearly("delta_g", "bd"),
            share=lambda f: f.settlement.scale["infrastructure"].unsqueeze(-1),
            lag="lag_g",
            condition=lambda c, s: s.infrastructure.condition,
            on_roads=True,
            stock=lambda s: s.infrastructure.road,
            pipe=lambda s: s.infrastructure.road_pipe,
        ),
        Capital(
            "maintenance",
            ("maintenance",),
            "index",
            request=_lever("maintenance"),
            stock=lambda s: s.infrastructure.condition,
            base=lambda c: torch.ones_like(c.fundamentals.infrastructure.road),
            rate=_yearly("delta_g", "bd"),
            share=lambda f: f.settlement.upkeep_scale,
            effect=lambda c, paid: saturate(
                paid, torch.ones_like(paid), c.parameters.bd.cap_upkeep
            ),
            use=_road_use,
            on_roads=True,
        ),
        Capital(
            "transit",
            ("transit",),
            "vehicles/h",
            request=_lever("transit"),
            stock=lambda s: s.infrastructure.frequency,
            base=lambda c: c.parameters.b.frequency,
            rate=lambda c: c.parameters.b.rate_transit,
            share=_scale("infrastructure"),
            city_wide=True,
        ),
        Capital(
            "renewables",
            ("renewables",),
            "index",
            request=_lever("renewables"),
            base=_one,
            rate=_yearly("delta_g", "b"),
            share=_scale("infrastructure"),
            lag="lag_g",
            stock=lambda s: s.infrastructure.clean,
            pipe=lambda s: s.infrastructure.clean_pipe,
            city_wide=True,
        ),
        Capital(
            "retrofit",
            ("retrofit",),
            "index",
            request=_lever("retrofit"),
            base=_one,
            rate=_yearly("delta_g", "b"),
            share=_scale("infrastructure"),
            lag="lag_g",
            stock=lambda s: s.infrastructure.retrofit,
            pipe=lambda s: s.infrastructure.retrofit_pipe,
            city_wide=True,
        ),
    )
}
