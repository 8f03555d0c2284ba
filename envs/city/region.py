"""A metropolitan region in two levels: districts of a city that are themselves cities.

The whole tells a part who lives there, what taxes and transfers are in force, what its treasury
can pay, and what the world does. A part tells the whole how good life in it is, type by type:
its homes, its commutes, its services and its air replace what the whole assumed of that
district. Both are ordinary cities; the levels meet at ports (MODEL sections 10 and 11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from envs.city import tree, welfare
from envs.city.cities import build
from envs.city.levers import LEVERS, SHAPES
from envs.city.model import City, CityState, Flows
from envs.city.panel import Panel
from envs.city.parameters import Parameters
from envs.city.ports import Settlement, Value
from envs.city.shocks import SHOCKS, Shocks, no_shocks
from envs.city.synthetic import synthetic_panel
from envs.city.wiring import Held

_CLOSE = 1e-3


@dataclass(frozen=True)
class RegionState:
    """State of the whole, of each part by district, and what the treasury paid last month."""

    whole: CityState
    parts: dict[int, CityState]
    settlement: Settlement


@dataclass(frozen=True)
class RegionFlows:
    """Ports of the month on both levels."""

    whole: Flows
    parts: dict[int, Flows]


@dataclass(frozen=True)
class Part:
    """A city inside a district, and how good life in it was at first: utility and welfare by
    type ``[b, K]``."""

    city: City
    utility: Tensor
    welfare: Tensor


def inner_panel(whole: City, district: int, districts: int, seed: int = 0) -> Panel:
    """A made-up first year of a district's inside: its people and land, spread like a city.

    Jobs per resident are those of the whole, since a part employs its own residents.

    Args:
        district: index in the whole. districts: number of districts inside.
    """
    people = whole.start.planning.people
    drawn = synthetic_panel([seed], districts, people.dtype)
    land = whole.geography.land[:, district]
    share = drawn.people / drawn.people.sum(1, keepdim=True)
    wanted = people[:, district].unsqueeze(1)
    jobs = (whole.start.industry.employed * whole.fundamentals.industry.heads).sum(-1)
    per_head = jobs / people.sum((1, 2))
    size = (land / drawn.land.sum(-1)).sqrt()
    return Panel(
        xy=drawn.xy * size.reshape(-1, 1, 1),
        land=drawn.land / drawn.land.sum(-1, keepdim=True) * land.unsqueeze(-1),
        people=share * wanted,
        jobs=drawn.jobs
        / drawn.jobs.sum(-1, keepdim=True)
        * (per_head * wanted.sum((1, 2))).unsqueeze(-1),
        sectors=drawn.sectors,
    )


class Region:
    """A city some of whose districts are cities."""

    def __init__(self, whole: City, panels: Mapping[int, Panel]) -> None:
        """Calibrate the parts.

        Args:
            panels: first year inside a district, by the district's index.

        Raises:
            ValueError: an unknown district, or people of a panel that are not those of its
                district (by type, to one in a thousand); all in one message.
        """
        people = whole.start.planning.people
        problems = []
        for district, panel in panels.items():
            if not 0 <= district < whole.districts:
                problems.append(f"district {district}: expected 0 to {whole.districts - 1}")
                continue
            inside, outside = panel.people.sum(1), people[:, district]
            if bool(((inside / outside - 1).abs() > _CLOSE).any()):
                problems.append(
                    f"district {district}: {float(inside.sum()):,.0f} people inside by type are "
                    f"not its {float(outside.sum()):,.0f}"
                )
        if problems:
            raise ValueError("; ".join(problems))
        self.whole = whole
        like = whole.start.planning.home_rent
        quiet = no_shocks(like.shape[0], like.shape[1], like)
        self._first = whole.step(whole.start, {}, quiet, "soft")[1].value
        self.parts = {district: self._part(panel) for district, panel in panels.items()}

    def _part(self, panel: Panel) -> Part:
        """A part under the parameters of the whole, which alone decides who comes and goes."""
        shared = self.whole.parameters
        city = build(panel)
        kept = {"wage", "mobility"}
        values = {k: v for k, v in shared.values.items() if k not in kept}
        values |= {k: city.parameters.values[k] for k in kept}
        city = replace(
            city, parameters=Parameters(values | {"chi": torch.zeros_like(values["chi"])})
        )
        like = city.start.planning.home_rent
        quiet = no_shocks(like.shape[0], like.shape[1], like)
        _, flows = city.step(city.start, {}, quiet, "soft")
        return Part(city, *_living(city, flows))

    def initial(self, rows: int | None = None) -> RegionState:
        """First state of both levels."""
        state = self.whole.initial(rows)
        like = state.planning.home_rent
        _, flows = self.whole.step(state, {}, no_shocks(like.shape[0], like.shape[1], like))
        count = like.shape[0]
        parts = {d: part.city.initial(count) for d, part in self.parts.items()}
        return RegionState(state, parts, flows.settlement)

    def step(
        self,
        state: RegionState,
        requested: Mapping[str, Tensor],
        shocks: Shocks,
        inside: Mapping[int, Mapping[str, Tensor]] | None = None,
        mode: str = "pooled",
    ) -> tuple[RegionState, RegionFlows]:
        """Advance both levels one month.

        Args:
            requested: levers of the whole ``[B, ...]``.
            inside: by district, its district levers in detail ``[B, d, ...]`` (d districts
                inside); the whole pays their mean by residents. Levers that are absent follow
                the whole.
        """
        detail = inside or {}
        asked = self._joined(requested, state, detail)
        parts, part_flows = {}, {}
        for district, part in self.parts.items():
            parts[district], part_flows[district] = self._inside(
                part, district, state, asked, detail.get(district, {}), shocks
            )
        held = {"value": Held(lambda ports: self._valued(ports, shocks, part_flows))}
        whole, flows = self.whole.step(state.whole, asked, shocks, mode, held=held)
        return RegionState(whole, parts, flows.settlement), RegionFlows(flows, part_flows)

    def _joined(
        self,
        requested: Mapping[str, Tensor],
        state: RegionState,
        detail: Mapping[int, Mapping[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Levers of the whole with the means of what its parts ask for inside."""
        asked = dict(requested)
        for district, levers in detail.items():
            people = state.parts[district].planning.people.sum(-1)
            for name, value in levers.items():
                weight = people / people.sum(-1, keepdim=True)
                mean = (value * weight.reshape(*weight.shape, *(1,) * (value.dim() - 2))).sum(1)
                wide = asked.get(name, state.whole.treasury.policy[name]).clone()
                wide[:, district] = mean
                asked[name] = wide
        return asked

    def _inside(
        self,
        part: Part,
        district: int,
        state: RegionState,
        asked: Mapping[str, Tensor],
        detail: Mapping[str, Tensor],
        shocks: Shocks,
    ) -> tuple[CityState, Flows]:
        """One month of a part: people as the whole counts them, paid by the one treasury."""
        inner, count = state.parts[district], part.city.districts
        levers = {
            name: _spread(value, district, count) if "D" in SHAPES[LEVERS[name].shape] else value
            for name, value in asked.items()
        } | dict(detail)
        residents = inner.planning.people.sum(1)
        world = no_shocks(residents.shape[0], count, inner.planning.home_rent)
        for name, shock in SHOCKS.items():
            if not shock.axis:
                world[name] = shocks[name]
            elif shock.axis == "district":
                world[name] = shocks[name][:, district : district + 1].expand(-1, count)
        world["arrivals"] = state.whole.planning.people[:, district] / residents - 1
        everyone = state.whole.planning.people.sum((1, 2))
        paid = _share(state.settlement, residents.sum(-1) / everyone, district, count)
        return part.city.step(inner, levers, world, "soft", held={"settlement": Held(paid)})

    def _valued(
        self, ports: Mapping[str, Any], shocks: Shocks, part_flows: Mapping[int, Flows]
    ) -> Value:
        """Worth of the districts, those that are cities by what life in them is like."""
        value = self.whole.worth(ports, shocks)
        utility, lived = value.utility.clone(), value.welfare.clone()
        for district, flows in part_flows.items():
            part = self.parts[district]
            now, felt = _living(part.city, flows)
            utility[:, district] = self._first.utility[:, district] + now - part.utility
            lived[:, district] = self._first.welfare[:, district] + felt - part.welfare
        return replace(value, utility=utility, welfare=lived)


def _living(city: City, flows: Flows) -> tuple[Tensor, Tensor]:
    """Expected utility by type ``[B, K]`` as people decide and as they experience it."""
    people, floor = flows.residents.people, flows.residents.home_floor
    decided, felt = (
        welfare.expected_utility(city.parameters, utility, people, floor)
        for utility in (flows.value.utility, flows.value.welfare)
    )
    return decided, felt


def _spread(value: Tensor, district: int, count: int) -> Tensor:
    """A district lever ``[B, D, ...]`` of one district, for each district inside it."""
    return value[:, district : district + 1].expand(-1, count, *value.shape[2:])


def _share(paid: Settlement, share: Tensor, district: int, count: int) -> Settlement:
    """What the treasury of the whole pays inside a district that holds ``share`` ``[B]`` of all
    residents: the same share of every request, and its part of the public accounts."""
    part = tree.tree_map(lambda x: x * share if x.dim() == 1 else x, paid)
    return replace(
        part,
        scale=paid.scale,
        staff_scale=_spread(paid.staff_scale, district, count),
        upkeep_scale=_spread(paid.upkeep_scale, district, count),
    )
