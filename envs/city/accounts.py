"""The social accounting matrix: every payment of a month, who pays and who receives it.

Built from the ports of a month, entry by entry from the entry's own definition, so that what an
account receives need not equal what it pays: that it does is the model's bookkeeping (MODEL
section 8), and a test. Only what households buy elsewhere and what owners take home are what is
left. Rents and profits belong to owners, who keep them whoever moves in and spend them outside
the budgets of the model (MODEL section 22.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.households import subsistence
from envs.city.levers import BUDGET_LINES, LEVERS
from envs.city.model import City, CityState, Flows
from envs.city.shocks import Shocks
from envs.city.sizes import PRIVATE, PRIVATE_NAMES, TYPE_NAMES

LOCAL, PUBLIC = "local", "public services"
LABOUR, CAPITAL, PROPERTY, OWNERS = "labour", "capital", "property", "owners"
TRAVEL, GOVERNMENT, WORLD = "travel", "government", "rest of the world"

#: Group of accounts -> its accounts.
GROUPS: dict[str, tuple[str, ...]] = {
    "households": TYPE_NAMES,
    "firms": PRIVATE_NAMES,
    PUBLIC: (PUBLIC,),
    LABOUR: (LABOUR,),
    CAPITAL: (CAPITAL,),
    PROPERTY: (PROPERTY,),
    OWNERS: (OWNERS,),
    TRAVEL: (TRAVEL,),
    GOVERNMENT: (GOVERNMENT,),
    WORLD: (WORLD,),
}
ACCOUNTS: tuple[str, ...] = tuple(name for group in GROUPS.values() for name in group)

#: Budget lines that buy from outside the city.
PURCHASES = tuple(line for line in BUDGET_LINES if line != "staff")


@dataclass(frozen=True)
class Payment:
    """What one account pays another for: ``amount`` ``[B]`` k$/month, negative if it flows back."""

    payer: str
    receiver: str
    purpose: str
    amount: Tensor


@dataclass(frozen=True)
class Accounts:
    """The matrix of a month.

    payments: every entry; matrix: ``[B, n, n]`` k$/month, row receives from column, in the order
    of ``ACCOUNTS``.
    """

    payments: tuple[Payment, ...]
    matrix: Tensor

    @property
    def receipts(self) -> Tensor:
        """What each account receives ``[B, n]``."""
        return self.matrix.sum(2)

    @property
    def outlays(self) -> Tensor:
        """What each account pays ``[B, n]``."""
        return self.matrix.sum(1)

    @property
    def gap(self) -> Tensor:
        """Receipts less outlays over the larger gross flow ``[B, n]``: zero if it closes."""
        gross = torch.maximum(self.matrix.abs().sum(2), self.matrix.abs().sum(1))
        return (self.receipts - self.outlays) / gross

    def grouped(self) -> Tensor:
        """The matrix by group of accounts ``[B, g, g]``, in the order of ``GROUPS``."""
        member = [[name in group for name in ACCOUNTS] for group in GROUPS.values()]
        fold = torch.tensor(member, dtype=self.matrix.dtype, device=self.matrix.device)
        return fold @ self.matrix @ fold.T


def accounts(
    city: City, state: CityState, flows: Flows, shocks: Shocks, mode: str = "pooled"
) -> Accounts:
    """Accounts of the month that ``city.step(state, ..., shocks, mode)`` went through.

    Args:
        state: before the month; flows: of the month. mode: of the treasury; deficits of a soft
            treasury are paid from outside.
    """
    entries = (
        *_households(city, flows),
        *_firms(city, flows),
        *_travel(city, flows, shocks),
        *_government(state, flows, mode),
    )
    index = {name: place for place, name in enumerate(ACCOUNTS)}
    cells = torch.tensor([index[x.receiver] * len(ACCOUNTS) + index[x.payer] for x in entries])
    amounts = torch.stack([x.amount for x in entries], -1)
    flat = amounts.new_zeros(amounts.shape[0], len(ACCOUNTS) ** 2)
    flat = flat.index_add(1, cells.to(amounts.device), amounts)
    return Accounts(entries, flat.reshape(-1, len(ACCOUNTS), len(ACCOUNTS)))


def _by_type(payer: str | None, receiver: str | None, what: str, paid: Tensor) -> Iterator[Payment]:
    """One payment for each household type, which stands where an account is left out."""
    for kind, amount in zip(TYPE_NAMES, paid.unbind(-1), strict=True):
        yield Payment(payer or kind, receiver or kind, what, amount)


def _households(city: City, flows: Flows) -> Iterator[Payment]:
    """Earnings, transfers and spending of households by type."""
    p, f, fiscal, income = city.parameters, city.fundamentals, flows.fiscal, flows.income
    people, rent = flows.residents.people, flows.residents.home_rent * flows.residents.home_floor
    kinds = people.sum(1)
    spent = people * income.disposable
    money = f.households.money.unsqueeze(-1)
    burden = p.bdk.compliance * (fiscal.policy["audit"] - LEVERS["audit"].default).reshape(-1, 1, 1)
    rebate = money * fiscal.rebate
    dividend = (fiscal.dividend / kinds.sum(-1)).unsqueeze(-1)
    share = 1 + (rebate + dividend).unsqueeze(1) / income.net - burden
    share = share - flows.services.fees / income.net
    floored = (people * income.net * (subsistence(p, share) - share)).sum(1)
    homes = (rent.unsqueeze(-1) * spent / spent.sum(-1, keepdim=True)).sum(1)
    trips = p.bd.legs * f.travel.participation.unsqueeze(-1) * (people * flows.commute.money).sum(1)
    gross, local = (people * income.gross).sum(1), p.bd.loc_share * spent.sum(1)

    yield from _by_type(LABOUR, None, "pay", gross)
    yield from _by_type(GOVERNMENT, None, "rebate", kinds * rebate)
    yield from _by_type(GOVERNMENT, None, "dividend", kinds * dividend)
    yield from _by_type(WORLD, None, "relief of the poorest", floored)
    yield from _by_type(
        None, GOVERNMENT, "income tax", gross * (1 - fiscal.keep_income).unsqueeze(-1)
    )
    yield from _by_type(None, GOVERNMENT, "fees", (people * flows.services.fees).sum(1))
    yield from _by_type(None, WORLD, "burden of audits", (people * income.net * burden).sum(1))
    yield from _by_type(None, PROPERTY, "homes", homes)
    yield from _by_type(None, LOCAL, "local goods", local)
    yield from _by_type(None, TRAVEL, "commuting", trips)
    yield from _by_type(None, WORLD, "goods from elsewhere", spent.sum(1) - local - homes - trips)


def _firms(city: City, flows: Flows) -> Iterator[Payment]:
    """Sales, costs and profits of firms; rents and profits of owners."""
    market, fiscal = flows.market, flows.fiscal
    sales, wages, profit = (x.sum(1) for x in (market.sales, market.wages, market.profit))
    floor = city.parameters.bd.share_floor * sales
    for column, sector in enumerate(PRIVATE_NAMES):
        if sector == LOCAL:
            bought = flows.income.spending.sum(-1)
            met = flows.shopping.revenue.sum(-1)
            yield Payment(WORLD, sector, "visitors", met - bought)
            yield Payment(WORLD, sector, "change in stocks", sales[:, column] - met)
        else:
            yield Payment(WORLD, sector, "exports", sales[:, column])
        yield Payment(sector, LABOUR, "wages", wages[:, column])
        yield Payment(sector, PROPERTY, "floor", floor[:, column])
        yield Payment(sector, CAPITAL, "profit", profit[:, column])
    kept = (profit * fiscal.keep_business).sum(-1)
    real = (fiscal.subsidy * market.capital).sum((1, 2))
    yield Payment(GOVERNMENT, CAPITAL, "subsidies", real)
    yield Payment(CAPITAL, OWNERS, "profits", kept + real)
    rents = (flows.residents.home_rent * flows.residents.home_floor + market.floor).sum(-1)
    lines = flows.settlement.lines
    charged = lines["property_tax"] + lines["land_sales"]
    yield Payment(PROPERTY, OWNERS, "rents", rents - charged)
    yield Payment(OWNERS, WORLD, "spent or saved by owners", kept + real + rents - charged)


def _travel(city: City, flows: Flows, shocks: Shocks) -> Iterator[Payment]:
    """What commuters pay, by whom it is received."""
    driven = city.fundamentals.travel.car_money * torch.exp(shocks["fuel"]).reshape(-1, 1, 1)
    fuel = city.parameters.b.legs * (driven * flows.commute.car).sum((1, 2))
    yield Payment(TRAVEL, GOVERNMENT, "tolls", flows.commute.tolls)
    yield Payment(TRAVEL, GOVERNMENT, "fares", flows.commute.fares)
    yield Payment(TRAVEL, WORLD, "running cars", fuel)


def _government(state: CityState, flows: Flows, mode: str) -> Iterator[Payment]:
    """Revenue from firms, owners and the nation; public spending; the budget's balance."""
    market, fiscal, settlement = flows.market, flows.fiscal, flows.settlement
    lines, wages = settlement.lines, market.wages.sum(1)[:, PRIVATE]
    taxed = (market.profit.sum(1) * (1 - fiscal.keep_business)).sum(-1)
    mimicked = ((fiscal.policy["subsidy"] - fiscal.subsidy) * market.capital).sum((1, 2))
    yield Payment(CAPITAL, GOVERNMENT, "business tax", taxed)
    yield Payment(PROPERTY, GOVERNMENT, "property tax", lines["property_tax"])
    yield Payment(PROPERTY, GOVERNMENT, "land sales", lines["land_sales"])
    yield Payment(WORLD, GOVERNMENT, "grant", lines["grant"])
    yield Payment(GOVERNMENT, PUBLIC, "staff", lines["staff"])
    yield Payment(PUBLIC, LABOUR, "wages", wages)
    yield Payment(PUBLIC, WORLD, "other than this month's payroll", lines["staff"] - wages)
    for line in PURCHASES:
        yield Payment(GOVERNMENT, WORLD, line, lines[line])
    yield Payment(GOVERNMENT, WORLD, "subsidies to mimics", mimicked)
    yield Payment(GOVERNMENT, WORLD, "interest", lines["interest"])
    held = lines["dividend"] - fiscal.dividend
    yield Payment(GOVERNMENT, WORLD, "dividend held until next month", held)
    yield Payment(WORLD, GOVERNMENT, "borrowing", settlement.debt - state.treasury.debt)
    if mode == "soft":
        aid = settlement.spending - settlement.revenue
        yield Payment(WORLD, GOVERNMENT, "paid from outside", aid)
