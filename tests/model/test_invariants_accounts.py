"""Invariants 1 to 4 of MODEL section 13: people, money, floor, roads and land are accounted for.

Each is a property over cities, batches, number formats, treasuries, weather and actions, those
at the bounds of every lever first (``tests.model.worlds``).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from envs.city import planning
from envs.city.accounts import ACCOUNTS, accounts
from envs.city.model import City
from envs.city.parameters import TABLE, Parameters
from tests.model.worlds import World, lived, over_worlds

REVENUE = (
    "income_tax",
    "business_tax",
    "property_tax",
    "fares",
    "tolls",
    "fees",
    "land_sales",
    "grant",
)


def relative(gap: Tensor, size: Tensor) -> float:
    """Largest gap over size."""
    return float((gap.abs() / size.abs()).max())


def closed(city: City) -> City:
    """The same city with nobody moving in or out, nobody born and nobody gone."""
    values = dict(city.parameters.values)
    for name in ("chi", "birth_rate", "death_rate"):
        values[name] = torch.zeros_like(values[name])
    f = city.fundamentals
    still = replace(f.planning, replacement=torch.zeros_like(f.planning.replacement))
    return replace(city, parameters=Parameters(values), fundamentals=replace(f, planning=still))


@over_worlds()
def test_invariant_1_a_closed_city_keeps_its_people(world: World) -> None:
    """Invariant 1: they move, rise and fall, by plan and by chance, and none is lost."""
    city = closed(world.city())
    weather = [month | {"arrivals": 0 * month["arrivals"]} for month in world.weather()]
    everyone = city.initial().planning.people.sum((1, 2))
    for _, _, after, _ in lived(city, world.requested(), weather, world.mode):
        now = after.planning.people.sum((1, 2))
        assert relative(now - everyone, everyone) < world.close(1e-12, 1e-6)
    assert not torch.equal(after.planning.people, city.initial().planning.people)


@over_worlds()
def test_invariant_1_people_change_by_net_migration_births_and_deaths_alone(world: World) -> None:
    """Invariant 1: total people less those that arrive on net are those that were there."""
    city = world.city()
    p, f = city.parameters, city.fundamentals.planning
    natural = (p.values["birth_rate"] - p.values["death_rate"]) / 12
    for before, shocks, after, flows in world.months():
        everyone, floor = before.planning.people.sum(1), before.planning.home_floor
        _, value = planning.location_choice(p, after.planning.perceived, floor)
        lure = value + flows.market.pull - f.outside - shocks["outside"].unsqueeze(-1)
        arrived = 0.02 * 0.25 * torch.tanh(lure / 0.25) + f.replacement + shocks["arrivals"]
        expected = (everyone * (1 + arrived) * (1 + natural)).sum(-1)
        found = after.planning.people.sum((1, 2))
        assert relative(found - expected, expected) < world.close(1e-12, 1e-6)


@over_worlds()
def test_invariant_2_every_account_closes(world: World) -> None:
    """Invariant 2: what each account of the social accounting matrix receives, it pays.

    Residents earn the wages that are paid; sales are wages, floor rent and profit.
    """
    city, close = world.city(), world.close(1e-12, 1e-5)
    for before, shocks, _, flows in world.months():
        gap = accounts(city, before, flows, shocks, world.mode).gap.abs().amax(0)
        worst = dict(zip(ACCOUNTS, gap.tolist(), strict=True))
        assert float(gap.max()) < close, worst
        paid = flows.market.wages.sum((1, 2))
        earned = (before.planning.people * flows.income.gross).sum((1, 2))
        assert relative(earned - paid, paid) < close
        sold = flows.market.sales.sum(-1)
        shares = (flows.market.wages[..., :3] + flows.market.profit).sum(-1)
        assert relative(shares + flows.market.floor - sold, sold) < close


@over_worlds()
def test_invariant_2_the_treasury_balances(world: World) -> None:
    """Invariant 2: debt grows by what is spent, not earned, and no request is paid in excess."""
    close = world.close(1e-12, 1e-5)
    paid = None
    for before, _, after, flows in world.months():
        account, lines = flows.settlement, flows.settlement.lines
        spent = [v for k, v in lines.items() if k not in (*REVENUE, "interest")]
        assert relative(torch.stack(spent).sum(0) - account.spending, account.spending) < close
        earned = torch.stack([lines[name] for name in REVENUE]).sum(0)
        assert relative(earned - account.revenue, account.revenue) < close
        owed = before.treasury.debt + account.spending + lines["interest"] - account.revenue
        if world.mode == "soft":
            owed = before.treasury.debt
        assert relative(after.treasury.debt - owed, account.revenue + owed.abs()) < close
        assert bool(torch.stack(list(account.scale.values())).le(2 ** (1 / 100) + close).all())
        if paid is not None:
            assert torch.equal(flows.fiscal.dividend, paid), "paid this month, received the next"
        paid = lines["dividend"]


@over_worlds()
def test_invariant_3_floor_space_is_built_or_worn(world: World) -> None:
    """Invariant 3: stock and pipeline of homes and workplaces change by starts less wear."""
    wear, lag = 0.02 / 12, 18
    for before, shocks, after, _ in world.months():
        for column, kind in enumerate(("home", "work")):
            floor, pipe = (getattr(before.planning, f"{kind}_{x}") for x in ("floor", "pipe"))
            now, later = (getattr(after.planning, f"{kind}_{x}") for x in ("floor", "pipe"))
            starts = later[..., 0] - pipe[..., 0] * (1 - 3 / lag)
            luck = torch.exp(shocks["building_noise"][..., column].clamp_min(0))
            most = 8 * wear * floor * luck
            assert bool((starts >= -world.close(1e-12, 1e-6) * floor).all())
            assert bool((starts <= most).all())
            change = now + later.sum(-1) - floor - pipe.sum(-1)
            assert relative(change - (starts - wear * floor), floor) < world.close(1e-12, 1e-6)


@over_worlds()
def test_invariant_3_roads_and_facilities_are_paid_for_or_worn(world: World) -> None:
    """Invariant 3: stock and pipeline change by what is asked for times what is paid of it."""
    f = world.city().fundamentals
    close = world.close(1e-12, 1e-6)
    for before, _, after, flows in world.months():
        scale, asked = flows.settlement.scale, after.treasury.policy
        wear = TABLE["delta_g"].default / 12
        was, now = before.infrastructure, after.infrastructure
        starts = wear * f.infrastructure.road * asked["road"] * scale["infrastructure"][:, None]
        change = now.road + now.road_pipe.sum(-1) - was.road - was.road_pipe.sum(-1)
        assert relative(change - (starts - wear * was.road), was.road) < close
        wear = TABLE["delta_fac"].default / 12
        old, new = before.services, after.services
        paid = asked["facilities"] * scale["services"][:, None, None]
        starts = wear * f.services.facilities * paid
        change = new.facilities + new.pipe.sum(-1) - old.facilities - old.pipe.sum(-1)
        assert relative(change - (starts - wear * old.facilities), old.facilities) < close


@over_worlds()
def test_invariant_4_uses_and_free_land_are_all_the_land(world: World) -> None:
    """Invariant 4: whatever is released and built; no use and no free land below zero.

    Roads and facilities start anywhere between a third and ten times the first year's.
    """
    city = world.city()
    generator = torch.Generator().manual_seed(world.seed)
    start = city.initial()
    factor = torch.exp(3.4 * torch.rand(len(world.seeds), 1, generator=generator) - 1.1)
    grown = factor.to(world.dtype)
    roads, services = start.infrastructure, start.services
    start = replace(
        start,
        infrastructure=replace(roads, road=grown * roads.road),
        services=replace(services, facilities=grown.unsqueeze(-1) * services.facilities),
    )
    city = replace(city, start=start)
    for _, _, _, flows in lived(city, world.requested(), world.weather(), world.mode):
        land = flows.land
        uses = (land.homes, land.works, land.facilities, land.roads)
        total = torch.stack([*uses, land.free]).sum(0)
        whole = city.geography.land.expand_as(total)
        assert relative(total - whole, whole) < world.close(1e-12, 1e-6)
        assert all(bool((use > 0).all()) for use in uses)
        assert bool((land.free >= -world.close(1e-12, 1e-6) * whole).all())
