"""Logged actions as levers: what governments did drives the twin (MODEL section 21)."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Logged levers: name -> years x districts, in the package's units, as first published;
    published: the month indices at which each figure was known."""

    tables: dict[str, pd.DataFrame]
    published: dict[str, pd.DataFrame]

    def known(self, name: str, year: int, known_until: int) -> pd.DataFrame:
        """Figures of a lever up to a year that were known at the end of ``known_until``."""
        seen = self.tables[name].where(self.published[name] <= 12 * known_until + 11)
        return seen[seen.index <= year].dropna(how="all").ffill()

    @property
    def levers(self) -> tuple[str, ...]:
        """Logged levers that drive the model."""
        return tuple(name for name in self.tables if name in _SPENDING or name == _COUNCIL_TAX)


def logged(package: CityPackage) -> Logged:
    """The package's logged actions that the model has a lever for."""
    known = {_COUNCIL_TAX, *_SPENDING}
    codes = package.districts["code"]
    tables, published = {}, {}
    for name, rows in package.actions.groupby("lever", observed=True):
        if str(name) in known:
            rows = rows.sort_values("available", kind="stable")
            first = rows.drop_duplicates(["time", "district"])
            tables[str(name)] = year_table(first, codes)
            published[str(name)] = year_table(first.assign(value=first["available"]), codes)
    return Logged(tables, published)


def requested(
    log: Logged, year: int, known_until: int, members: Members, past: Mapping[int, Members]
) -> Policy | None:
    """Lever settings of a year as known at the end of ``known_until``; None without a log.

    Spending is deflated by the rise of each member's price level since the log began; council
    tax is a rate on the member's own house prices. A lever whose log has not started stays at
    today's setting; one with a gap, or past its end, at the last logged.

    Args:
        past: the ensemble at the end of earlier years.
    """
    if not log.levers:
        return None
    n, d = members.world.productivity.shape
    policy = baseline_policy(n, d, torch.float64)
    for name in log.levers:
        known = log.known(name, year, known_until)
        if known.empty:
            continue
        before = past.get(int(known.index[0]) - 1, past[min(past)])
        rise = members.world.price_level - before.world.price_level
        real = _ratio(known) / torch.exp(rise).unsqueeze(-1)
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


def _ratio(known: pd.DataFrame) -> Tensor:
    """Last known figure over the first ``[D]``, one where the log has none."""
    ratio = (known.iloc[-1] / known.bfill().iloc[0]).fillna(1.0)
    return torch.as_tensor(ratio.to_numpy(dtype=float, copy=True))


def _relative_house_price(members: Members) -> Tensor:
    """Real house price over the first year ``[N, D]``."""
    s, start = members.state.planning, members.city.start.planning
    return s.home_rent / start.home_rent
