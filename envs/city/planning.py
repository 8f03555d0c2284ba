"""Planning: floor space, rents, and where people live (MODEL sections 5(7)-(9))."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.demography import age
from envs.city.functions import erlang, mix, saturate
from envs.city.geography import Geography
from envs.city.levers import LEVERS, Policy
from envs.city.parameters import Parameters
from envs.city.ports import (
    Commute,
    Energy,
    Fiscal,
    Income,
    Land,
    Market,
    Residents,
    Roads,
    ServiceUse,
    Shopping,
    Traffic,
    Value,
)
from envs.city.shocks import Shocks


@dataclass(frozen=True)
class PlanningState:
    """people, perceived: ``[B, D, K]`` persons, utility; home_floor, work_floor: ``[B, D]`` m2;
    home_pipe, work_pipe: ``[B, D, 3]`` m2; home_rent, work_rent: ``[B, D]`` k$/m2/month;
    home_growth, work_growth: ``[B, D]`` expected 1/yr."""

    people: Tensor
    perceived: Tensor
    home_floor: Tensor
    work_floor: Tensor
    home_pipe: Tensor
    work_pipe: Tensor
    home_rent: Tensor
    work_rent: Tensor
    home_growth: Tensor
    work_growth: Tensor


@dataclass(frozen=True)
class PlanningFundamentals:
    """What inversion fixes: amenity ``[b, D, K]``; home_cost, work_cost: ``[b, D]`` k$/m2;
    home_user, work_user: ``[b, D]`` 1/yr; home_floor, work_floor: ``[b, D]`` m2; people:
    ``[b, D]``; mix: ``[b, D, K]`` share of each type; kinship: ``[b, K, K]`` of a type (row)
    as another (column) feels it; outside: ``[b, K]`` utility elsewhere; replacement: ``[b, K]``
    arrivals that make up for births, deaths and careers of the first year, per resident and
    month; money: ``[b]`` local wage over the unit of money levers."""

    amenity: Tensor
    home_cost: Tensor
    work_cost: Tensor
    home_user: Tensor
    work_user: Tensor
    home_floor: Tensor
    work_floor: Tensor
    people: Tensor
    mix: Tensor
    kinship: Tensor
    outside: Tensor
    replacement: Tensor
    money: Tensor


def residents(s: PlanningState) -> Residents:
    """Port of the residents at the beginning of the month."""
    return Residents(
        people=s.people,
        home_floor=s.home_floor,
        work_floor=s.work_floor,
        home_rent=s.home_rent,
        work_rent=s.work_rent,
        home_growth=s.home_growth,
        work_growth=s.work_growth,
    )


def user_cost(p: Parameters, base: Tensor, growth: Tensor, property_tax: Tensor) -> Tensor:
    """User cost of property ``[B, D]`` 1/yr: expectations and the change in property tax."""
    expected = 1 - p.bd.momentum * torch.tanh(growth / p.bd.growth_scale)
    return base * expected + property_tax - LEVERS["property_tax"].default


def price(rent: Tensor, user: Tensor) -> Tensor:
    """Price of floor space ``[B, D]`` k$/m2."""
    return 12 * rent / user


def land_surplus(
    r: Residents, f: PlanningFundamentals, p: Parameters, land: Land, policy: Policy
) -> Tensor:
    """Quasi-rents of land and floor net of property tax ``[B]`` k$/month (MODEL section 22.3)."""
    tax = policy["property_tax"]
    share = p.bd.eps_h / (1 + p.bd.eps_h)
    total = torch.zeros_like(r.home_rent)
    kinds = (
        (r.home_rent, r.home_floor, r.home_growth, f.home_cost, f.home_user, f.home_floor),
        (r.work_rent, r.work_floor, r.work_growth, f.work_cost, f.work_user, f.work_floor),
    )
    for rent, floor, growth, cost, user, start in kinds:
        scarcity = (floor / (start * (1 + land.release))) ** (1 / p.bd.eps_h)
        capital = (user - LEVERS["property_tax"].default) / 12 * share * cost * floor * scarcity
        value = price(rent, user_cost(p, user, growth, tax)) * floor
        total = total + rent * floor - capital - tax / 12 * value
    return total.sum(-1)


def property_values(
    r: Residents, f: PlanningFundamentals, p: Parameters, policy: Policy
) -> tuple[Tensor, Tensor]:
    """Value of all property and of the land under it ``[B, D]`` k$."""
    tax = policy["property_tax"]
    homes = price(r.home_rent, user_cost(p, f.home_user, r.home_growth, tax)) * r.home_floor
    works = price(r.work_rent, user_cost(p, f.work_user, r.work_growth, tax)) * r.work_floor
    return homes + works, (homes + works) / (1 + p.bd.eps_h)


def value(
    f: PlanningFundamentals,
    geography: Geography,
    p: Parameters,
    residents: Residents,
    land: Land,
    commuting: Commute,
    market: Market,
    income: Income,
    shopping: Shopping,
    services: ServiceUse,
    traffic: Traffic,
    energy: Energy,
    roads: Roads,
    fiscal: Fiscal,
    shocks: Shocks,
) -> Tensor:
    """Instantaneous decision utility of each place ``[B, D, K]`` in log consumption."""
    policy = fiscal.policy
    fare_change = policy["fare"] - LEVERS["fare"].default
    people = residents.people.sum(-1)
    density = (residents.home_floor + residents.work_floor) / (f.home_floor + f.work_floor)
    place = (
        -p.bd.housing_share * torch.log(residents.home_rent)
        - p.bd.price_weight * p.bd.loc_share * shopping.price_index
        - p.bd.om_pol * (traffic.pollution - 1)
        - (p.b.om_energy * energy.price).unsqueeze(-1)
        + p.bd.dens_weight * p.bd.eta_dens * torch.log(people / f.people)
        - p.bd.om_far * torch.log(density)
        - p.bd.om_release * land.lost * (1 + land.lost)
        - p.bd.om_mix * (policy["mix"] - LEVERS["mix"].default)
        - p.bd.zoning_friction * (torch.log(policy["far"]) ** 2 + torch.log(policy["mix"]) ** 2)
        + shocks["amenity"]
        + (p.b.om_transit * roads.frequency - p.b.om_fare * fare_change + market.skill).unsqueeze(
            -1
        )
    )
    own_kind = mix(residents.people / people.unsqueeze(-1) - f.mix, f.kinship)
    return (
        torch.log(commuting.phi) / p.bdk.eps
        + torch.log(income.disposable / income.net)
        + place.unsqueeze(-1)
        + services.utility
        + p.bdk.homophily * own_kind
        + f.amenity
    )


def location_choice(p: Parameters, utility: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    """Residence shares ``[B, D, K]`` and expected utility ``[B, K]`` of a logit over districts."""
    size = p.bdk.size_floor * torch.log(floor / floor.sum(-1, keepdim=True)).unsqueeze(-1)
    scaled = p.bdk.mu_r * utility + size
    most = scaled.amax(1, keepdim=True)
    weight = torch.exp(scaled - most)
    total = weight.sum(1, keepdim=True)
    return weight / total, (most + torch.log(total)).squeeze(1) / p.bd.mu_r


def anticipated(f: PlanningFundamentals, p: Parameters, income: Income, fiscal: Fiscal) -> Tensor:
    """Utility ``[B, D, K]`` that plans not yet in force will bring, to those who look ahead.

    The linear internal model of forward-looking types: what the announced settings of taxes,
    transfers, fares and zoning change directly, responses left out (MODEL section 5(0)).
    """
    now, then = fiscal.policy, fiscal.announced

    def ahead(name: str) -> Tensor:
        return then[name] - now[name]

    city = -ahead("income_tax") / fiscal.keep_income - p.b.om_fare * ahead("fare")
    place = -p.bd.om_mix * ahead("mix") - p.bd.om_release * ahead("release")
    rebate = (ahead("rebate") * f.money.unsqueeze(-1)).unsqueeze(1) / income.disposable
    return p.bdk.foresight * (rebate + (place + city.unsqueeze(-1)).unsqueeze(-1))


def relocation(p: Parameters, movers: Tensor, shares: Tensor, noise: Tensor) -> Tensor:
    """Where ``movers`` ``[B, 1, K]`` go ``[B, D, K]``: their shares, and chance where there is any.

    With standard normal ``noise`` the spread is near that of a multinomial draw of households,
    reparametrised so that gradients survive; totals are kept (MODEL section 16).
    """
    expected = movers * shares
    size = p.bdk.household
    spread = torch.sqrt(size / (expected.clamp_min(0) + size))
    drawn = shares * torch.exp(spread * noise)
    return movers * drawn / drawn.sum(1, keepdim=True)


def advance(
    s: PlanningState,
    f: PlanningFundamentals,
    p: Parameters,
    land: Land,
    market: Market,
    income: Income,
    services: ServiceUse,
    worth: Value,
    fiscal: Fiscal,
    shocks: Shocks,
) -> PlanningState:
    """Beliefs, rents, building, moves and generations of the month."""
    policy = fiscal.policy
    seen = worth.utility + anticipated(f, p, income, fiscal)
    perceived = s.perceived + p.bdk.gain_v * (seen - s.perceived)
    housing = p.bd.housing_share * (s.people * income.disposable).sum(-1)
    tax, allowed = policy["property_tax"], (1 + land.release) * policy["far"]
    wear = p.bd.delta_h / 12
    home_noise, work_noise = shocks["building_noise"].unbind(-1)

    def floor_market(
        rent: Tensor,
        demand: Tensor,
        floor: Tensor,
        pipe: Tensor,
        growth: Tensor,
        user: Tensor,
        cost: Tensor,
        start: Tensor,
        zoned: Tensor,
        noise: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pressure = demand / floor / rent
        new_rent = rent * pressure**p.bd.eta_r
        momentum = 12 * p.bd.eta_r * torch.log(pressure)
        new_growth = growth + p.bd.gain_r * (momentum - growth)
        price_now = price(new_rent, user_cost(p, user, new_growth, tax))
        marginal = cost * (floor / (start * allowed * zoned)) ** (1 / p.bd.eps_h)
        marginal = marginal * torch.exp(shocks["floor_cost"]).unsqueeze(-1)
        starts = wear * floor * saturate(price_now / marginal, p.bd.xi_h, p.bd.cap_h)
        starts = starts * torch.exp(noise * torch.sqrt(p.bd.project / (starts + p.bd.project)))
        new_pipe, done = erlang(pipe, starts, p.bd.lag_h)
        return new_rent, (1 - wear) * floor + done, new_pipe, new_growth

    home_rent, home_floor, home_pipe, home_growth = floor_market(
        s.home_rent,
        housing,
        s.home_floor,
        s.home_pipe,
        s.home_growth,
        f.home_user,
        f.home_cost,
        f.home_floor,
        policy["mix"],
        home_noise,
    )
    work_rent, work_floor, work_pipe, work_growth = floor_market(
        s.work_rent,
        market.floor,
        s.work_floor,
        s.work_pipe,
        s.work_growth,
        f.work_user,
        f.work_cost,
        f.work_floor,
        1 / policy["mix"],
        work_noise,
    )
    shares, inclusive = location_choice(p, perceived, s.home_floor)
    everyone = s.people.sum(1)
    lure = inclusive + market.pull - f.outside - shocks["outside"].unsqueeze(-1)
    gap = lure / p.bd.migration_bound
    arrivals = p.bd.chi * p.bd.migration_bound * torch.tanh(gap) + f.replacement
    leaving = p.bdk.mobility * s.people
    movers = leaving.sum(1) + everyone * (arrivals + shocks["arrivals"])
    moved = relocation(p, movers.unsqueeze(1), shares, shocks["moving_noise"])
    return PlanningState(
        people=age(s.people - leaving + moved, p, services.education),
        perceived=perceived,
        home_floor=home_floor,
        work_floor=work_floor,
        home_pipe=home_pipe,
        work_pipe=work_pipe,
        home_rent=home_rent,
        work_rent=work_rent,
        home_growth=home_growth,
        work_growth=work_growth,
    )
