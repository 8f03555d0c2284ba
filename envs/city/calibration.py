"""First state and fundamentals of every block, from the economy of the first year.

Each function takes what is known of the first month and returns the block as it must be for
nothing to move. Amenities and the grant, which need a whole month, are set in ``inversion``.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from envs.city import (
    energy,
    industry,
    infrastructure,
    planning,
    tags,
    travel,
)
from envs.city.functions import FLOOR, erlang_steady, mix, pull, push
from envs.city.geography import Geography
from envs.city.panel import Economy, Panel
from envs.city.parameters import Parameters
from envs.city.ports import Commute, Fiscal, JobOffers, Market, Residents, Roads, Shopping
from envs.city.roads import Reservoirs
from envs.city.shocks import no_shocks
from envs.city.sizes import LOCAL, MANUFACTURING

_FURNESS = 400
_ROUNDS, _SWEEPS = 2000, 10
_FIRST_STEP, _SETTLED = 0.5, 1e-12


def first_roads(
    g: Geography, p: Parameters, like: Tensor, load: Tensor
) -> tuple[Roads, Tensor, Tensor]:
    """Level of service at a load ``[b, L]``, pace ``[b, L]`` and frequency ``[b]``."""
    ones = torch.ones_like(like)
    pace = infrastructure.congested_pace(g.roads, p, torch.ones_like(load), load)
    free = torch.zeros_like(load)
    chosen = g.roads.choose(p, pace, free, free[:, 0])
    frequency = p.b.frequency.expand(like.shape[0]).clone()
    roads = Roads(
        car_time=chosen.time,
        car_cost=chosen.cost,
        car_toll=chosen.toll,
        shares=chosen.shares,
        transit_time=infrastructure.transit_times(g, p, frequency, torch.ones_like(frequency)),
        index=ones,
        stock=ones,
        frequency=torch.zeros_like(frequency),
    )
    return roads, pace, frequency


def first_load(
    e: Economy,
    f: travel.TravelFundamentals,
    g: Geography,
    p: Parameters,
    residents: Residents,
    fiscal: Fiscal,
    fare: Tensor,
) -> Tensor:
    """Volume over capacity ``[b, L]`` of the first month.

    Reservoirs all have the assumed load. On a link network capacities are known up to their
    scale, so that loads, times, routes and commutes are found together.

    Raises:
        ValueError: they do not settle.
    """
    like = e.money.unsqueeze(-1)
    load = p.bd.vc * like.new_ones(like.shape[0], g.roads.count)
    if isinstance(g.roads, Reservoirs):
        return load
    homes = residents.home_floor
    quiet = no_shocks(homes.shape[0], homes.shape[1], homes)
    workplace, step, before = None, _FIRST_STEP, torch.inf
    for _ in range(_ROUNDS):
        roads, _, _ = first_roads(g, p, homes, load)
        offers, workplace = first_offers(
            e, f, p, roads, residents.people, fiscal.keep_income, fare, workplace, _SWEEPS
        )
        commuting = travel.commute(f, g, p, roads, offers, residents, fiscal, quiet)
        traffic = first_traffic(g, p, roads, commuting)
        target = traffic / g.roads.first_capacity(p, traffic)
        gap = float((target - load).abs().max())
        if gap < _SETTLED:
            return target
        step = min(_FIRST_STEP, 1.1 * step) if gap < before else step / 2
        load, before = load + step * (target - load), gap
    raise ValueError(f"the first traffic on the network does not settle: loads move by {gap:.2g}")


def first_traffic(g: Geography, p: Parameters, roads: Roads, commuting: Commute) -> Tensor:
    """Vehicle-km ``[b, L]`` of the first month, other trips and goods included."""
    work = infrastructure.commute_vehicle_km(g, p, roads.shares, commuting.car)
    return work * (1 + p.bd.nonwork) / (1 - p.bd.freight)


def _furness(
    f: travel.TravelFundamentals,
    p: Parameters,
    road_kernel: Tensor,
    transit_kernel: Tensor,
    fare_factor: Tensor,
    match: Tensor,
    demand: Tensor,
    people: Tensor,
    net: Tensor,
    start: Tensor | None,
    sweeps: int,
) -> Tensor:
    """Workplace constants ``[b, D, S]`` that make labour supply equal demand in every market.

    ``road_kernel`` sums the kernels of car and active modes (no toll in the first year);
    ``net`` is the pay term of the attraction.
    """
    workplace = torch.ones_like(demand) if start is None else start
    size = (demand / demand.sum((1, 2)).reshape(-1, 1, 1)) ** p.bdk.size_jobs
    for _ in range(sweeps):
        weights = (workplace * size * net).unsqueeze(2) * match.unsqueeze(1)
        attraction = weights.sum(-1)
        phi = pull(road_kernel, attraction) + pull(transit_kernel, attraction * fare_factor)
        n = f.participation.reshape(-1, 1, 1) * people / phi
        reached = push(road_kernel, n) + fare_factor * push(transit_kernel, n)
        workers = attraction * reached * p.bdk.efficiency
        supply = (workers.unsqueeze(-1) * weights / attraction.unsqueeze(-1)).sum(2)
        workplace = workplace * demand / supply.clamp_min(FLOOR)
        workplace = workplace / (workplace * size).sum((1, 2), keepdim=True)
    return workplace


def first_offers(
    e: Economy,
    f: travel.TravelFundamentals,
    p: Parameters,
    roads: Roads,
    people: Tensor,
    keep_income: Tensor,
    fare: Tensor,
    start: Tensor | None = None,
    sweeps: int = _FURNESS,
) -> tuple[JobOffers, Tensor]:
    """Jobs at which every sector of every district is staffed, and the constants ``[b, D, S]``.

    start: constants to improve on in some ``sweeps``; default: none, as many as it takes.
    """
    match = tags.first_affinity(p)
    finding = e.frictional.reshape(-1, 1, 1).expand_as(e.demand)
    net = (e.wages * finding * (keep_income / e.city_wage).reshape(-1, 1, 1)) ** p.bdk.eps
    constant = p.bd.mode_constant[:, 1].reshape(-1, 1, 1)
    workplace = _furness(
        f,
        p,
        torch.exp(f.car_static - p.bdk.ke * roads.car_cost) + f.active_kernel,
        torch.exp(constant - p.bdk.ke * roads.transit_time),
        torch.exp(-p.bdk.ke * fare.reshape(-1, 1, 1) / f.value_of_time.unsqueeze(1)),
        match,
        e.demand,
        people,
        net,
        start,
        sweeps,
    )
    share = e.demand / e.demand.sum((1, 2)).reshape(-1, 1, 1)
    jobs = workplace * share**p.bdk.size_jobs * net
    offers = JobOffers(
        attraction=mix(jobs, match.transpose(1, 2)),
        jobs=jobs,
        affinity=match,
        demand=e.demand,
        productivity=e.productivity,
        price=torch.zeros_like(e.productivity),
    )
    return offers, workplace


def first_industry(
    e: Economy,
    panel: Panel,
    g: Geography,
    p: Parameters,
    workplace: Tensor,
    match: Tensor,
    keep_income: Tensor,
    keep_business: Tensor,
) -> tuple[industry.IndustryState, industry.IndustryFundamentals]:
    """Firms at rest; ``local_scale`` is set once households have shopped."""
    employed, zero = e.employed.sum(-1), torch.zeros_like(e.money)
    sectors = tags.of_sectors(p).expand(panel.jobs.shape[0], -1, -1)
    state = industry.IndustryState(
        wage=e.wages.clone(),
        finding=e.frictional.reshape(-1, 1, 1).expand_as(e.demand).clone(),
        employed=employed,
        capital=e.capital,
        expected_return=e.profit / e.capital * keep_business.unsqueeze(1),
        establishments=torch.zeros_like(e.capital[:, 0]),
        knowledge=zero,
        skill=zero.clone(),
        tags=torch.zeros_like(sectors[:, 0]),
        price_local=torch.ones_like(panel.jobs),
        price_export=torch.zeros_like(e.capital[:, 0, :LOCAL]),
    )
    fundamentals = industry.IndustryFundamentals(
        productivity=e.productivity,
        workplace=workplace,
        affinity=match,
        type_tags=tags.centred(tags.of_types(p), panel.people.sum(1)),
        sector_tags=sectors,
        wage=e.city_wage,
        spill=industry.spill_density(g, employed),
        output=e.sales.sum(1),
        capital=e.capital,
        total_capital=e.capital.sum(1),
        user_cost=state.expected_return,
        local_scale=torch.ones_like(panel.jobs),
        keep_income=keep_income,
        keep_business=keep_business,
        heads=panel.jobs / employed,
    )
    return state, fundamentals


def first_infrastructure(
    e: Economy,
    panel: Panel,
    g: Geography,
    p: Parameters,
    roads: Roads,
    commuting: Commute,
    pace: Tensor,
    frequency: Tensor,
    toll_minutes: Tensor,
) -> tuple[infrastructure.InfrastructureState, infrastructure.InfrastructureFundamentals]:
    """Roads with the capacity that the first load needs; pollution is set by ``first_air``."""
    homes, ones, one = panel.people.sum(-1), torch.ones_like(panel.jobs), torch.ones_like(e.money)
    traffic = first_traffic(g, p, roads, commuting)
    road = g.roads.first_capacity(p, traffic)
    fundamentals = infrastructure.InfrastructureFundamentals(
        pace=pace,
        road=road,
        link_km=traffic,
        load=traffic / road,
        vehicle_km=g.roads.by_district(traffic),
        toll_minutes=toll_minutes,
        pollution=ones,
        ridership=commuting.transit.sum((1, 2)),
        people=homes.sum(-1),
        output=e.sales[..., MANUFACTURING].sum(-1),
        floor=p.bd.floor_home * homes,
        energy=one,
        money=e.money,
    )
    slow = p.b.delta_g / 12 * one
    state = infrastructure.InfrastructureState(
        pace=pace.clone(),
        road=fundamentals.road.clone(),
        road_pipe=erlang_steady(p.bd.delta_g / 12 * fundamentals.road, p.bd.lag_g),
        condition=torch.ones_like(road),
        frequency=frequency,
        crowding=one.clone(),
        clean=one.clone(),
        clean_pipe=erlang_steady(slow, p.b.lag_g),
        retrofit=one.clone(),
        retrofit_pipe=erlang_steady(slow, p.b.lag_g),
        pollution=ones.clone(),
    )
    return state, fundamentals


def first_air(
    s: infrastructure.InfrastructureState,
    f: infrastructure.InfrastructureFundamentals,
    g: Geography,
    p: Parameters,
    market: Market,
    residents: Residents,
) -> tuple[infrastructure.InfrastructureState, infrastructure.InfrastructureFundamentals]:
    """The same with the pollution that the first month's emissions sustain, and its energy."""
    emissions = infrastructure.emissions_by_source(p, f, s, f.vehicle_km, market, residents)
    pollution = infrastructure.push_air(g, emissions)
    use = energy.used(p, s.retrofit, f.money, residents, market, f.vehicle_km).sum((1, 2))
    return replace(s, pollution=pollution.clone()), replace(f, pollution=pollution, energy=use)


def first_planning(
    e: Economy, panel: Panel, p: Parameters, home_floor: Tensor, home_rent: Tensor
) -> tuple[planning.PlanningState, planning.PlanningFundamentals]:
    """Floor space at its cost; ``perceived`` and ``amenity`` are set in ``inversion``."""
    people, homes = panel.people, panel.people.sum(-1)
    user = p.bd.user_cost * torch.ones_like(homes)
    if panel.home_price is not None:
        user = 12 * home_rent * p.bd.floor_home / panel.home_price
    work_user = user.mean(-1, keepdim=True).expand_as(user)
    starts = p.bd.delta_h / 12
    state = planning.PlanningState(
        people=people.clone(),
        perceived=torch.zeros_like(people),
        home_floor=home_floor,
        work_floor=e.work_floor,
        home_pipe=erlang_steady(starts * home_floor, p.bd.lag_h),
        work_pipe=erlang_steady(starts * e.work_floor, p.bd.lag_h),
        home_rent=home_rent,
        work_rent=e.work_rent,
        home_growth=torch.zeros_like(homes),
        work_growth=torch.zeros_like(homes),
    )
    fundamentals = planning.PlanningFundamentals(
        amenity=torch.zeros_like(people),
        home_cost=planning.price(home_rent, user),
        work_cost=planning.price(e.work_rent, work_user),
        home_user=user,
        work_user=work_user,
        home_floor=home_floor,
        work_floor=e.work_floor,
        people=homes,
        mix=people / homes.unsqueeze(-1),
        kinship=tags.kinship(p).transpose(1, 2),
        outside=torch.zeros_like(people[:, 0]),
        replacement=torch.zeros_like(people[:, 0]),
        money=e.money,
    )
    return state, fundamentals


def local_scale(market: Market, shopping: Shopping) -> Tensor:
    """Sales of local firms over what residents spend there ``[b, D]``: visitors come too."""
    return market.sales[..., LOCAL] / shopping.revenue
