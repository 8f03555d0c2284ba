"""Calibration by inversion: the observed first year becomes an exact steady state.

Given a starting panel, the fundamentals (productivity, workplace constants, amenities,
construction costs, road capacity, budget) are solved so that nothing moves under the
baseline policy (MODEL sections 12 and 23). Every simulated effect is then due to a policy
or a shock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs.city import households, industry, infrastructure, planning, services, travel, treasury
from envs.city.functions import FLOOR, erlang_steady, mix, pull, push
from envs.city.geography import build_geography
from envs.city.levers import baseline_policy
from envs.city.model import City, CityState, Fundamentals, no_shocks
from envs.city.parameters import Parameters
from envs.city.ports import JobOffers, Residents, Roads
from envs.city.sizes import BUDGET_NAMES, PRIVATE

_FURNESS = 400


@dataclass(frozen=True)
class Panel:
    """Observed first year, batched ``[b, ...]``.

    xy: ``[b, D, 2]`` km; land: ``[b, D]`` km2; people: ``[b, D, K]`` persons; jobs: ``[b, D]``;
    output_per_job: ``[b, D]`` k$/month of private and public value added (or None: the default
    wage everywhere); home_price: ``[b, D]`` k$ per resident (or None: the default user cost);
    sectors: ``[b, D, S]`` shares of jobs (or None: the default shares).
    """

    xy: Tensor
    land: Tensor
    people: Tensor
    jobs: Tensor
    output_per_job: Tensor | None = None
    home_price: Tensor | None = None
    sectors: Tensor | None = None


def _jobs_by_sector(panel: Panel, p: Parameters) -> tuple[Tensor, Tensor]:
    """Share of a district's jobs by sector ``[b, D, S]``, and the staff placement ``[b, D]``."""
    total = panel.jobs.sum(-1, keepdim=True)
    homes = panel.people.sum(-1)
    default = p.bdk.sector_jobs.expand(*panel.jobs.shape, -1)
    shares = default if panel.sectors is None else panel.sectors
    public = (shares[..., PRIVATE] * panel.jobs).sum(-1, keepdim=True)
    placed = (
        p.bd.staff_by_home * homes / homes.sum(-1, keepdim=True)
        + (1 - p.bd.staff_by_home) * panel.jobs / total
    )
    staff = torch.minimum(public * placed, 0.6 * panel.jobs)
    private = shares[..., :PRIVATE] / shares[..., :PRIVATE].sum(-1, keepdim=True)
    private = private * (panel.jobs - staff).unsqueeze(-1)
    jobs = torch.cat([private, staff.unsqueeze(-1)], -1)
    return jobs / panel.jobs.unsqueeze(-1), staff


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
) -> Tensor:
    """Workplace constants ``[b, D, S]`` that make labour supply equal demand in every market.

    ``road_kernel`` sums the kernels of car and active modes (no toll in the first year);
    ``net`` is the pay term of the attraction.
    """
    workplace = torch.ones_like(demand)
    total = demand.sum((1, 2)).reshape(-1, 1, 1)
    for _ in range(_FURNESS):
        weights = (workplace * demand * net).unsqueeze(2) * match.unsqueeze(1)
        attraction = weights.sum(-1)
        phi = pull(road_kernel, attraction) + pull(transit_kernel, attraction * fare_factor)
        n = f.participation.reshape(-1, 1, 1) * people / phi
        reached = push(road_kernel, n) + fare_factor * push(transit_kernel, n)
        workers = attraction * reached * p.bdk.efficiency
        supply = (workers.unsqueeze(-1) * weights / attraction.unsqueeze(-1)).sum(2)
        workplace = workplace * demand / supply.clamp_min(FLOOR)
        workplace = workplace / (workplace * demand).sum((1, 2), keepdim=True) * total
    return workplace


def invert(panel: Panel, p: Parameters) -> City:
    """The city whose steady state under the baseline policy is ``panel``."""
    b, districts = panel.jobs.shape
    g = build_geography(panel.xy, panel.land, p)
    policy = baseline_policy(b, districts, panel.jobs.dtype, panel.jobs.device)
    ones = torch.ones_like(panel.jobs)
    people, homes = panel.people, panel.people.sum(-1)

    frictional = 2 ** (-1 / p.b.rho_match)
    participation = panel.jobs.sum(-1) / (frictional * homes.sum(-1))
    shares, _ = _jobs_by_sector(panel, p)
    units = (participation.reshape(-1, 1, 1) * people * p.bdk.efficiency).sum((1, 2))
    per_job = (units / panel.jobs.sum(-1)).unsqueeze(-1)
    demand = shares * (panel.jobs * per_job).unsqueeze(-1)

    labour, floor = p.bdk.share_labour, p.bdk.share_floor
    realised = frictional.reshape(-1, 1, 1) ** (labour / (1 - floor))
    sales_per_wage = torch.cat([realised / labour, frictional.reshape(-1, 1, 1)], -1)
    if panel.output_per_job is None:
        wage = p.bd.wage * ones
    else:
        per_unit = (shares * sales_per_wage).sum(-1) * per_job
        wage = panel.output_per_job / per_unit
    city_wage = (wage * panel.jobs).sum(-1) / panel.jobs.sum(-1)
    money = city_wage / p.b.wage_unit
    wages = wage.unsqueeze(-1).expand_as(demand)

    desired = wages[..., :PRIVATE] * demand[..., :PRIVATE] / labour
    sales = desired * realised
    employed = frictional.reshape(-1, 1, 1) * demand
    profit = sales * (1 - floor) - wages[..., :PRIVATE] * employed[..., :PRIVATE]
    capital = profit / p.bdk.gross_return
    work_floor = p.bd.floor_job * panel.jobs
    floor_bill = (sales * floor).sum(-1)
    work_rent = floor_bill / work_floor
    productivity = (1 - labour - floor) * torch.log(desired / capital) - (
        floor * torch.log(floor / work_rent.unsqueeze(-1))
        + labour * torch.log(labour / wages[..., :PRIVATE])
    )

    audit = policy["audit"]
    evasion = torch.stack(
        [
            treasury.evaded_share(p, policy["income_tax"], audit),
            treasury.evaded_share(p, policy["business_tax"].mean(-1), audit),
        ],
        -1,
    )
    fiscal = treasury.TreasuryState(
        evasion, audit.clone(), torch.zeros_like(money), torch.zeros_like(money), policy
    )
    keep_income, keep_business = treasury.kept(fiscal)

    t = travel.travel_fundamentals(g, p, city_wage, participation)
    pace = infrastructure.congested_pace(p, ones, p.bd.vc * ones)
    frequency = p.b.frequency.expand(b).clone()
    roads = Roads(
        car_time=infrastructure.car_times(g, pace),
        transit_time=infrastructure.transit_times(g, p, frequency, torch.ones_like(frequency)),
        index=ones,
        frequency=torch.zeros_like(frequency),
    )
    match = industry.affinity(p)
    finding = frictional.reshape(-1, 1, 1).expand_as(demand).clone()
    net = (wages * finding * (keep_income / city_wage).reshape(-1, 1, 1)) ** p.bdk.eps
    toll, fare = policy["toll"] * money.unsqueeze(-1), policy["fare"] * money
    vot = t.value_of_time.unsqueeze(1)
    constant = p.bd.mode_constant[:, 1].reshape(-1, 1, 1)
    fare_factor = torch.exp(-p.bdk.ke * fare.reshape(-1, 1, 1) / vot)
    workplace = _furness(
        t,
        p,
        torch.exp(t.car_static - p.bdk.ke * roads.car_time) + t.active_kernel,
        torch.exp(constant - p.bdk.ke * roads.transit_time),
        fare_factor,
        match,
        demand,
        people,
        net,
    )
    jobs = workplace * demand * net / demand.sum((1, 2)).reshape(-1, 1, 1)
    offers = JobOffers(
        attraction=mix(jobs, match.transpose(1, 2)),
        jobs=jobs,
        affinity=match,
        demand=demand,
        productivity=productivity,
        price=torch.zeros_like(productivity),
    )
    commuting = travel.commute(t, g, p, roads, offers, people, toll, fare)

    s_industry = industry.IndustryState(
        wage=wages.clone(),
        finding=finding,
        employed=employed.sum(-1),
        capital=capital,
        expected_return=profit / capital * keep_business.unsqueeze(1),
        establishments=torch.zeros_like(capital[:, 0]),
        knowledge=torch.zeros_like(money),
        skill=torch.zeros_like(money),
        price_local=ones.clone(),
        price_export=torch.zeros_like(capital[:, 0, : industry.LOCAL]),
    )
    f_industry = industry.IndustryFundamentals(
        productivity=productivity,
        workplace=workplace,
        affinity=match,
        wage=city_wage,
        spill=industry.spill_density(g, employed.sum(-1)),
        output=sales.sum(1),
        capital=capital,
        total_capital=capital.sum(1),
        user_cost=s_industry.expected_return,
        local_scale=ones.clone(),
        keep_income=keep_income,
        keep_business=keep_business,
        heads=panel.jobs / employed.sum(-1),
    )

    traffic = infrastructure.commute_vehicle_km(g, p, commuting.car) * (1 + p.bd.nonwork)
    traffic = traffic / (1 - p.bd.freight)
    wear = p.bd.delta_g / 12
    f_infra = infrastructure.InfrastructureFundamentals(
        pace=pace,
        road=traffic / p.bd.vc,
        vehicle_km=traffic,
        load=p.bd.vc * ones,
        pollution=ones.clone(),
        ridership=commuting.transit.sum((1, 2)),
        people=homes.sum(-1),
        output=sales[..., infrastructure.MANUFACTURING].sum(-1),
        floor=p.bd.floor_home * homes,
    )
    one = torch.ones_like(money)
    slow = p.b.delta_g / 12 * one
    s_infra = infrastructure.InfrastructureState(
        pace=pace.clone(),
        road=f_infra.road.clone(),
        road_pipe=erlang_steady(wear * f_infra.road, p.bd.lag_g),
        condition=ones.clone(),
        frequency=frequency,
        crowding=one.clone(),
        clean=one.clone(),
        clean_pipe=erlang_steady(slow, p.b.lag_g),
        retrofit=one.clone(),
        retrofit_pipe=erlang_steady(slow, p.b.lag_g),
        pollution=ones.clone(),
    )

    staff = demand[..., PRIVATE].unsqueeze(-1) * p.bdk.staff_split
    need = (homes.sum(-1, keepdim=True) * p.bd.visits) / p.bd.utilisation
    facilities = staff / staff.sum(1, keepdim=True) * need.unsqueeze(1)
    f_services = services.ServicesFundamentals(
        facilities, staff, torch.ones_like(staff), torch.zeros_like(staff), money
    )
    s_services = services.ServicesState(
        facilities=facilities.clone(),
        staff=staff.clone(),
        pipe=erlang_steady(p.bdk.delta_fac / 12 * facilities, p.bdk.lag_fac),
        quality=torch.ones_like(staff),
    )

    home_floor = p.bd.floor_home * homes
    residents = Residents(people, home_floor, work_floor, ones, work_rent)
    draft_treasury = treasury.TreasuryFundamentals(
        budget=one,
        grant=torch.zeros_like(one),
        people=homes.sum(-1),
        units=(people.sum(1) * p.bd.efficiency).sum(-1),
        staff_cost=staff,
        facility_cost=facilities,
        road_cost=ones / districts,
        public_wage=wage,
        money=money,
        property_tax=torch.zeros_like(wage),
        policy=policy,
    )
    f_households = households.HouseholdFundamentals(participation, money)

    use = services.serve(s_services, f_services, g, p, roads, residents, policy)
    f_services = replace(f_services, quality=use.access, proximity=use.proximity)
    s_services = replace(s_services, quality=use.access)
    use = services.serve(s_services, f_services, g, p, roads, residents, policy)

    market = industry.clear(s_industry, f_industry, p, residents, offers, commuting, keep_income)
    pay = travel.expected_pay(commuting, market.pay)
    income = households.budget(
        f_households,
        p,
        residents,
        market,
        pay,
        policy,
        use,
        keep_income,
        torch.zeros_like(one),
    )
    housing = p.bd.housing_share * (people * income.disposable).sum(-1)
    home_rent = housing / home_floor
    user = p.bd.user_cost * ones
    if panel.home_price is not None:
        user = 12 * home_rent * p.bd.floor_home / panel.home_price
    work_user = user.mean(-1, keepdim=True).expand_as(user)
    shopping = industry.shop(s_industry, f_industry, p, roads, income)
    f_industry = replace(
        f_industry, local_scale=market.sales[..., industry.LOCAL] / shopping.revenue
    )
    emissions = infrastructure.emissions_by_source(p, f_infra, s_infra, traffic, market, residents)
    pollution = infrastructure.push_air(g, emissions)
    f_infra = replace(f_infra, pollution=pollution)
    s_infra = replace(s_infra, pollution=pollution.clone())

    starts = p.bd.delta_h / 12
    s_planning = planning.PlanningState(
        people=people.clone(),
        perceived=torch.zeros_like(people),
        home_floor=home_floor,
        work_floor=work_floor,
        home_pipe=erlang_steady(starts * home_floor, p.bd.lag_h),
        work_pipe=erlang_steady(starts * work_floor, p.bd.lag_h),
        home_rent=home_rent,
        work_rent=work_rent,
        home_growth=torch.zeros_like(homes),
        work_growth=torch.zeros_like(homes),
    )
    f_planning = planning.PlanningFundamentals(
        amenity=torch.zeros_like(people),
        home_cost=planning.price(home_rent, user),
        work_cost=planning.price(work_rent, work_user),
        home_user=user,
        work_user=work_user,
        home_floor=home_floor,
        work_floor=work_floor,
        people=homes,
        mix=people / homes.unsqueeze(-1),
        outside=torch.zeros_like(people[:, 0]),
    )

    staff_pay = (staff * (wage * frictional.unsqueeze(-1)).unsqueeze(-1)).sum((1, 2))
    lines = dict(zip(BUDGET_NAMES, p.bd.budget_share.unbind(-1), strict=True))
    budget = staff_pay / lines["staff"]
    staff_share = staff * wage.unsqueeze(-1)
    f_treasury = replace(
        draft_treasury,
        budget=budget,
        staff_cost=staff_share
        / staff_share.sum((1, 2), keepdim=True)
        * (budget * lines["staff"]).reshape(-1, 1, 1),
        facility_cost=facilities
        / p.bdk.visits
        / (facilities / p.bdk.visits).sum((1, 2), keepdim=True)
        * (budget * lines["facilities"]).reshape(-1, 1, 1),
        road_cost=f_infra.road / f_infra.road.sum(-1, keepdim=True),
    )
    fundamentals = Fundamentals(
        f_planning, f_industry, f_services, f_infra, f_treasury, f_households, t
    )
    state = CityState(s_planning, s_industry, s_services, s_infra, fiscal)
    return _close(City(g, p, fundamentals, state))


def _close(city: City) -> City:
    """Set amenities and the grant from a month of the draft city."""
    state, p = city.start, city.parameters
    like = state.planning.home_rent
    shocks = no_shocks(like.shape[0], like.shape[1], like)
    _, flows = city.step(state, {}, shocks, mode="soft")
    f = city.fundamentals

    people = state.planning.people
    floor = state.planning.home_floor
    size = torch.log(floor / floor.sum(-1, keepdim=True)).unsqueeze(-1)
    target = (torch.log(people / people.sum(1, keepdim=True)) - size) / p.bdk.mu_r
    settlement, start_policy = flows.settlement, state.treasury.policy
    f = replace(
        f,
        planning=replace(f.planning, amenity=target - flows.value.utility),
        treasury=replace(
            f.treasury,
            grant=settlement.request - settlement.revenue,
            property_tax=start_policy["property_tax"] / 12 * flows.value.property_value,
        ),
    )
    start = replace(state, planning=replace(state.planning, perceived=target))
    return replace(city, fundamentals=f, start=start)
