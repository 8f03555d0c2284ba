"""Industry: labour demand, output, prices, firms (MODEL sections 5(2), (3), (10))."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city import tags
from envs.city.functions import (
    FLOOR,
    ces_match,
    diminishing,
    minus,
    mix,
    plus,
    pull,
    push,
    saturate,
)
from envs.city.geography import Geography
from envs.city.parameters import Parameters
from envs.city.ports import (
    Commute,
    Fiscal,
    Income,
    JobOffers,
    Market,
    Residents,
    Roads,
    Settlement,
    Shopping,
    Staffing,
)
from envs.city.shocks import Shocks
from envs.city.sizes import LOCAL, MANUFACTURING, PRIVATE


@dataclass(frozen=True)
class IndustryState:
    """State of firms and the labour market.

    wage, finding: ``[B, D, S]`` k$/month per efficiency unit, job-finding belief;
    employed: ``[B, D]`` efficiency units; capital, expected_return: ``[B, D, P]`` k$, 1/month;
    establishments: ``[B, P]`` log; knowledge, skill: ``[B]`` log; tags: ``[B, Q]`` drift of the
    city's tags; price_local: ``[B, D]``; price_export: ``[B, LOCAL]``
    log, of the sectors that export.
    """

    wage: Tensor
    finding: Tensor
    employed: Tensor
    capital: Tensor
    expected_return: Tensor
    establishments: Tensor
    knowledge: Tensor
    skill: Tensor
    tags: Tensor
    price_local: Tensor
    price_export: Tensor


@dataclass(frozen=True)
class IndustryFundamentals:
    """What inversion fixes about industry.

    productivity: ``[b, D, P]`` log a0; workplace: ``[b, D, S]`` T; affinity: ``[b, K, S]``;
    type_tags: ``[b, K, Q]`` centred; sector_tags: ``[b, S, Q]``; wage: ``[b]``; spill: ``[b, D]``
    employment density felt; output: ``[b, P]``; capital: ``[b, D, P]``; total_capital:
    ``[b, P]``; user_cost: ``[b, D, P]`` 1/month; local_scale: ``[b, D]``; keep_income,
    keep_business: ``[b]``, ``[b, P]`` shares kept after tax; heads: ``[b, D]`` jobs per
    efficiency unit.
    """

    productivity: Tensor
    workplace: Tensor
    affinity: Tensor
    type_tags: Tensor
    sector_tags: Tensor
    wage: Tensor
    spill: Tensor
    output: Tensor
    capital: Tensor
    total_capital: Tensor
    user_cost: Tensor
    local_scale: Tensor
    keep_income: Tensor
    keep_business: Tensor
    heads: Tensor


def spill_density(geography: Geography, employed: Tensor) -> Tensor:
    """Employment density within reach ``[B, D]``, efficiency units per km2."""
    return pull(geography.spill, employed / geography.land)


def log_productivity(
    s: IndustryState,
    f: IndustryFundamentals,
    geography: Geography,
    p: Parameters,
    roads: Roads,
    gained: Tensor,
    shocks: Shocks,
) -> Tensor:
    """Log total factor productivity ``[B, D, P]``; ``gained`` ``[B, S]`` see ``tags.match``."""
    density = torch.log(spill_density(geography, s.employed) / f.spill)
    common = plus(
        shocks["productivity"] + s.knowledge.unsqueeze(-1), (p.bd.g_road, torch.log(roads.index))
    )
    of_sector = minus(
        s.establishments + tags.sector_gain(p, f.sector_tags, gained),
        (p.bd.contact_trade, shocks["contact"].unsqueeze(-1)),
    )
    return plus(
        f.productivity + of_sector.unsqueeze(1) + common.unsqueeze(-1),
        (p.bdk.agglomeration, density.unsqueeze(-1)),
    )


def log_prices(s: IndustryState, shocks: Shocks) -> Tensor:
    """Log output prices ``[B, D, P]``: one of each export, one local price a district."""
    local = torch.log(s.price_local).unsqueeze(-1)
    export = (s.price_export + shocks["demand"].unsqueeze(-1)).unsqueeze(1)
    return torch.cat([export.expand(-1, local.shape[1], -1), local], -1)


def post(
    s: IndustryState,
    f: IndustryFundamentals,
    geography: Geography,
    p: Parameters,
    roads: Roads,
    residents: Residents,
    staffing: Staffing,
    fiscal: Fiscal,
    shocks: Shocks,
) -> JobOffers:
    """Labour demand at sticky wages, rents and capital, and the pull of each workplace."""
    gained = tags.match(f.sector_tags, s.tags)
    affinity = tags.affinity(f.affinity, gained)
    productivity = log_productivity(s, f, geography, p, roads, gained, shocks)
    price = log_prices(s, shocks)
    labour, floor = p.bdk.share_labour, p.bdk.share_floor
    wage, rent = s.wage[..., :PRIVATE], residents.work_rent.unsqueeze(-1)
    margin = plus(
        productivity + price,
        (floor, torch.log(floor / rent)),
        (labour, torch.log(labour / wage)),
    )
    sales = s.capital * torch.exp(margin / (p.one - labour - floor))
    demand = torch.cat([labour * sales / wage, staffing.staff.unsqueeze(-1)], -1)
    net = s.wage * s.finding * (fiscal.keep_income / f.wage).reshape(-1, 1, 1)
    total = demand.sum((1, 2), keepdim=True)
    jobs = f.workplace * (demand / total) ** p.bdk.size_jobs * net**p.bdk.eps
    return JobOffers(
        attraction=mix(jobs, affinity.mT),
        jobs=jobs,
        affinity=affinity,
        demand=demand,
        productivity=productivity,
        price=price,
    )


def clear(
    s: IndustryState,
    f: IndustryFundamentals,
    p: Parameters,
    residents: Residents,
    offers: JobOffers,
    commuting: Commute,
    fiscal: Fiscal,
) -> Market:
    """Match labour, produce, and split sales into wages, floor rent and profit.

    Hours respond to the net-of-tax rate with elasticity ``el_hours``; utility does not
    count the lost pay, since leisure makes up for it at the margin.
    """
    hours = torch.log(fiscal.keep_income / f.keep_income)
    effort = torch.exp(plus(s.skill, (p.b.el_hours, hours)))
    units = commuting.workers * (p.bd.efficiency * effort.unsqueeze(-1)).unsqueeze(1)
    supply = offers.supply(units)
    employed = ces_match(offers.demand, supply, p.bdk.rho_match)
    rate = employed / supply.clamp_min(FLOOR)
    pay = offers.chosen(s.wage * rate)

    labour, floor = p.bdk.share_labour, p.bdk.share_floor
    kept_sales, private = p.one - floor, employed[..., :PRIVATE]
    rent = residents.work_rent.unsqueeze(-1)
    log_output = plus(
        offers.productivity,
        (labour, torch.log(private.clamp_min(FLOOR))),
        (kept_sales - labour, torch.log(s.capital)),
        (floor, torch.log(floor / rent) + offers.price),
    )
    output = torch.exp(log_output / kept_sales)
    sales = output * torch.exp(offers.price)
    wages = s.wage * employed
    profit = sales * kept_sales - wages[..., :PRIVATE]
    kept = profit * fiscal.keep_business.unsqueeze(1)
    surplus = plus(kept, (fiscal.subsidy - f.user_cost, s.capital)).sum((1, 2))
    return Market(
        employed=employed,
        rate=rate,
        pay=pay,
        sales=sales,
        output=output,
        profit=profit,
        floor=(sales * floor).sum(-1),
        wages=wages,
        effort=effort,
        skill=s.skill,
        jobs=employed.sum(-1) * f.heads / effort.unsqueeze(-1),
        capital=s.capital,
        surplus=surplus,
        pull=tags.pull(p, f.type_tags, s.tags),
    )


def shop(
    s: IndustryState, f: IndustryFundamentals, p: Parameters, roads: Roads, income: Income
) -> Shopping:
    """Harris-Wilson local market: where residents spend, and the price index they meet."""
    decay = torch.exp(-p.bdk.hw_b * roads.car_time)
    size = s.capital[..., LOCAL]
    weight = (size / f.total_capital[:, LOCAL].unsqueeze(-1)) ** p.bd.hw_a
    priced = weight * torch.log(s.price_local)
    reach, price = pull(decay, torch.stack([weight, priced], -1)).unbind(-1)
    spread = push(decay, income.spending / reach)
    return Shopping(revenue=f.local_scale * weight * spread, price_index=price / reach)


def closed(s: IndustryState, shocks: Shocks) -> Tensor:
    """Share of capital ``[B, D, P]`` that closes this month: plants, not offices or shops."""
    lost = torch.zeros_like(s.capital)
    lost[..., MANUFACTURING] = shocks["closure"]
    return lost


def advance(
    s: IndustryState,
    f: IndustryFundamentals,
    p: Parameters,
    market: Market,
    offers: JobOffers,
    shopping: Shopping,
    fiscal: Fiscal,
    settlement: Settlement,
    shocks: Shocks,
) -> IndustryState:
    """Wages, beliefs, capital and knowledge of the next month."""
    policy, keep_business = fiscal.policy, fiscal.keep_business
    supply = (market.employed / market.rate.clamp_min(FLOOR)).clamp_min(FLOOR)
    returns = plus(fiscal.subsidy, (market.profit / s.capital, keep_business.unsqueeze(1)))
    expected = torch.lerp(s.expected_return, returns, p.bdk.gain_f)
    scarcity = (s.capital.sum(1) / f.total_capital) ** p.bd.eps_k.reciprocal()
    growth = saturate(expected / (f.user_cost * scarcity.unsqueeze(1)), p.bdk.psi_k, p.bdk.cap_k)
    grown = plus(s.capital, (p.bdk.delta_k / p.year * s.capital, growth - p.one))
    seed = p.bdk.seed_k * (f.total_capital / s.wage.shape[1]).unsqueeze(1)
    empty = p.one - s.capital / f.capital
    shortage = torch.log(f.output / market.output.sum(1))[:, :LOCAL]
    net = torch.log(keep_business / f.keep_business)
    funded = torch.stack([policy[line] for line in ("research", "training", "talent")])
    research, training, talent = diminishing(funded * settlement.scale["industry"]).unbind(0)
    return IndustryState(
        wage=s.wage * (offers.demand / supply).clamp_min(FLOOR) ** p.bdk.eta_w,
        finding=torch.lerp(s.finding, market.rate, p.bdk.gain_e),
        employed=market.employed.sum(-1),
        capital=plus(minus(grown, (s.capital, closed(s, shocks))), (seed, empty)),
        expected_return=expected,
        establishments=s.establishments
        + (p.bd.el_business * net - s.establishments) / p.bd.lag_business,
        knowledge=torch.lerp(s.knowledge, p.b.el_research * research, p.b.rate_know),
        skill=torch.lerp(s.skill, p.b.el_training * training, p.b.rate_know),
        tags=tags.drifted(p, f.sector_tags, s.tags, talent, s.wage),
        price_local=s.price_local * (shopping.revenue / market.sales[..., LOCAL]) ** p.bd.eta_p,
        price_export=torch.lerp(s.price_export, shortage / p.bd.sigma_x, p.bd.gain_e),
    )
