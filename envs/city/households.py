"""Households: budgets from pay, transfers and ownership (MODEL section 5(7))."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from envs.city.levers import LEVERS
from envs.city.parameters import Parameters
from envs.city.ports import Commute, Fiscal, Income, Market, Residents, ServiceUse


@dataclass(frozen=True)
class HouseholdFundamentals:
    """participation: ``[b]`` workers per resident; money: ``[b]`` local wage over the unit of
    money levers."""

    participation: Tensor
    money: Tensor


def subsistence(p: Parameters, share: Tensor) -> Tensor:
    """Disposable over net income ``[B, D, K]``: ``share``, but never less than a little."""
    least, sharp = p.bdk.income_least, p.bdk.income_sharp
    return least + softplus(sharp * (share - least)) / sharp


def budget(
    f: HouseholdFundamentals,
    p: Parameters,
    residents: Residents,
    market: Market,
    pay: Tensor,
    services: ServiceUse,
    fiscal: Fiscal,
) -> Income:
    """Gross, net and disposable income per resident ``[B, D, K]``.

    Args:
        pay: ``[B, D, K]`` expected pay of an efficiency unit by residence.

    Quasi-rents and quasi-profits are not part of a resident's budget: they belong to owners,
    who keep them whoever moves in (MODEL section 22.3), and enter welfare there.
    """
    policy, efficiency = fiscal.policy, p.bd.efficiency.unsqueeze(1)
    dividend = fiscal.dividend / residents.people.sum((1, 2))
    gross = efficiency * (f.participation * market.effort).reshape(-1, 1, 1) * pay
    net = gross * fiscal.keep_income.reshape(-1, 1, 1)
    rebate = (fiscal.rebate * f.money.unsqueeze(-1)).unsqueeze(1)
    burden = p.b.compliance * (policy["audit"] - LEVERS["audit"].default)
    extra = (rebate + dividend.reshape(-1, 1, 1) - services.fees) / net - burden.reshape(-1, 1, 1)
    disposable = net * subsistence(p, 1 + extra)
    spending = p.b.loc_share.unsqueeze(-1) * (residents.people * disposable).sum(-1)
    return Income(gross=gross, net=net, disposable=disposable, spending=spending)


def experienced(
    p: Parameters,
    commuting: Commute,
    income: Income,
    value_of_time: Tensor,
    typical_value: Tensor,
    utility: Tensor,
    participation: Tensor,
) -> Tensor:
    """Utility with experienced instead of decision weights ``[B, D, K]`` (MODEL section 9).

    Choices imply a disutility ``kappa`` per minute and ``kappa / value of time`` per k$ of a
    trip, with the typical value of time for costs that all types weigh alike; welfare counts
    ``kappa_w`` per minute and money at its share of pay.
    """
    kappa = p.bdk.ke / p.bdk.eps
    worker = income.disposable / participation.reshape(-1, 1, 1)
    alike = typical_value.reshape(-1, 1, 1)
    decided = (commuting.money - commuting.common) / value_of_time.unsqueeze(1)
    money = kappa * (decided + commuting.common / alike) - p.bdk.legs / worker * commuting.money
    return utility + money + commuting.minutes * (kappa - p.bdk.kappa_w)


def type_income(residents: Residents, income: Income) -> Tensor:
    """Mean disposable income by type ``[B, K]`` k$/month."""
    people = residents.people
    return (people * income.disposable).sum(1) / people.sum(1)
