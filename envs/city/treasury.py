"""The one treasury: taxes, evasion, requests, debt (MODEL sections 5(11)-(12))."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from envs.city.functions import ces_match
from envs.city.levers import LEVERS, Policy
from envs.city.parameters import Parameters
from envs.city.ports import Commute, Income, Market, Residents, ServiceUse, Settlement
from envs.city.sizes import BUDGET_NAMES, PRIVATE

_LEAST = 0.05
_SHARP = 20.0
PUBLIC = PRIVATE
DEPARTMENTS = {
    "planning": ("fixed",),
    "industry": ("research", "training"),
    "services": ("staff", "facilities"),
    "infrastructure": ("maintenance", "transit", "road", "renewables", "retrofit"),
}


@dataclass(frozen=True)
class TreasuryState:
    """evasion: ``[B, 2]`` evaded share of income and business tax; audit: ``[B]`` perceived
    probability; debt: ``[B]`` k$; dividend: ``[B]`` k$ per resident, paid next month; policy:
    instruments in force."""

    evasion: Tensor
    audit: Tensor
    debt: Tensor
    dividend: Tensor
    policy: Policy


@dataclass(frozen=True)
class TreasuryFundamentals:
    """budget: ``[b]`` k$/month in the first year; grant: ``[b]`` k$/month that closes it;
    people: ``[b]``; staff_cost, facility_cost: ``[b, D, H]``; road_cost: ``[b, D]`` k$/month at
    baseline; public_wage: ``[b, D]``; road: ``[b, D]``; money: ``[b]``."""

    budget: Tensor
    grant: Tensor
    people: Tensor
    staff_cost: Tensor
    facility_cost: Tensor
    road_cost: Tensor
    public_wage: Tensor
    money: Tensor


def evaded_share(p: Parameters, rate: Tensor, audit: Tensor) -> Tensor:
    """Share of a tax that is evaded at a rate ``[B]`` and a perceived audit probability ``[B]``.

    Allingham & Sandmo's gamble with a quadratic cost of concealment, smooth at the corner
    where the gamble stops paying and saturating at ``ev_max``.
    """
    gain = rate * (1 - p.b.detection * audit * (1 + p.b.penalty))
    smooth = softplus(p.b.ev_sharp * gain) / p.b.ev_sharp
    return p.b.ev_max * (1 - torch.exp(-smooth / (p.b.ev_cost * p.b.ev_max)))


def kept(s: TreasuryState) -> tuple[Tensor, Tensor]:
    """Share of pay ``[B]`` and of profits ``[B, P]`` kept after tax and evasion."""
    income = 1 - s.policy["income_tax"] * (1 - s.evasion[:, 0])
    business = 1 - s.policy["business_tax"] * (1 - s.evasion[:, 1:])
    return income, business


def effective_subsidy(p: Parameters, policy: Policy) -> Tensor:
    """Subsidy rate that reaches real capital ``[B, D, P]``: mimicry takes a growing share."""
    return policy["subsidy"] / (1 + p.bdk.leak_subsidy * policy["subsidy"])


def requests(
    f: TreasuryFundamentals,
    p: Parameters,
    policy: Policy,
    public_wage: Tensor,
    road: Tensor,
    people: Tensor,
) -> dict[str, Tensor]:
    """What each budget line asks for ``[B]`` k$/month; ``road`` ``[B, D]`` is over baseline."""
    share = dict(zip(BUDGET_NAMES, p.bd.budget_share.unbind(-1), strict=True))
    wages = (public_wage / f.public_wage).unsqueeze(-1)
    return {
        "staff": (f.staff_cost * policy["staff"] * wages).sum((1, 2)),
        "facilities": (f.facility_cost * policy["facilities"]).sum((1, 2)),
        "maintenance": share["maintenance"]
        * f.budget
        * (f.road_cost * policy["maintenance"] * road).sum(-1),
        "transit": share["transit"] * f.budget * policy["transit"],
        "road": share["road"] * f.budget * (f.road_cost * policy["road"]).sum(-1),
        "renewables": share["renewables"] * f.budget * policy["renewables"],
        "retrofit": share["retrofit"] * f.budget * policy["retrofit"],
        "research": share["research"] * f.budget * policy["research"],
        "training": share["training"] * f.budget * policy["training"],
        "fixed": share["fixed"] * f.budget * people / f.people
        + p.b.audit_cost * f.budget * (policy["audit"] - LEVERS["audit"].default),
    }


def settle(
    s: TreasuryState,
    f: TreasuryFundamentals,
    p: Parameters,
    residents: Residents,
    market: Market,
    income: Income,
    commuting: Commute,
    services: ServiceUse,
    property_value: Tensor,
    land_value: Tensor,
    previous_release: Tensor,
    capital: Tensor,
    road: Tensor,
    soft: bool,
) -> Settlement:
    """Collect, compare with the requests, pay what can be paid.

    With ``soft`` every request is paid in full from outside and debt stands still: for
    ceteris-paribus studies only.

    Args:
        property_value, land_value: ``[B, D]`` k$. capital: ``[B, D, P]`` k$. road: ``[B, D]``
            road stock over baseline.
    """
    policy = s.policy
    people = residents.people.sum((1, 2))
    keep_income, keep_business = kept(s)
    sold = policy["release"] - previous_release
    revenue = {
        "income_tax": (residents.people * income.gross).sum((1, 2)) * (1 - keep_income),
        "business_tax": (market.profit.sum(1) * (1 - keep_business)).sum(-1),
        "property_tax": (policy["property_tax"] / 12 * property_value).sum(-1),
        "fares": commuting.fares,
        "tolls": commuting.tolls,
        "fees": (residents.people * services.fees).sum((1, 2)),
        "land_sales": (sold * land_value).sum(-1),
        "grant": f.grant + p.b.grant_per_head * f.budget * (people / f.people - 1),
    }
    wage = market.wages[..., PUBLIC] / market.employed[..., PUBLIC]
    asked = requests(f, p, policy, wage, road, people)
    rebates = f.money * (residents.people.sum(1) * policy["rebate"]).sum(-1)
    subsidies = (policy["subsidy"] * capital).sum((1, 2))
    total = torch.stack(list(revenue.values())).sum(0)
    senior = asked["fixed"] + rebates + subsidies
    request = torch.stack([v for k, v in asked.items() if k != "fixed"]).sum(0)
    interest = (p.b.interest + p.b.spread * torch.sigmoid(s.debt / f.budget * _SHARP)) * s.debt

    if soft:
        scale = torch.ones_like(request)
        dividend = torch.zeros_like(request)
        interest = torch.zeros_like(request)
    else:
        repay = p.b.rate_debt * (12 * total * policy["debt_target"] - s.debt)
        raw = (total - interest + repay - senior) / request
        ratio = _LEAST + softplus(_SHARP * (raw - _LEAST)) / _SHARP
        unit = 2 ** (1 / p.b.rho_scale)
        scale = unit * ces_match(torch.ones_like(ratio), ratio, p.b.rho_scale)
        dividend = request * (ratio - scale)
    spending = senior + scale * request + dividend
    debt = s.debt if soft else s.debt + spending + interest - total
    lines = {**revenue, **asked, "rebates": rebates, "subsidies": subsidies}
    lines["dividend"], lines["interest"] = dividend, interest
    return Settlement(
        revenue=total,
        spending=spending,
        request=request + senior,
        scale=scale,
        debt=debt,
        dividend=dividend / people,
        lines=lines,
    )


def advance(
    s: TreasuryState, p: Parameters, settlement: Settlement
) -> TreasuryState:
    """Debt, evasion and audit beliefs of the next month."""
    rates = torch.stack([s.policy["income_tax"], s.policy["business_tax"].mean(-1)], -1)
    target = torch.stack([evaded_share(p, r, s.audit) for r in rates.unbind(-1)], -1)
    return TreasuryState(
        evasion=s.evasion + p.bd.rate_ev * (target - s.evasion),
        audit=s.audit + p.b.gain_audit * (s.policy["audit"] - s.audit),
        debt=settlement.debt,
        dividend=settlement.dividend,
        policy=s.policy,
    )
