"""What stocks left at the end of an episode are worth against the twin's (MODEL section 22.8)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city import tree, welfare
from envs.city.levers import Policy
from envs.city.model import City, CityState, Flows
from envs.city.shocks import Shocks, lasting
from envs.city.valuation import Supplies, present_value

#: Largest value of stocks that co-states may claim, months of income.
STOCKS_BOUND = 3.0
#: Months of today's policy after the end of an episode that values its stocks exactly.
TAIL_MONTHS = 240
#: Stocks of any sign: zero in the first year up to rounding.
BALANCES = frozenset({"treasury.debt", "treasury.dividend"})
#: Positive stocks count as at least this share of the twin's: a lever may be set to nothing.
LEAST_RATIO = 1e-6


@dataclass(frozen=True)
class PriceList:
    """Names of stocks that have a shadow price, and their prices ``[b, X]``; the key says whether
    the stocks are positive."""

    names: dict[bool, list[str]]
    prices: dict[bool, Tensor]

    def value(self, state: CityState, rows: int) -> Tensor:
        """Value beyond the twin's of all rows but the twins ``[(1 + copies) rows]``, months of
        income.

        Co-states price log changes of positive stocks, so that more of the same is worth
        less and less; a net gain saturates, since they are derivatives at the first year, but a
        net loss counts in full.

        Args:
            state: governed rows, their copies, and at the end ``rows`` twins.
        """
        stocks = dict(tree.leaves(state))
        every = stocks["treasury.debt"].shape[0]
        many = every // rows - 1
        value = stocks["treasury.debt"].new_zeros(every - rows)
        for positive, names in self.names.items():
            flat = torch.cat([stocks[name].reshape(every, -1) for name in names], -1)
            now, twin, price = flat[:-rows], flat[-rows:], self.prices[positive]
            if many > 1:
                twin = twin.repeat(many, 1)
                price = price if price.shape[0] == 1 else price.repeat(many, 1)
            relative = (now / twin).clamp_min(LEAST_RATIO) if positive else None
            gap = now - twin if relative is None else twin * torch.log(relative)
            value = value + (gap * price).sum(-1)
        gains = STOCKS_BOUND * torch.tanh(value.clamp_min(0) / STOCKS_BOUND)
        return torch.where(value > 0, gains, value)


def price_list(start: CityState, prices: CityState) -> PriceList:
    """Prices of the stocks that have one; ``start`` says which stocks are positive."""
    first, price = dict(tree.leaves(start)), dict(tree.leaves(prices))
    named: dict[bool, list[str]] = {}
    for name, x in price.items():
        if bool((x != 0).any()):
            positive = bool((first[name] > 0).all()) and name not in BALANCES
            named.setdefault(positive, []).append(name)
    table = {
        key: torch.cat([price[name].reshape(price[name].shape[0], -1) for name in names], -1)
        for key, names in named.items()
    }
    return PriceList(named, table)


def tail_value(
    city: City,
    state: CityState,
    ref: welfare.Reference,
    today: Policy,
    budget: str,
    shocks: Shocks,
    measure: welfare.Measure,
    last: Flows,
    supplies: Supplies,
) -> Tensor:
    """Value of every row under today's policy from now on ``[rows]``, months of income.

    Args:
        shocks: of the last month, as far as they last. last, supplies: its ports, and what is held
            after it.
    """
    found = present_value(
        city, state, ref, today, TAIL_MONTHS, budget, lasting(shocks), measure, last, supplies
    )
    return found.welfare / ref.total
