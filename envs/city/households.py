"""Households: budgets from pay, transfers and ownership (MODEL section 5(7))."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from envs.city.functions import minus, plus
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
    people, policy = residents.people, fiscal.policy
    effort = (f.participation * market.effort).reshape(-1, 1, 1)
    gross = p.bdk.efficiency * effort * pay
    net = gross * fiscal.keep_income.reshape(-1, 1, 1)
    dividend = (fiscal.dividend / people.sum((1, 2))).unsqueeze(-1)
    given = plus(dividend, (fiscal.rebate, f.money.unsqueeze(-1))).unsqueeze(1)
    left = minus(p.one, (p.b.compliance, policy["audit"] - p.today["audit"])).reshape(-1, 1, 1)
    disposable = net * subsistence(p, left + (given - services.fees) / net)
    spending = p.bd.loc_share * (people * disposable).sum(-1)
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
    return plus(
        utility,
        (kappa, decided + commuting.common / alike),
        (kappa - p.bdk.kappa_w, commuting.minutes),
        (-p.bdk.legs / worker, commuting.money),
    )


def type_income(residents: Residents, income: Income) -> Tensor:
    """Mean disposable income by type ``[B, K]`` k$/month."""
    people = residents.people
    return (people * income.disposable).sum(1) / people.sum(1)
