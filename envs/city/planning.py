"""Planning: floor space, rents, and where people live (MODEL sections 5(7)-(9))."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.demography import age
from envs.city.functions import erlang, minus, mix, plus, saturate, without
from envs.city.geography import Geography
from envs.city.levers import Policy
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
    untaxed = minus(base, (base, p.bd.momentum * torch.tanh(growth / p.bd.growth_scale)))
    return untaxed + (property_tax - p.today["property_tax"])


def price(rent: Tensor, user: Tensor) -> Tensor:
    """Price of floor space ``[B, D]`` k$/m2."""
    return 12 * rent / user


@dataclass(frozen=True)
class Property:
    """value: ``[B, D]`` k$ of all property; land: ``[B, D]`` k$ of the land under it; surplus:
    ``[B]`` k$/month of quasi-rents of land and floor net of property tax."""

    value: Tensor
    land: Tensor
    surplus: Tensor


def appraise(
    r: Residents, f: PlanningFundamentals, p: Parameters, land: Land, policy: Policy
) -> Property:
    """What property is worth, and what of its rents is no return on capital (MODEL section 22.3).

    Homes and work places ``[2, B, D]`` are appraised side by side.
    """
    tax, supply = policy["property_tax"], p.bd.eps_h
    rent, floor, growth, cost, user, start = (
        torch.stack(pair)
        for pair in (
            (r.home_rent, r.work_rent),
            (r.home_floor, r.work_floor),
            (r.home_growth, r.work_growth),
            (f.home_cost, f.work_cost),
            (f.home_user, f.work_user),
            (f.home_floor, f.work_floor),
        )
    )
    scarcity = (floor / (start * (p.one + land.release))) ** supply.reciprocal()
    share = supply / (p.one + supply)
    charge = (user - p.today["property_tax"]) / p.year
    value = (price(rent, user_cost(p, user, growth, tax)) * floor).sum(0)
    quasi_rents = ((rent - charge * share * cost * scarcity) * floor).sum(0)
    return Property(
        value=value,
        land=value / (p.one + supply),
        surplus=minus(quasi_rents, (tax / p.year, value)).sum(-1),
    )


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
    people = residents.people.sum(-1)
    density = (residents.home_floor + residents.work_floor) / (f.home_floor + f.work_floor)
    zoned = torch.log(policy["far"]).square() + torch.log(policy["mix"]).square()
    city = minus(
        plus(market.skill, (p.b.om_transit, roads.frequency)),
        (p.b.om_fare, policy["fare"] - p.today["fare"]),
        (p.b.om_energy, energy.price),
    )
    place = minus(
        shocks["amenity"] + city.unsqueeze(-1),
        (p.bd.housing_share, torch.log(residents.home_rent)),
        (p.bd.price_weight * p.bd.loc_share, shopping.price_index),
        (p.bd.om_pol, traffic.pollution - p.one),
        (p.bd.om_far, torch.log(density)),
        (p.bd.om_release, plus(land.lost, (land.lost, land.lost))),
        (p.bd.om_mix, policy["mix"] - p.today["mix"]),
        (p.bd.zoning_friction, zoned),
    )
    crowd = p.bd.dens_weight * p.bd.eta_dens
    place = plus(place, (crowd, torch.log(people / f.people)))
    own_kind = mix(residents.people / people.unsqueeze(-1) - f.mix, f.kinship)
    personal = torch.log(income.disposable / income.net) + services.utility + f.amenity
    return (
        plus(personal, (p.bdk.homophily, own_kind))
        + torch.log(commuting.phi) / p.bdk.eps
        + place.unsqueeze(-1)
    )


def location_choice(p: Parameters, utility: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    """Residence shares ``[B, D, K]`` and expected utility ``[B, K]`` of a logit over districts."""
    room = torch.log(floor / floor.sum(-1, keepdim=True)).unsqueeze(-1)
    scaled = plus(p.bdk.mu_r * utility, (p.bdk.size_floor, room))
    return torch.softmax(scaled, 1), torch.logsumexp(scaled, 1) / p.bd.mu_r


def anticipated(f: PlanningFundamentals, p: Parameters, income: Income, fiscal: Fiscal) -> Tensor:
    """Utility ``[B, D, K]`` that plans not yet in force will bring, to those who look ahead.

    The linear internal model of forward-looking types: what the announced settings of taxes,
    transfers, fares and zoning change directly, responses left out (MODEL section 5(0)).
    """
    now, then = fiscal.policy, fiscal.announced

    def ahead(name: str) -> Tensor:
        return then[name] - now[name]

    city = minus(-ahead("income_tax") / fiscal.keep_income, (p.b.om_fare, ahead("fare")))
    place = minus(
        city.unsqueeze(-1), (p.bd.om_mix, ahead("mix")), (p.bd.om_release, ahead("release"))
    )
    rebate = (ahead("rebate") * f.money.unsqueeze(-1)).unsqueeze(1) / income.disposable
    return p.bdk.foresight * (rebate + place.unsqueeze(-1))


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
    perceived = torch.lerp(s.perceived, seen, p.bdk.gain_v)
    housing = p.bd.housing_share * (s.people * income.disposable).sum(-1)
    rent, demand, floor, pipe, growth, user, cost, start, zoned = (
        torch.stack(pair)
        for pair in (
            (s.home_rent, s.work_rent),
            (housing, market.floor),
            (s.home_floor, s.work_floor),
            (s.home_pipe, s.work_pipe),
            (s.home_growth, s.work_growth),
            (f.home_user, f.work_user),
            (f.home_cost, f.work_cost),
            (f.home_floor, f.work_floor),
            (policy["mix"], policy["mix"].reciprocal()),
        )
    )
    pressure = demand / floor / rent
    new_rent = rent * pressure**p.bd.eta_r
    growth = torch.lerp(growth, p.year * p.bd.eta_r * torch.log(pressure), p.bd.gain_r)
    price_now = price(new_rent, user_cost(p, user, growth, policy["property_tax"]))
    allowed = start * zoned * ((p.one + land.release) * policy["far"])
    marginal = cost * (floor / allowed) ** p.bd.eps_h.reciprocal()
    marginal = marginal * torch.exp(shocks["floor_cost"]).unsqueeze(-1)
    wear = p.bd.delta_h / p.year
    starts = wear * floor * saturate(price_now / marginal, p.bd.xi_h, p.bd.cap_h)
    chance = shocks["building_noise"].movedim(-1, 0)
    starts = starts * torch.exp(chance * torch.sqrt(p.bd.project / (starts + p.bd.project)))
    pipe, done = erlang(pipe, starts, p.bd.lag_h)
    home_floor, work_floor = (without(floor, wear) + done).unbind()
    home_pipe, work_pipe = pipe.unbind()
    home_rent, work_rent = new_rent.unbind()
    home_growth, work_growth = growth.unbind()

    shares, inclusive = location_choice(p, perceived, s.home_floor)
    everyone = s.people.sum(1)
    lure = inclusive + market.pull - f.outside - shocks["outside"].unsqueeze(-1)
    reach = p.bd.migration_bound
    arrivals = plus(f.replacement, (p.bd.chi * reach, torch.tanh(lure / reach)))
    leaving = p.bdk.mobility * s.people
    movers = plus(leaving.sum(1), (everyone, arrivals + shocks["arrivals"]))
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
