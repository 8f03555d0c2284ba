"""The one treasury: taxes, requests, debt (MODEL sections 5(11)-(12)); see also ``evasion``."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from envs.city import evasion, tree
from envs.city.evasion import Dodging
from envs.city.functions import FLOOR, ces_match
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
BOARD_LINES = ("staff", "maintenance")
CITY_LINES = tuple(line for line in BUDGET_LINES if line != FIXED and not LEVERS[line].shape)
#: Lines of the budget by governor; what nobody governs is planning's.
DEPARTMENTS = {
    governor: tuple(
        line for line in BUDGET_LINES if line != FIXED and LEVERS[line].governor == governor
    )
    for governor in GOVERNORS
} | {"planning": (FIXED,)}


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


def kept(s: TreasuryState) -> tuple[Tensor, Tensor]:
    """Share of pay ``[B]`` and of profits ``[B, P]`` kept after tax and evasion."""
    income = 1 - s.policy["income_tax"] * (1 - s.evasion[:, 0])
    business = 1 - s.policy["business_tax"] * (1 - s.evasion[:, 1:])
    return income, business


def announce(
    s: TreasuryState, p: Parameters, before: Policy, announced: Policy, residents: Residents
) -> Fiscal:
    """What the city learns of taxes, transfers and plans at the start of the month.

    Args:
        s: with this month's instruments. before: last month's. announced: where they head.
    """
    policy, dodging = s.policy, s.dodging
    honest = 1 - dodging.fraud
    keep_income, keep_business = kept(s)
    claimed = evasion.claimed(p, policy, residents.people.sum(1), dodging.claims)
    return Fiscal(
        policy=policy,
        announced=announced,
        released=policy["release"] - before["release"],
        keep_income=keep_income,
        keep_business=keep_business,
        subsidy=policy["subsidy"] * (1 - dodging.mimic),
        toll=policy["toll"] * honest,
        road_toll=policy["road_toll"] * honest,
        fare=policy["fare"] * (1 - dodging.riding),
        rebate=claimed.rebate,
        targeting=claimed.targeting,
        lure=claimed.lure,
        dividend=s.dividend,
    )


def _wages(f: TreasuryFundamentals, market: Market) -> Tensor:
    """Public wage over baseline ``[B, D]``."""
    return market.wages[..., PUBLIC] / market.employed[..., PUBLIC] / f.public_wage


def board_requests(
    f: TreasuryFundamentals, p: Parameters, policy: Policy, wages: Tensor, road: Tensor
) -> dict[str, Tensor]:
    """Spending that districts run themselves ``[B, D]`` k$/month (``road`` is over baseline)."""
    lines = dict(zip(BUDGET_LINES, p.bd.budget_share.unbind(-1), strict=True))
    staff = (f.staff_cost * policy["staff"]).sum(-1) * wages
    upkeep = (lines["maintenance"] * f.budget).unsqueeze(-1) * f.road_cost
    return {"staff": staff, "maintenance": upkeep * policy["maintenance"] * road}


def requests(
    f: TreasuryFundamentals,
    p: Parameters,
    policy: Policy,
    boards: dict[str, Tensor],
    people: Tensor,
) -> dict[str, Tensor]:
    """What each budget line asks for ``[B]`` k$/month."""
    share = dict(zip(BUDGET_LINES, p.bd.budget_share.unbind(-1), strict=True))
    asked = {name: value.sum(-1) for name, value in boards.items()}
    asked["facilities"] = (f.facility_cost * policy["facilities"]).sum((1, 2))
    asked["road"] = share["road"] * f.budget * (f.road_cost * policy["road"]).sum(-1)
    usual = torch.stack([share[name] for name in CITY_LINES]) * f.budget
    wanted = usual * torch.stack([policy[name] for name in CITY_LINES])
    asked |= dict(zip(CITY_LINES, wanted.unbind(0), strict=True))
    audit = p.b.audit_cost * f.budget * (policy["audit"] - LEVERS["audit"].default)
    asked["fixed"] = share["fixed"] * f.budget * people / f.people + audit
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
    policy, people = fiscal.policy, residents.people.sum((1, 2))
    keep_income, keep_business = fiscal.keep_income, fiscal.keep_business
    units = (residents.people.sum(1) * p.bd.efficiency).sum(-1)
    earning = p.b.grant_earnings
    growth = (1 - earning) * people / f.people + earning * units / f.units - 1
    return {
        "income_tax": (residents.people * income.gross).sum((1, 2)) * (1 - keep_income),
        "business_tax": (market.profit.sum(1) * (1 - keep_business)).sum(-1),
        "property_tax": (policy["property_tax"] / 12 * value.property_value).sum(-1),
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
    linear = f.grant + slope * growth
    shrunk = f.grant * (1 + growth).clamp_min(_LEAST) ** (slope / f.grant.clamp_min(_LEAST))
    return torch.where((growth < 0) & (f.grant > 0), shrunk, linear)


def affordable(p: Parameters, available: Tensor, request: Tensor) -> tuple[Tensor, Tensor]:
    """Paid over requested, and what is left over in the same unit as ``request``.

    The share follows ``available / request`` smoothly between ``scale_low`` and ``scale_high``
    and is 1 where they are equal; a surplus is left for a lump-sum dividend: all that is
    available where nothing is requested.
    """
    asked = request.clamp_min(FLOOR)
    raw = available / asked
    row = (-1, *(1,) * (raw.dim() - 1))
    limits = (p.b.scale_low, p.b.scale_high, p.b.rho_scale, p.b.budget_sharp)
    low, high, rho, sharp = (x.reshape(row) for x in limits)
    ratio = low + softplus(sharp * (raw - low)) / sharp
    unit = (1 + high**-rho) ** (1 / rho)
    scale = unit * ces_match(high.expand_as(ratio), ratio, rho)
    return scale, asked * ratio - request * scale


@dataclass(frozen=True)
class _Ration:
    """What is paid over what is asked: scale ``[B]`` by governor; board ``[B, D]`` for the lines
    that districts run; dividend ``[B]`` k$ left over."""

    scale: dict[str, Tensor]
    board: Tensor
    dividend: Tensor


def _pool(p: Parameters, available: Tensor, request: dict[str, Tensor], like: Tensor) -> _Ration:
    """One limit for all."""
    share, left = affordable(p, available, torch.stack(list(request.values())).sum(0))
    return _Ration(dict.fromkeys(request, share), torch.ones_like(like), left)


def _split(
    p: Parameters, available: Tensor, request: dict[str, Tensor], tilt: Tensor, like: Tensor
) -> _Ration:
    """Each governor spends its share of the budget, tilted by ``tilt`` ``[B, G]``."""
    lines = dict(zip(BUDGET_LINES, p.bd.budget_share.unbind(-1), strict=True))
    usual = {
        name: weight * sum(lines[line] for line in DEPARTMENTS[name])
        for name, weight in zip(request, tilt.unbind(-1), strict=True)
    }
    whole = torch.stack(list(usual.values())).sum(0)
    found = {
        name: affordable(p, available * usual[name] / whole, asked)
        for name, asked in request.items()
    }
    left = torch.stack([x[1] for x in found.values()]).sum(0)
    return _Ration({name: x[0] for name, x in found.items()}, torch.ones_like(like), left)


def _by_board(
    p: Parameters, available: Tensor, request: dict[str, Tensor], own: Tensor, local: Tensor
) -> _Ration:
    """Districts pay ``local`` requests from ``own`` money ``[B, D]``, the rest is pooled."""
    board, left = affordable(p, own, local)
    rest = torch.stack(list(request.values())).sum(0) - local.sum(-1)
    share, common = affordable(p, available - own.sum(-1), rest)
    return _Ration(dict.fromkeys(request, share), board, common + left.sum(-1))


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
    policy, people, road = fiscal.policy, residents.people.sum((1, 2)), roads.stock
    wages = _wages(f, market)
    boards = board_requests(f, p, policy, wages, road)
    asked = requests(f, p, policy, boards, people)
    rebates = f.money * (residents.people.sum(1) * fiscal.rebate).sum(-1)
    subsidies = (policy["subsidy"] * market.capital).sum((1, 2))
    total = torch.stack(list(revenue.values())).sum(0)
    senior = asked["fixed"] + rebates + subsidies
    indebted = torch.sigmoid(s.debt / f.budget * p.b.budget_sharp)
    interest = (p.b.interest + p.b.spread * indebted) * s.debt
    repay = p.b.rate_debt * (12 * total * policy["debt_target"] - s.debt)
    available = total - interest + repay - senior
    request = {
        name: torch.stack([asked[line] for line in lines if line != "fixed"]).sum(0)
        for name, lines in DEPARTMENTS.items()
        if name != "planning"
    }
    if mode == "soft":
        interest = torch.zeros_like(total)
        one = torch.ones_like(total)
        ration = _Ration(dict.fromkeys(request, one), torch.ones_like(road), interest)
    elif mode == "pooled":
        ration = _pool(p, available, request, road)
    elif mode == "departments":
        ration = _split(p, available, request, policy["budget_split"], road)
    else:
        local = torch.stack([boards[line] for line in BOARD_LINES]).sum(0)
        before = board_requests(f, p, f.policy, torch.ones_like(wages), torch.ones_like(road))
        grant = torch.stack([before[line] for line in BOARD_LINES]).sum(0) - f.property_tax
        own = policy["property_tax"] / 12 * value.property_value + grant
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
    home = {line: name for name, lines in DEPARTMENTS.items() for line in lines}
    scale = {"planning": torch.ones_like(total), **ration.scale}
    wanted = torch.stack(list(asked.values()))
    met = wanted * torch.stack([scale[home[line]] for line in asked])
    paid = dict(zip(asked, met.unbind(0), strict=True))
    if mode == "boards":
        paid |= {line: (boards[line] * ration.board).sum(-1) for line in BOARD_LINES}
        met = torch.stack(list(paid.values()))
    handed = extras["rebates"] + extras["subsidies"]
    spending = met.sum(0) + handed + extras["dividend"]
    staff, upkeep = ration.board, ration.board
    if mode != "boards":
        staff = ration.scale["services"].unsqueeze(-1).expand_as(ration.board)
        upkeep = ration.scale["infrastructure"].unsqueeze(-1).expand_as(ration.board)
    return Settlement(
        revenue=total,
        spending=spending,
        request=wanted.sum(0) + handed,
        scale=ration.scale,
        staff_scale=staff,
        upkeep_scale=upkeep,
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
        return torch.lerp(now, target, p.b.rate_ev.reshape(-1, *(1,) * (now.dim() - 1)))

    return TreasuryState(
        evasion=towards(s.evasion, taxes),
        dodging=tree.tree_map(towards, s.dodging, dodges),
        audit=torch.lerp(s.audit, s.policy["audit"].unsqueeze(-1), p.bd.gain_audit),
        debt=settlement.debt,
        dividend=settlement.dividend,
        policy=s.policy,
    )
