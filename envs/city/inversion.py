"""Calibration by inversion: the observed first year becomes an exact steady state.

Given a starting panel, the fundamentals (productivity, workplace constants, amenities,
construction costs, road capacity, budget) are solved so that nothing moves under the
baseline policy (MODEL sections 12 and 23). Every simulated effect is then due to a policy
or a shock.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from envs.city import (
    calibration,
    calibration_public,
    demography,
    households,
    industry,
    services,
    travel,
    treasury,
)
from envs.city.geography import build_geography
from envs.city.levers import baseline_policy
from envs.city.model import City, CityState, Fundamentals
from envs.city.panel import Panel, first_economy
from envs.city.parameters import Parameters
from envs.city.ports import Residents
from envs.city.shocks import no_shocks


def invert(panel: Panel, p: Parameters) -> City:
    """The city whose steady state under the baseline policy is ``panel``."""
    b, districts = panel.jobs.shape
    people, ones = panel.people, torch.ones_like(panel.jobs)
    p = demography.enough_moves(people, p)
    g = build_geography(panel.xy, panel.land, p, panel.streets)
    policy = baseline_policy(b, districts, panel.jobs.dtype, panel.jobs.device)
    e = first_economy(panel, p)
    home_floor = p.bd.floor_home * people.sum(-1)
    still = torch.zeros_like(ones)
    residents = Residents(people, home_floor, e.work_floor, ones, e.work_rent, still, still)
    fiscal = calibration_public.first_fiscal(p, policy, people)
    announcement = treasury.announce(fiscal, p, policy, policy, residents)
    keep_income, keep_business = announcement.keep_income, announcement.keep_business
    quiet = no_shocks(b, districts, ones)

    t = travel.travel_fundamentals(g, p, e.city_wage, e.participation)
    fare = announcement.fare * e.money
    load = calibration.first_load(e, t, g, p, residents, announcement, fare)
    roads, pace, frequency = calibration.first_roads(g, p, ones, load)
    offers, workplace = calibration.first_offers(e, t, p, roads, people, keep_income, fare)
    commuting = travel.commute(t, g, p, roads, offers, residents, announcement, quiet)
    s_industry, f_industry = calibration.first_industry(
        e, panel, g, p, workplace, offers.affinity, keep_income, keep_business
    )
    s_infra, f_infra = calibration.first_infrastructure(
        e, panel, g, p, roads, commuting, pace, frequency, travel.toll_minutes(t, p)
    )
    s_services, f_services = calibration_public.first_services(
        e, panel, g, p, roads, residents, announcement
    )
    use = services.serve(s_services, f_services, g, p, roads, residents, announcement, quiet)
    market = industry.clear(s_industry, f_industry, p, residents, offers, commuting, announcement)
    f_households = households.HouseholdFundamentals(e.participation, e.money)
    pay = travel.expected_pay(commuting, market.pay)
    income = households.budget(f_households, p, residents, market, pay, use, announcement)
    shopping = industry.shop(s_industry, f_industry, p, roads, income)
    f_industry = replace(f_industry, local_scale=calibration.local_scale(market, shopping))
    s_infra, f_infra = calibration.first_air(s_infra, f_infra, g, p, market, residents)
    home_rent = p.bd.housing_share * (people * income.disposable).sum(-1) / home_floor
    s_planning, f_planning = calibration.first_planning(e, panel, p, home_floor, home_rent)
    road = g.roads.by_district(f_infra.road)
    f_treasury = calibration_public.first_treasury(e, panel, p, f_services, road, policy)
    fundamentals = Fundamentals(
        f_planning, f_industry, f_services, f_infra, f_treasury, f_households, t
    )
    state = CityState(s_planning, s_industry, s_services, s_infra, fiscal)
    return _close(City(g, p, fundamentals, state, panel=panel))


def _close(city: City) -> City:
    """Set amenities and the grant from a month of the draft city."""
    state, p = city.start, city.parameters
    like = state.planning.home_rent
    shocks = no_shocks(like.shape[0], like.shape[1], like)
    _, flows = city.step(state, {}, shocks, mode="soft")
    f = city.fundamentals

    people = state.planning.people
    floor = state.planning.home_floor
    size = p.bdk.size_floor * torch.log(floor / floor.sum(-1, keepdim=True)).unsqueeze(-1)
    settled = demography.before(people, p)
    drawn = settled - (1 - p.bdk.mobility) * people
    target = (torch.log(drawn / drawn.sum(1, keepdim=True)) - size) / p.bdk.mu_r
    settlement, start_policy = flows.settlement, state.treasury.policy
    f = replace(
        f,
        planning=replace(
            f.planning,
            amenity=target - flows.value.utility,
            replacement=(settled - people).sum(1) / people.sum(1),
        ),
        treasury=replace(
            f.treasury,
            grant=settlement.request - settlement.revenue,
            property_tax=start_policy["property_tax"] / 12 * flows.value.property_value,
        ),
    )
    start = replace(state, planning=replace(state.planning, perceived=target))
    return replace(city, fundamentals=f, start=start)


__all__ = ["Panel", "invert"]
