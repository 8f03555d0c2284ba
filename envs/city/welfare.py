"""Welfare of the whole city and of its groups (MODEL sections 9 and 22.3).

Money-metric throughout: a household type's expected utility, in log consumption units, is
turned into income by ``y0 exp(J - J0)`` with ``y0`` its income in the first year.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.model import City, Flows
from envs.city.parameters import Parameters
from envs.city.shocks import no_shocks

RAWLS = 20.0
ATKINSON = {"utilitarian": 0.0, "nash": 1.0, "atkinson": 2.0, "rawls": RAWLS}
POPULATION = ("incumbents", "residents", "land_fiscal", "total")
OBJECTIVES = (*ATKINSON, "gini")
WEIGHTS = ("experienced", "revealed")
#: Differences of consumption below this share of its mean count less in the smooth Gini index.
GINI_WIDTH = 1e-4
#: Least income of the first year's residents that counts, share of what they had.
LEAST_INCOME = 1e-3


@dataclass(frozen=True)
class Reference:
    """First-year values that welfare is measured against.

    people: ``[b, K]``; income: ``[b, K]`` k$/month per resident; utility: ``[b, D, K]``;
    expected: ``[b, K]``; total: ``[b]`` k$/month; land, profit: ``[b]`` quasi-rents and
    quasi-profits, k$/month.
    """

    people: Tensor
    income: Tensor
    utility: Tensor
    expected: Tensor
    total: Tensor
    land: Tensor
    profit: Tensor


@dataclass(frozen=True)
class Welfare:
    """Welfare of one month; changes against the first year, shares of its total income.

    total: ``[B]`` critical-level utilitarian (newcomers count their surplus only);
    incumbents: ``[B]`` type weights of the first year; residents: ``[B]`` mean over those
    who live here now; land_fiscal: ``[B]`` all quasi-rents of land and the public balance;
    by_type: ``[B, K]`` and by_district: ``[B, D]`` change per head, share of the group's own
    income; consumption: ``[B, D, K]`` equivalent income, k$/month; people: ``[B, D, K]``.

    Quasi-rents and quasi-profits go to resident owners in proportion to earning power, by
    the shares ``own_rents`` and ``own_profits``; outside owners count nothing.
    """

    total: Tensor
    incumbents: Tensor
    residents: Tensor
    land_fiscal: Tensor
    by_type: Tensor
    by_district: Tensor
    consumption: Tensor
    people: Tensor

    def atkinson(self, aversion: float) -> Tensor:
        """Equally-distributed-equivalent income ``[B]`` k$/month at an inequality aversion.

        0 is utilitarian in money, 1 the geometric mean (Nash), large values approach the
        poorest group (Rawls). Atkinson 1970, Journal of Economic Theory 2(3).
        """
        return equally_distributed(self.consumption, self.people, aversion)


def equally_distributed(consumption: Tensor, people: Tensor, aversion: float) -> Tensor:
    """Atkinson's equally-distributed-equivalent of ``consumption`` over the last two axes."""
    weight = people / people.sum((-2, -1), keepdim=True)
    if abs(aversion - 1) < 1e-9:
        return torch.exp((weight * torch.log(consumption)).sum((-2, -1)))
    power = 1 - aversion
    lowest = consumption.amin((-2, -1), keepdim=True)
    inner = (weight * (consumption / lowest) ** power).sum((-2, -1))
    return lowest.squeeze(-1).squeeze(-1) * inner ** (1 / power)


def settled_equivalent(now: Welfare, ref: Reference, aversion: float) -> Tensor:
    """Atkinson's equally-distributed-equivalent income of the first year's residents ``[B]``
    k$/month, by type: who moves in or out changes nothing."""
    income = (ref.income * (1 + now.by_type)).clamp_min(LEAST_INCOME * ref.income)
    people = ref.people.expand_as(income)
    return equally_distributed(income.unsqueeze(1), people.unsqueeze(1), aversion)


def gini_equivalent(consumption: Tensor, people: Tensor) -> Tensor:
    """Mean times one minus the Gini index of ``consumption`` ``[B, D, K]`` over people ``[B]``.

    Sen 1976, Review of Economic Studies 43(1). Differences are rounded off at ``GINI_WIDTH`` of
    the mean, so that the index has a slope where many are equal.
    """
    weight = people / people.sum((-2, -1), keepdim=True)
    mean = (weight * consumption).sum((-2, -1))
    width = (GINI_WIDTH * mean).reshape(-1, 1, 1, 1)
    apart = torch.zeros_like(mean)
    for level, share in zip(consumption.unbind(-1), weight.unbind(-1), strict=True):
        gap = consumption.unsqueeze(1) - level.unsqueeze(-1).unsqueeze(-1)
        pairs = weight.unsqueeze(1) * (torch.sqrt(gap**2 + width**2) - width)
        apart = apart + (share * pairs.sum((-2, -1))).sum(-1)
    return mean - apart / 2


def expected_utility(p: Parameters, utility: Tensor, people: Tensor, floor: Tensor) -> Tensor:
    """Expected utility by type ``[B, K]``, location tastes included.

    ``sum_i n_ik (V_ik - ln(n_ik / h_i) / mu)`` with ``n`` the type's distribution and ``h``
    the floor shares to the power of ``size_floor``: equals the logsum where the distribution
    is the logit's, and stays meaningful while people still move.
    """
    share = people / people.sum(1, keepdim=True)
    size = (floor / floor.sum(-1, keepdim=True)).unsqueeze(-1) ** p.bdk.size_floor
    return (share * (utility - torch.log(share / size) / p.bdk.mu_r)).sum(1)


#: What a month is judged by: the name of a population measure, or a function of its welfare
#: against reference values, ``[B]`` share of the first year's income.
Measure = str | Callable[[Welfare, Reference], Tensor]


def measured(now: Welfare, ref: Reference, measure: Measure) -> Tensor:
    """A month by a measure ``[B]``, share of the first year's income."""
    if isinstance(measure, str):
        value: Tensor = getattr(now, measure)
        return value
    return measure(now, ref)


def _utility(flows: Flows, weights: str) -> Tensor:
    return flows.value.welfare if weights == "experienced" else flows.value.utility


def reference(city: City, weights: str = "experienced") -> Reference:
    """Reference values from the first month of the status quo."""
    start = city.initial()
    like = start.planning.home_rent
    _, flows = city.step(start, {}, no_shocks(like.shape[0], like.shape[1], like), mode="soft")
    people = flows.residents.people
    utility = _utility(flows, weights)
    income = (people * flows.income.disposable).sum(1) / people.sum(1)
    return Reference(
        people=people.sum(1),
        income=income,
        utility=utility,
        expected=expected_utility(city.parameters, utility, people, flows.residents.home_floor),
        total=(people.sum(1) * income).sum(-1),
        land=flows.value.land_surplus,
        profit=flows.value.profit_surplus,
    )


def evaluate(city: City, ref: Reference, flows: Flows, weights: str = "experienced") -> Welfare:
    """Welfare of one month's flows.

    Args:
        weights: "experienced" (default) counts minutes and money as people live them;
            "revealed" as their choices weigh them.
    """
    people = flows.residents.people
    kinds = people.sum(1)
    utility = _utility(flows, weights)
    expected = expected_utility(city.parameters, utility, people, flows.residents.home_floor)
    p = city.parameters
    gain = torch.exp(expected - ref.expected) - 1
    owned = p.b.own_rents * (flows.value.land_surplus - ref.land) + p.b.own_profits * (
        flows.value.profit_surplus - ref.profit
    )
    per_unit = owned / (p.bd.efficiency * ref.people).sum(-1)
    by_type = gain + p.bd.efficiency * per_unit.unsqueeze(-1) / ref.income
    local = torch.exp(utility - ref.utility)
    consumption = ref.income.unsqueeze(1) * local
    consumption = consumption + (p.bd.efficiency * per_unit.unsqueeze(-1)).unsqueeze(1)
    consumption = torch.maximum(consumption, p.bdk.consumption_least * ref.income.unsqueeze(1))
    here = ref.income.unsqueeze(1) * people
    balance = flows.settlement.revenue - flows.settlement.spending
    owners = owned / ref.total
    return Welfare(
        total=(kinds * ref.income * gain).sum(-1) / ref.total + owners,
        incumbents=(ref.people * ref.income * gain).sum(-1) / ref.total + owners,
        residents=(kinds * ref.income * gain).sum(-1) / (kinds * ref.income).sum(-1) + owners,
        land_fiscal=(flows.value.land_surplus - ref.land + balance) / ref.total,
        by_type=by_type,
        by_district=(consumption * people).sum(-1) / here.sum(-1) - 1,
        consumption=consumption,
        people=people,
    )
