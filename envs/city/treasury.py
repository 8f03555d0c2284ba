"""The one treasury: taxes, requests, debt (MODEL sections 5(11)-(12)); see also ``evasion``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from envs.city import evasion, tree
from envs.city.evasion import Dodging
from envs.city.functions import FLOOR, ces_match, minus, plus, without
from envs.city.levers import BUDGET_LINES, FIXED, GOVERNORS, LEVERS, Policy
from envs.city.parameters import Parameters
from envs.city.ports import (
    Commute,
    Fiscal,
    Income,
    Land,
    Market,
    Residents,
    Roads,
    ServiceUse,
    Settlement,
    Value,
)
from envs.city.sizes import PRIVATE

PUBLIC = PRIVATE
_LEAST = 1e-6
MODES = ("pooled", "departments", "boards", "soft")
CITY_LINES = tuple(line for line in BUDGET_LINES if line != FIXED and not LEVERS[line].shape)
#: Who spends a line of the budget; what nobody governs is planning's.
GOVERNOR = {line: "planning" if line == FIXED else LEVERS[line].governor for line in BUDGET_LINES}
#: Lines of the budget by governor.
DEPARTMENTS = {
    governor: tuple(line for line in BUDGET_LINES if GOVERNOR[line] == governor)
    for governor in GOVERNORS
}
#: Governors whose spending has a limit.
SPENDERS = tuple(governor for governor in GOVERNORS if governor != "planning")


@dataclass(frozen=True)
class TreasuryState:
    """evasion: ``[B, 1 + P]`` evaded share of income tax and of business tax by private sector;
    dodging: what else is dodged; audit: ``[B, E]`` probability perceived by each kind of evader;
    debt: ``[B]`` k$; dividend: ``[B]`` k$ that residents share next month; policy: instruments
    in force."""

    evasion: Tensor
    dodging: Dodging
    audit: Tensor
    debt: Tensor
    dividend: Tensor
    policy: Policy


@dataclass(frozen=True)
class TreasuryFundamentals:
    """budget: ``[b]`` k$/month in the first year; grant: ``[b]`` k$/month that closes it;
    people: ``[b]``; units: ``[b]`` people times efficiency; staff_cost, facility_cost:
    ``[b, D, H]`` k$/month at baseline; road_cost: ``[b, D]`` share of each district;
    public_wage: ``[b, D]`` k$/month; money: ``[b]`` local wage over the unit of money levers;
    property_tax: ``[b, D]`` k$/month; policy: today's setting of every lever."""

    budget: Tensor
    grant: Tensor
    people: Tensor
    units: Tensor
    staff_cost: Tensor
    facility_cost: Tensor
    road_cost: Tensor
    public_wage: Tensor
    money: Tensor
    property_tax: Tensor
    policy: Policy


def kept(s: TreasuryState, p: Parameters) -> tuple[Tensor, Tensor]:
    """Share of pay ``[B]`` and of profits ``[B, P]`` kept after tax and evasion."""
    honest = p.one - s.evasion
    income = minus(p.one, (s.policy["income_tax"], honest[:, 0]))
    return income, minus(p.one, (s.policy["business_tax"], honest[:, 1:]))


def announce(
    s: TreasuryState, p: Parameters, before: Policy, announced: Policy, residents: Residents
) -> Fiscal:
    """What the city learns of taxes, transfers and plans at the start of the month.

    Args:
        s: with this month's instruments. before: last month's. announced: where they head.
    """
    policy, dodging = s.policy, s.dodging
    keep_income, keep_business = kept(s, p)
    claimed = evasion.claimed(p, policy, residents.people.sum(1), dodging.claims)
    return Fiscal(
        policy=policy,
        announced=announced,
        released=policy["release"] - before["release"],
        keep_income=keep_income,
        keep_business=keep_business,
        subsidy=without(policy["subsidy"], dodging.mimic),
        toll=without(policy["toll"], dodging.fraud),
        road_toll=without(policy["road_toll"], dodging.fraud),
        fare=without(policy["fare"], dodging.riding),
        rebate=claimed.rebate,
        targeting=claimed.targeting,
        lure=claimed.lure,
        dividend=s.dividend,
    )


def _wages(f: TreasuryFundamentals, market: Market) -> Tensor:
    """Public wage over baseline ``[B, D]``."""
    return market.wages[..., PUBLIC] / market.employed[..., PUBLIC] / f.public_wage


def usual_spending(f: TreasuryFundamentals, p: Parameters) -> dict[str, Tensor]:
    """What each line of the budget has at today's policy in the first year ``[b]`` k$/month."""
    usual = p.bd.budget_share * f.budget.unsqueeze(-1)
    return dict(zip(BUDGET_LINES, usual.unbind(-1), strict=True))


def board_requests(
    f: TreasuryFundamentals,
    usual: dict[str, Tensor],
    policy: Policy,
    wages: Tensor,
    road: Tensor,
) -> dict[str, Tensor]:
    """Spending that districts run themselves ``[B, D]`` k$/month.

    Args:
        usual: see ``usual_spending``. wages, road: ``[B, D]`` over baseline.
    """
    staff = (f.staff_cost * policy["staff"]).sum(-1) * wages
    upkeep = usual["maintenance"].unsqueeze(-1) * f.road_cost
    return {"staff": staff, "maintenance": upkeep * policy["maintenance"] * road}


def requests(
    f: TreasuryFundamentals,
    p: Parameters,
    usual: dict[str, Tensor],
    policy: Policy,
    boards: dict[str, Tensor],
    people: Tensor,
) -> dict[str, Tensor]:
    """What each budget line asks for ``[B]`` k$/month."""
    asked = {name: value.sum(-1) for name, value in boards.items()}
    asked["facilities"] = (f.facility_cost * policy["facilities"]).sum((1, 2))
    asked["road"] = usual["road"] * (f.road_cost * policy["road"]).sum(-1)
    asked |= {name: usual[name] * policy[name] for name in CITY_LINES}
    audited = (p.b.audit_cost * f.budget, policy["audit"] - p.today["audit"])
    asked["fixed"] = plus(usual["fixed"] * people / f.people, audited)
    return asked


def collect(
    f: TreasuryFundamentals,
    p: Parameters,
    fiscal: Fiscal,
    residents: Residents,
    land: Land,
    market: Market,
    income: Income,
    commuting: Commute,
    services: ServiceUse,
    value: Value,
) -> dict[str, Tensor]:
    """Revenue by source ``[B]`` k$/month; the grant follows residents and their earning power."""
    policy, kinds = fiscal.policy, residents.people.sum(1)
    people, units = kinds.sum(-1), (kinds * p.bd.efficiency).sum(-1)
    growth = torch.lerp(people / f.people, units / f.units, p.b.grant_earnings) - p.one
    pay, profit = (residents.people * income.gross).sum((1, 2)), market.profit.sum(1)
    return {
        "income_tax": without(pay, fiscal.keep_income),
        "business_tax": without(profit, fiscal.keep_business).sum(-1),
        "property_tax": (policy["property_tax"] * value.property_value).sum(-1) / p.year,
        "fares": commuting.fares,
        "tolls": commuting.tolls,
        "fees": (residents.people * services.fees).sum((1, 2)),
        "land_sales": (fiscal.released * land.found * value.land_value).sum(-1),
        "grant": grant(f, p, growth),
    }


def grant(f: TreasuryFundamentals, p: Parameters, growth: Tensor) -> Tensor:
    """National grant ``[B]`` k$/month at a growth of what it follows since the first year.

    Linear as the city grows; a power law with the same slope as it shrinks, so that a city that
    loses most of its people never pays the nation.
    """
    slope = p.b.grant_per_head * f.budget
    linear = plus(f.grant, (slope, growth))
    left = (p.one + growth).clamp_min(_LEAST)
    shrunk = f.grant * left ** (slope / f.grant.clamp_min(_LEAST))
    return torch.where((growth < 0) & (f.grant > 0), shrunk, linear)


def affordable(p: Parameters, available: Tensor, request: Tensor) -> tuple[Tensor, Tensor]:
    """Paid over requested, and what is left over in the same unit as ``request``.

    The share follows ``available / request`` smoothly between ``scale_low`` and ``scale_high``
    and is 1 where they are equal; a surplus is left for a lump-sum dividend: all that is
    available where nothing is requested.
    """
    view = p.b if request.dim() == 1 else p.bd
    low, high, rho, sharp = view.scale_low, view.scale_high, view.rho_scale, view.budget_sharp
    asked = request.clamp_min(FLOOR)
    ratio = low + softplus(sharp * (available / asked - low)) / sharp
    unit = torch.exp(torch.log1p(high**-rho) / rho)
    scale = unit * ces_match(high, ratio, rho)
    return scale, minus(asked * ratio, (request, scale))


def _total(amounts: Iterable[Tensor]) -> Tensor:
    """Sum of amounts of one shape."""
    return torch.stack(list(amounts)).sum(0)


@dataclass(frozen=True)
class _Ration:
    """What is paid over what is asked: scale ``[B]`` by governor; staff, upkeep ``[B, D]`` for the
    lines that districts run; dividend ``[B]`` k$ left over."""

    scale: dict[str, Tensor]
    staff: Tensor
    upkeep: Tensor
    dividend: Tensor


def _everywhere(scale: dict[str, Tensor], dividend: Tensor, like: Tensor) -> _Ration:
    """Districts are paid as their governors are; ``like`` ``[B, D]``."""
    staff, upkeep = (
        scale[name].unsqueeze(-1).expand_as(like) for name in ("services", "infrastructure")
    )
    return _Ration(scale, staff, upkeep, dividend)


def _split(
    p: Parameters,
    available: Tensor,
    asked: dict[str, Tensor],
    usual: dict[str, Tensor],
    tilt: Tensor,
    like: Tensor,
) -> _Ration:
    """Each governor spends its share of the budget, tilted by ``tilt`` ``[B, G]``."""
    lines = {name: DEPARTMENTS[name] for name in SPENDERS}
    weights = {
        name: weight * _total(usual[line] for line in lines[name])
        for name, weight in zip(SPENDERS, tilt.unbind(-1), strict=True)
    }
    whole = _total(weights.values())
    found = {
        name: affordable(
            p, available * weights[name] / whole, _total(asked[line] for line in lines[name])
        )
        for name in SPENDERS
    }
    scale = {name: share for name, (share, _) in found.items()}
    return _everywhere(scale, _total(left for _, left in found.values()), like)


def _by_board(
    p: Parameters, available: Tensor, request: Tensor, own: Tensor, local: Tensor
) -> _Ration:
    """Districts pay ``local`` requests from ``own`` money ``[B, D]``, the rest is pooled."""
    board, left = affordable(p, own, local)
    share, common = affordable(p, available - own.sum(-1), request - local.sum(-1))
    return _Ration(dict.fromkeys(SPENDERS, share), board, board, common + left.sum(-1))


def settle(
    s: TreasuryState,
    f: TreasuryFundamentals,
    p: Parameters,
    fiscal: Fiscal,
    residents: Residents,
    market: Market,
    roads: Roads,
    value: Value,
    revenue: dict[str, Tensor],
    mode: str,
) -> Settlement:
    """Compare revenue with the requests and pay what can be paid.

    Modes: ``pooled``, one limit for all; ``departments``, each governor spends its share of
    the budget (lever ``budget_split``); ``boards``, each district pays staff and maintenance
    from its own property tax and its first-year grant; ``soft``, every request is paid from
    outside and debt stands still (ceteris-paribus studies only).
    """
    policy, kinds, road = fiscal.policy, residents.people.sum(1), roads.stock
    wages, usual = _wages(f, market), usual_spending(f, p)
    boards = board_requests(f, usual, policy, wages, road)
    asked = requests(f, p, usual, policy, boards, kinds.sum(-1))
    rebates = f.money * (kinds * fiscal.rebate).sum(-1)
    subsidies = (policy["subsidy"] * market.capital).sum((1, 2))
    total = _total(revenue.values())
    senior = asked[FIXED] + rebates + subsidies
    indebted = torch.sigmoid(s.debt / f.budget * p.b.budget_sharp)
    interest = plus(p.b.interest, (p.b.spread, indebted)) * s.debt
    repay = p.b.rate_debt * (p.year * total * policy["debt_target"] - s.debt)
    available = total - interest + repay - senior
    request = _total(asked[line] for line in asked if line != FIXED)
    if mode == "soft":
        interest, paid = torch.zeros_like(total), torch.ones_like(total)
        ration = _everywhere(dict.fromkeys(SPENDERS, paid), interest, road)
    elif mode == "pooled":
        share, left = affordable(p, available, request)
        ration = _everywhere(dict.fromkeys(SPENDERS, share), left, road)
    elif mode == "departments":
        ration = _split(p, available, asked, usual, policy["budget_split"], road)
    else:
        local = _total(boards.values())
        before = board_requests(f, usual, f.policy, torch.ones_like(wages), torch.ones_like(road))
        grant = _total(before.values()) - f.property_tax
        own = policy["property_tax"] / p.year * value.property_value + grant
        ration = _by_board(p, available, request, own, local)
    extras = {
        "rebates": rebates,
        "subsidies": subsidies,
        "dividend": ration.dividend,
        "interest": interest,
    }
    return _account(s, mode, revenue, total, asked, boards, ration, extras)


def _account(
    s: TreasuryState,
    mode: str,
    revenue: dict[str, Tensor],
    total: Tensor,
    asked: dict[str, Tensor],
    boards: dict[str, Tensor],
    ration: _Ration,
    extras: dict[str, Tensor],
) -> Settlement:
    """Payments line by line, the balance, and next month's debt; ``total`` ``[B]`` is revenue."""
    scale = {"planning": torch.ones_like(total), **ration.scale}
    wanted = torch.stack(list(asked.values()))
    met = wanted * torch.stack([scale[GOVERNOR[line]] for line in asked])
    paid = dict(zip(asked, met.unbind(0), strict=True))
    if mode == "boards":
        paid["staff"] = (boards["staff"] * ration.staff).sum(-1)
        paid["maintenance"] = (boards["maintenance"] * ration.upkeep).sum(-1)
        met = torch.stack(list(paid.values()))
    handed = extras["rebates"] + extras["subsidies"]
    spending = met.sum(0) + handed + extras["dividend"]
    return Settlement(
        revenue=total,
        spending=spending,
        request=wanted.sum(0) + handed,
        scale=ration.scale,
        staff_scale=ration.staff,
        upkeep_scale=ration.upkeep,
        debt=s.debt if mode == "soft" else s.debt + spending + extras["interest"] - total,
        dividend=ration.dividend,
        lines={**revenue, **paid, **extras},
    )


def advance(
    s: TreasuryState, p: Parameters, fiscal: Fiscal, settlement: Settlement
) -> TreasuryState:
    """Debt, evasion and audit beliefs of the next month.

    A city that delivers less than it planned is cheated more (parameter ``trust``).
    """
    norm = (settlement.scale["services"] ** p.b.trust).unsqueeze(-1)
    taxes = evasion.taxes(p, s.policy, s.audit, norm)
    dodges = evasion.dodges(p, s.policy, fiscal.lure, s.audit, norm)

    def towards(now: Tensor, target: Tensor) -> Tensor:
        view = p.b if now.dim() == 1 else p.bd if now.dim() == 2 else p.bdk
        return torch.lerp(now, target, view.rate_ev)

    return TreasuryState(
        evasion=towards(s.evasion, taxes),
        dodging=tree.tree_map(towards, s.dodging, dodges),
        audit=torch.lerp(s.audit, s.policy["audit"].unsqueeze(-1), p.bd.gain_audit),
        debt=settlement.debt,
        dividend=settlement.dividend,
        policy=s.policy,
    )
