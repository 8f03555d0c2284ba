"""One month of the city: the blocks joined by ports (MODEL sections 5 and 10).

Only this module imports the blocks. The order is fixed: industry posts jobs, residents
commute, markets clear, networks and services are loaded, places are valued, the treasury
settles, and then every block advances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs.city import (
    households,
    industry,
    infrastructure,
    planning,
    services,
    travel,
    treasury,
    tree,
)
from envs.city.geography import Geography
from envs.city.levers import LEVERS, enforce
from envs.city.parameters import Parameters
from envs.city.ports import (
    Commute,
    Income,
    JobOffers,
    Market,
    Residents,
    Roads,
    ServiceUse,
    Settlement,
    Shocks,
    Shopping,
    Traffic,
    Value,
)


@dataclass(frozen=True)
class CityState:
    """Everything that is carried from month to month."""

    planning: planning.PlanningState
    industry: industry.IndustryState
    services: services.ServicesState
    infrastructure: infrastructure.InfrastructureState
    treasury: treasury.TreasuryState


@dataclass(frozen=True)
class Fundamentals:
    """What inversion solved, by block."""

    planning: planning.PlanningFundamentals
    industry: industry.IndustryFundamentals
    services: services.ServicesFundamentals
    infrastructure: infrastructure.InfrastructureFundamentals
    treasury: treasury.TreasuryFundamentals
    households: households.HouseholdFundamentals
    travel: travel.TravelFundamentals


@dataclass(frozen=True)
class Flows:
    """All ports of one month."""

    residents: Residents
    roads: Roads
    offers: JobOffers
    commute: Commute
    market: Market
    income: Income
    shopping: Shopping
    traffic: Traffic
    services: ServiceUse
    value: Value
    settlement: Settlement


def no_shocks(rows: int, districts: int, like: Tensor) -> Shocks:
    """Shocks frozen at zero."""
    zero, zeros = like.new_zeros(rows), like.new_zeros(rows, districts)
    return Shocks(zeros, zeros, zero, zero, zero)


@dataclass(frozen=True)
class City:
    """A calibrated city: geography, parameters, fundamentals and its first state.

    Tensors have one row where all rows of a batch share them, else one row each. ``drift``
    ``[b, width]``, where a twin has learnt it, is the yearly drift of the exogenous series
    (``envs.city.dynamics``).
    """

    geography: Geography
    parameters: Parameters
    fundamentals: Fundamentals
    start: CityState
    drift: Tensor | None = None

    @property
    def districts(self) -> int:
        """Number of districts D."""
        return self.geography.districts

    @property
    def rows(self) -> int:
        """Rows of the calibration: 1 where every row of a batch is the same city."""
        known = [x.shape[0] for _, x in tree.leaves(self.start)]
        return max(known + [x.shape[0] for x in self.parameters.values.values()])

    def initial(self, rows: int | None = None) -> CityState:
        """First state with ``rows`` rows (default: as many as the calibration has)."""
        wanted = rows or self.rows
        have = self.start.treasury.debt.shape[0]
        if have == wanted:
            return self.start
        if have != 1:
            raise ValueError(f"the city has {have} rows, {wanted} were asked for")
        return tree.expand(self.start, wanted)

    def select(self, index: Tensor) -> City:
        """The calibration of chosen rows; shared values stay shared."""
        return City(
            tree.take(self.geography, index),
            self.parameters.rows(index),
            tree.take(self.fundamentals, index),
            tree.take(self.start, index),
            tree.take(self.drift, index),
        )

    def to(self, dtype: torch.dtype, device: torch.device | str | None = None) -> City:
        """Copy in another dtype or on another device."""
        return City(
            tree.to(self.geography, dtype, device),
            self.parameters.to(dtype, device),
            tree.to(self.fundamentals, dtype, device),
            tree.to(self.start, dtype, device),
            tree.to(self.drift, dtype, device),
        )

    def step(
        self,
        state: CityState,
        requested: Mapping[str, Tensor],
        shocks: Shocks,
        mode: str = "pooled",
        governed: int | None = None,
    ) -> tuple[CityState, Flows]:
        """Advance one month.

        Args:
            state: rows ``[B, ...]``.
            requested: levers in physical units, ``[B, *lever shape]``; a lever that is
                absent stays as it is in force.
            shocks: exogenous logs.
            mode: how the treasury rations requests (``treasury.MODES``).
            governed: number of leading rows that ``requested`` covers (default: all); the
                levers of the others stay as they are in force.

        Returns:
            The next state and the ports of the month.
        """
        g, p, f = self.geography, self.parameters, self.fundamentals
        before = state.treasury.policy
        policy = enforce(before, requested, governed)
        fiscal = replace(state.treasury, policy=policy)
        keep_income, keep_business = treasury.kept(fiscal)

        residents = planning.residents(state.planning)
        roads = infrastructure.service_level(
            state.infrastructure, f.infrastructure, g, p, residents
        )
        offers = industry.post(
            state.industry,
            f.industry,
            g,
            p,
            roads,
            residents,
            shocks,
            state.services.staff.sum(-1),
            keep_income,
        )
        money = f.treasury.money
        commuting = travel.commute(
            f.travel,
            g,
            p,
            roads,
            offers,
            residents.people,
            policy["toll"] * money.unsqueeze(-1),
            policy["fare"] * money,
        )
        market = industry.clear(
            state.industry,
            f.industry,
            p,
            residents,
            offers,
            commuting,
            keep_income,
        )
        use = services.serve(state.services, f.services, g, p, roads, residents, policy)
        land_surplus = planning.land_surplus(state.planning, f.planning, p, policy)
        profit_surplus = industry.profit_surplus(state.industry, f.industry, market, keep_business)
        income = households.budget(
            f.households,
            p,
            residents,
            market,
            travel.expected_pay(commuting, market.pay),
            policy,
            use,
            keep_income,
            treasury.dividend_per_head(fiscal, residents.people.sum((1, 2))),
        )
        shopping = industry.shop(state.industry, f.industry, p, roads, income)
        traffic = infrastructure.load(
            state.infrastructure, f.infrastructure, g, p, commuting, market, residents
        )
        utility = planning.value(
            state.planning,
            f.planning,
            g,
            p,
            commuting,
            market,
            income,
            shopping,
            use,
            traffic,
            roads,
            shocks,
            policy,
            policy["fare"] - LEVERS["fare"].default,
        )
        property_value, land_value = planning.property_values(state.planning, f.planning, p, policy)
        value = Value(
            utility=utility,
            welfare=households.experienced(
                p, commuting, income, f.travel.value_of_time, utility, f.travel.participation
            ),
            land_surplus=land_surplus,
            profit_surplus=profit_surplus,
            property_value=property_value,
        )
        revenue = treasury.collect(
            fiscal,
            f.treasury,
            p,
            residents,
            market,
            income,
            commuting,
            use,
            property_value,
            land_value,
            before["release"],
        )
        settlement = treasury.settle(
            fiscal,
            f.treasury,
            p,
            residents,
            market,
            revenue,
            property_value,
            state.industry.capital,
            state.infrastructure.road / f.infrastructure.road,
            mode,
        )
        scale = settlement.scale
        after = CityState(
            planning=planning.advance(
                state.planning, f.planning, p, market, income, utility, shocks, policy
            ),
            industry=industry.advance(
                state.industry,
                f.industry,
                p,
                market,
                offers,
                shopping,
                policy,
                keep_business,
                treasury.effective_subsidy(p, policy),
                scale["industry"],
            ),
            services=services.advance(
                state.services,
                f.services,
                p,
                use,
                policy,
                settlement.staff_scale,
                scale["services"],
            ),
            infrastructure=infrastructure.advance(
                state.infrastructure,
                f.infrastructure,
                p,
                traffic,
                policy,
                settlement.upkeep_scale,
                scale["infrastructure"],
            ),
            treasury=treasury.advance(fiscal, p, settlement),
        )
        flows = Flows(
            residents,
            roads,
            offers,
            commuting,
            market,
            income,
            shopping,
            traffic,
            use,
            value,
            settlement,
        )
        return after, flows


__all__ = ["City", "CityState", "Flows", "Fundamentals", "no_shocks"]
