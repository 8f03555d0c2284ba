"""Logged actions as levers: what governments did drives the twin (MODEL section 21)."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from envs.city.levers import LEVERS, Policy, baseline_policy
from envs.city.sizes import SERVICE_NAMES
from envs.twin.ensemble import Members
from envs.twin.packages import CityPackage, year_table

_SPENDING: dict[str, tuple[str, str]] = {
    "spend_education": ("staff", "education"),
    "spend_adult_care": ("staff", "health"),
    "spend_children": ("staff", "safety"),
    "spend_culture": ("staff", "culture"),
    "spend_transport": ("maintenance", ""),
}
_COUNCIL_TAX = "council_tax_band_d"


@dataclass(frozen=True)
class Logged:
    """Logged levers: name -> years x districts, in the package's units."""

    tables: dict[str, pd.DataFrame]

    @property
    def levers(self) -> tuple[str, ...]:
        """Logged levers that drive the model."""
        return tuple(name for name in self.tables if name in _SPENDING or name == _COUNCIL_TAX)


def logged(package: CityPackage) -> Logged:
    """The package's logged actions that the model has a lever for."""
    known = {_COUNCIL_TAX, *_SPENDING}
    tables = {}
    for name, rows in package.actions.groupby("lever", observed=True):
        if str(name) in known:
            tables[str(name)] = year_table(rows, package.districts["code"])
    return Logged(tables)


def requested(log: Logged, year: int, known_until: int, members: Members) -> Policy | None:
    """Lever settings of a year as known at the end of ``known_until``; None without a log.

    Spending is deflated by each member's price level; council tax is a rate on the member's
    own house prices. A lever whose log has not started, or has a gap, stays as it is.
    """
    if not log.levers:
        return None
    n, d = members.world.productivity.shape
    policy = baseline_policy(n, d, torch.float64)
    price = torch.exp(members.world.price_level).unsqueeze(-1)
    for name in log.levers:
        ratio = _ratio(log.tables[name], min(year, known_until), d)
        real = ratio / price
        if name == _COUNCIL_TAX:
            rate = LEVERS["property_tax"].default * real / _relative_house_price(members)
            policy["property_tax"] = _within("property_tax", rate)
            continue
        lever, cell = _SPENDING[name]
        if cell:
            policy[lever][..., SERVICE_NAMES.index(cell)] = _within(lever, real)
        else:
            policy[lever] = _within(lever, real)
    return policy


def _within(lever: str, value: Tensor) -> Tensor:
    return value.clamp(LEVERS[lever].low, LEVERS[lever].high)


def _ratio(table: pd.DataFrame, year: int, districts: int) -> Tensor:
    """Figure of a year over the first year ``[D]``, one where the log has none."""
    known = table[table.index <= year].ffill()
    if known.empty:
        return torch.ones(districts, dtype=torch.float64)
    ratio = (known.iloc[-1] / table.bfill().iloc[0]).fillna(1.0)
    return torch.as_tensor(ratio.to_numpy(dtype=float))


def _relative_house_price(members: Members) -> Tensor:
    """Real house price over the first year ``[N, D]``."""
    s, start = members.state.planning, members.city.start.planning
    return s.home_rent / start.home_rent
