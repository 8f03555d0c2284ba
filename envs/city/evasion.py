"""Evasion and mimicry: who pays less or claims more than is due (MODEL sections 5(11), 23).

One gamble, by Allingham & Sandmo, behind all of them: cheat for a gain, at a quadratic cost of
concealment and the audit probability that one perceives. Taxes are evaded at their own rate each;
drivers run on false plates, passengers without a ticket, capital claims subsidies under a false
tag, and residents claim the rebates and the priority of another type. Governors see revenue,
never the shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from envs.city.functions import FLOOR, minus, plus
from envs.city.levers import Policy
from envs.city.parameters import Parameters
from envs.city.sizes import DODGE_NAMES, PRIVATE


@dataclass(frozen=True)
class Dodging:
    """Shares that cheat: mimic ``[B, D, P]`` of subsidised capital, which is not what it says;
    fraud ``[B, D]`` of tolls, with false plates; riding ``[B]`` of trips, without a
    ticket; claims ``[B, K]`` of residents, who claim another type's tag."""

    mimic: Tensor
    fraud: Tensor
    riding: Tensor
    claims: Tensor


@dataclass(frozen=True)
class Claimed:
    """What people get by their own tag or another: rebate ``[B, K]`` k$/month at the default
    wage, targeting ``[B, K, H]`` weight; lure: ``[B, K]`` what a false tag is worth to each
    type, share of pay."""

    rebate: Tensor
    targeting: Tensor
    lure: Tensor


def odds(p: Parameters, audit: Tensor) -> Tensor:
    """What cheating keeps of its gain on average, at a perceived audit probability.

    Args:
        audit: ``[B, n]``, or ``[n]`` with scalar parameters.
    """
    v = p.b if audit.dim() == 1 else p.bd
    return minus(p.one, (plus(v.detection, (v.detection, v.penalty)), audit))


def evaded_share(p: Parameters, rate: Tensor, audit: Tensor, norm: Tensor | float = 1.0) -> Tensor:
    """Share of a tax that is evaded at a rate and a perceived audit probability.

    Allingham & Sandmo's gamble with a quadratic cost of concealment, smooth at the corner
    where the gamble stops paying and saturating at ``ev_max``.

    Args:
        rate, audit: ``[B]``, or ``[B, n]`` for several taxes; norm: what honesty multiplies
            the cost of concealment by.
    """
    v = p.b if rate.dim() == 1 else p.bd
    gain = softplus(v.ev_sharp * rate * odds(p, audit)) / (v.ev_sharp * v.ev_cost * v.ev_max)
    return -v.ev_max * torch.expm1(-gain / norm)


def taxes(p: Parameters, policy: Policy, audit: Tensor, norm: Tensor | float = 1.0) -> Tensor:
    """Evaded share of income tax and of business tax by private sector ``[B, 1 + P]``.

    Args:
        audit: ``[B, E]`` perceived by each kind of evader; norm: ``[B, 1]`` or 1.
    """
    rates = torch.cat([policy["income_tax"].unsqueeze(-1), policy["business_tax"]], -1)
    believed = torch.cat([audit[:, :1], audit[:, 1:2].expand(-1, PRIVATE)], -1)
    return evaded_share(p, rates, believed, norm)


def claimed(p: Parameters, policy: Policy, people: Tensor, claims: Tensor) -> Claimed:
    """Rebates and priority as they reach the types, false tags counted.

    Who lies takes a tag at random among those that are paid, in proportion to what they are
    paid. A small difference is not worth the trouble, and none is worth nothing.

    Args:
        people: ``[B, K]``; claims: ``[B, K]``.
    """
    own = torch.cat([policy["rebate"].unsqueeze(-1) / p.bdk.wage_unit, policy["targeting"]], -1)
    paid = people.unsqueeze(-1) * own
    offer = (paid * own).sum(1, keepdim=True) / (paid.sum(1, keepdim=True) + FLOOR)
    more = (offer - own).clamp_min(0)
    more = more * more / (more + p.bdk.least_claim)
    got = plus(own, (claims.unsqueeze(-1), more))
    return Claimed(
        rebate=got[..., 0] * p.bd.wage_unit,
        targeting=got[..., 1:],
        lure=more[..., 0] + (p.bdk.om_service * more[..., 1:]).sum(-1),
    )


def dodges(p: Parameters, policy: Policy, lure: Tensor, audit: Tensor, norm: Tensor) -> Dodging:
    """Shares that cheat where the gamble is at its optimum.

    The same gamble as for taxes, with the corner smoothed per unit of gain, so that nobody
    dodges a toll or mimics for a subsidy that does not exist. What is gained: the subsidy over
    the return on capital, the toll or fare over pay, the worth of another tag over pay.

    Args:
        lure: ``[B, K]``, see ``Claimed``; audit: ``[B, E]``; norm: ``[B, 1]``, what honesty
            multiplies the cost of concealment by.
    """
    worth = softplus(p.bd.ev_sharp * odds(p, audit[:, 1:])) / norm
    # A share is most (1 - exp(-steep rate)); both factors carry the minus sign of expm1.
    steep = -worth / (p.bd.ev_sharp * p.bd.dodge_cost * p.bd.dodge_max)
    subsidy, toll, fare, claim = steep.chunk(len(DODGE_NAMES), -1)
    mimics, frauds, riders, claimants = (-p.bd.dodge_max).chunk(len(DODGE_NAMES), -1)
    trips = p.bd.legs / p.bd.wage_unit
    returns = policy["subsidy"] * (subsidy / p.bd.gross_return).unsqueeze(-1)
    driven = plus(policy["toll"], (p.bd.tolled_km, policy["road_toll"]))
    ridden = policy["fare"].unsqueeze(-1)
    return Dodging(
        mimic=mimics.unsqueeze(-1) * torch.expm1(returns),
        fraud=frauds * torch.expm1(toll * trips * driven),
        riding=(riders * torch.expm1(fare * trips * ridden)).squeeze(-1),
        claims=claimants * torch.expm1(claim * lure),
    )
