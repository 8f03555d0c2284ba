"""The books balance: every account receives what it pays, and the books notice when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from envs.city.accounts import ACCOUNTS, GROUPS, Accounts, Payment, accounts
from envs.city.dynamics import Dynamics
from envs.city.model import City, CityState, Flows
from envs.city.shocks import Shocks
from tests.model.runs import random_policy


def stormy(city: City, mode: str, months: int) -> Iterator[tuple[CityState, Flows, Shocks]]:
    """State before, flows and shocks of months in crisis under policies redrawn each half-year."""
    state = city.initial()
    like = state.planning.home_rent
    weather = Dynamics("crisis", city.rows, city.districts, months, like, chance=1.0)
    for row in range(city.rows):
        weather.seed(row, row)
    weather.reset(range(city.rows))
    with torch.no_grad():
        for month in range(months):
            if month % 6 == 0:
                requested = random_policy(city, month)
            shocks = weather.advance()
            after, flows = city.step(state, requested, shocks, mode)
            yield state, flows, shocks
            state = after


def total(found: Accounts, wanted: Callable[[Payment], bool]) -> Tensor:
    """Sum ``[B]`` of the payments that are wanted."""
    return torch.stack([x.amount for x in found.payments if wanted(x)]).sum(0)


def test_london_closes(london: City) -> None:
    for state, flows, shocks in stormy(london, "pooled", 12):
        assert float(accounts(london, state, flows, shocks).gap.abs().max()) < 1e-12


def test_identities_of_the_city_households_and_firms(many: City) -> None:
    """MODEL section 8, from the entries of the accounts."""
    for state, flows, shocks in stormy(many, "pooled", 12):
        found = accounts(many, state, flows, shocks)
        settlement, market, income = flows.settlement, flows.market, flows.income
        owed = state.treasury.debt + settlement.spending + settlement.lines["interest"]
        torch.testing.assert_close(settlement.debt, owed - settlement.revenue)
        revenue = total(found, lambda x: x.receiver == "government" and x.purpose != "borrowing")
        torch.testing.assert_close(revenue, settlement.revenue)
        spent = total(found, lambda x: x.payer in GROUPS["households"])
        people = flows.residents.people
        taxes = total(found, lambda x: x.purpose in ("income tax", "fees", "burden of audits"))
        torch.testing.assert_close(spent - taxes, (people * income.disposable).sum((1, 2)))
        sold = total(found, lambda x: x.receiver in GROUPS["firms"])
        torch.testing.assert_close(sold, market.sales.sum((1, 2)))
        for row, column in (("labour", "firms"), ("property", "firms"), ("capital", "firms")):
            cell = found.grouped()[:, list(GROUPS).index(row), list(GROUPS).index(column)]
            assert bool((cell > 0).all())
        spread = flows.shopping.revenue / many.fundamentals.industry.local_scale
        torch.testing.assert_close(spread.sum(-1), income.spending.sum(-1))


TAMPERED: dict[str, tuple[Callable[[Flows], Flows], str]] = {
    "pay": (
        lambda f: replace(f, income=replace(f.income, gross=1.001 * f.income.gross)),
        "labour",
    ),
    "rebates": (
        lambda f: replace(f, fiscal=replace(f.fiscal, rebate=f.fiscal.rebate + 1e-4)),
        "government",
    ),
    "tolls": (
        lambda f: replace(f, commute=replace(f.commute, tolls=1.01 * f.commute.tolls)),
        "travel",
    ),
    "fares": (
        lambda f: replace(f, commute=replace(f.commute, fares=1.01 * f.commute.fares)),
        "travel",
    ),
    "profits": (
        lambda f: replace(f, market=replace(f.market, profit=1.001 * f.market.profit)),
        "manufacturing",
    ),
    "business tax": (
        lambda f: replace(
            f, fiscal=replace(f.fiscal, keep_business=0.999 * f.fiscal.keep_business)
        ),
        "government",
    ),
    "subsidies": (
        lambda f: replace(f, fiscal=replace(f.fiscal, subsidy=0.9 * f.fiscal.subsidy)),
        "",
    ),
    "spending": (
        lambda f: replace(f, income=replace(f.income, disposable=1.001 * f.income.disposable)),
        "highest income",
    ),
    "debt": (
        lambda f: replace(f, settlement=replace(f.settlement, debt=f.settlement.debt + 100.0)),
        "government",
    ),
    "a line of the budget": (
        lambda f: replace(
            f,
            settlement=replace(
                f.settlement, lines=f.settlement.lines | {"road": 1.1 * f.settlement.lines["road"]}
            ),
        ),
        "government",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_cooked_books_do_not_close(many: City, what: str) -> None:
    """An entry that is wrong anywhere opens the account that it belongs to."""
    cook, opened = TAMPERED[what]
    *_, (state, flows, shocks) = stormy(many, "pooled", 6)
    gap = accounts(many, state, cook(flows), shocks).gap.abs().amin(0)
    if opened:
        assert float(gap[ACCOUNTS.index(opened)]) > 1e-6
    else:
        assert float(gap.max()) < 1e-12, "what does not reach real capital goes to mimics"


def test_mimics_take_what_real_capital_does_not(many: City) -> None:
    *_, (state, flows, shocks) = stormy(many, "pooled", 24)
    found = accounts(many, state, flows, shocks)
    lost = total(found, lambda x: x.purpose == "subsidies to mimics")
    kept = total(found, lambda x: x.purpose == "subsidies")
    torch.testing.assert_close(lost + kept, flows.settlement.lines["subsidies"])
    mimic = state.treasury.dodging.mimic
    paid = flows.fiscal.policy["subsidy"] * flows.market.capital
    torch.testing.assert_close(lost, (mimic * paid).sum((1, 2)))
    assert bool((lost > 0).all())
