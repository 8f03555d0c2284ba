"""One month of the city: the blocks joined by ports (MODEL sections 5 and 10).

Only this module imports the blocks. The order is fixed: industry posts jobs, residents
commute, markets clear, networks and services are loaded, places are valued, the treasury
settles, and then every block advances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from envs.city import (
    households,
    industry,
    infrastructure,
    land,
    planning,
    services,
    travel,
    treasury,
    tree,
)
from envs.city.geography import Geography
from envs.city.levers import announced, delays, enforce
from envs.city.panel import Panel
from envs.city.parameters import Parameters
from envs.city.ports import (
    Commute,
    Energy,
    Fiscal,
    Income,
    JobOffers,
    Land,
    Market,
    Residents,
    Roads,
    ServiceUse,
    Settlement,
    Shopping,
    Staffing,
    Traffic,
    Value,
)
from envs.city.shocks import Shocks
from envs.city.wiring import Supply, Wiring


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
    """All ports of one month: what replay needs and measures read."""

    fiscal: Fiscal
    residents: Residents
    roads: Roads
    staffing: Staffing
    land: Land
    offers: JobOffers
    commute: Commute
    market: Market
    income: Income
    shopping: Shopping
    traffic: Traffic
    energy: Energy
    services: ServiceUse
    value: Value
    settlement: Settlement


@dataclass(frozen=True)
class City:
    """A calibrated city: geography, parameters, fundamentals and its first state.

    Tensors have one row where all rows of a batch share them, else one row each. ``drift``
    ``[b, width]``, where a twin has learnt it, is the yearly drift of the exogenous series
    (``envs.city.dynamics``). ``panel`` is the first year that was inverted, where the first
    state is at rest in it (a twin's is not).
    """

    geography: Geography
    parameters: Parameters
    fundamentals: Fundamentals
    start: CityState
    drift: Tensor | None = None
    panel: Panel | None = None

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
            tree.take(self.panel, index),
        )

    def to(self, dtype: torch.dtype, device: torch.device | str | None = None) -> City:
        """Copy in another dtype or on another device."""
        return City(
            tree.to(self.geography, dtype, device),
            self.parameters.to(dtype, device),
            tree.to(self.fundamentals, dtype, device),
            tree.to(self.start, dtype, device),
            tree.to(self.drift, dtype, device),
            tree.to(self.panel, dtype, device),
        )

    def step(
        self,
        state: CityState,
        requested: Mapping[str, Tensor],
        shocks: Shocks,
        mode: str = "pooled",
        governed: int | None = None,
        held: Mapping[str, Supply] | None = None,
    ) -> tuple[CityState, Flows]:
        """Advance one month.

        Args:
            state: rows ``[B, ...]``.
            requested: levers in physical units, ``[B, *lever shape]``; a lever that is
                absent stays as it is in force.
            shocks: what the world does (``envs.city.shocks``).
            mode: how the treasury rations requests (``treasury.MODES``).
            governed: number of leading rows that ``requested`` covers (default: all); the
                levers of the others stay as they are in force.
            held: ports that are frozen, ruled or replayed (``envs.city.coupling``,
                ``envs.city.boundary``); a block whose ports are all held keeps its state.

        Returns:
            The next state and the ports of the month.
        """
        g, p, f = self.geography, self.parameters, self.fundamentals
        before = state.treasury.policy
        paces = delays(p.b.delay_common, p.b.delay_weight) if requested else {}
        in_force = enforce(before, requested, governed, paces, p.b.rate_limit)
        public = replace(state.treasury, policy=in_force)
        port = Wiring(held or {})

        residents = port("residents", lambda: planning.residents(state.planning))
        fiscal = port(
            "fiscal",
            lambda: treasury.announce(
                public, p, before, announced(before, requested, governed), residents
            ),
        )
        roads = port(
            "roads",
            lambda: infrastructure.service_level(
                state.infrastructure, f.infrastructure, g, p, residents, fiscal, shocks
            ),
        )
        staffing = port("staffing", lambda: services.staffing(state.services, f.services))
        ground = port("land", lambda: land.use(g, p, roads, staffing, fiscal.policy["release"]))
        offers = port(
            "offers",
            lambda: industry.post(
                state.industry, f.industry, g, p, roads, residents, staffing, fiscal, shocks
            ),
        )
        commute = port(
            "commute",
            lambda: travel.commute(f.travel, g, p, roads, offers, residents, fiscal, shocks),
        )
        market = port(
            "market",
            lambda: industry.clear(
                state.industry, f.industry, p, residents, offers, commute, fiscal
            ),
        )
        use = port(
            "services",
            lambda: services.serve(
                state.services, f.services, g, p, roads, residents, fiscal, shocks
            ),
        )
        income = port(
            "income",
            lambda: households.budget(
                f.households,
                p,
                residents,
                market,
                travel.expected_pay(commute, market.pay),
                use,
                fiscal,
            ),
        )
        shopping = port(
            "shopping", lambda: industry.shop(state.industry, f.industry, p, roads, income)
        )
        traffic = port(
            "traffic",
            lambda: infrastructure.load(
                state.infrastructure,
                f.infrastructure,
                g,
                p,
                roads,
                commute,
                market,
                residents,
                shocks,
            ),
        )
        port(
            "energy",
            lambda: infrastructure.power(
                state.infrastructure, f.infrastructure, p, residents, market, traffic, shocks
            ),
        )
        value = port("value", lambda: self.worth(port.ports, shocks))
        settlement = port(
            "settlement",
            lambda: treasury.settle(
                public,
                f.treasury,
                p,
                fiscal,
                residents,
                market,
                roads,
                value,
                treasury.collect(
                    f.treasury, p, fiscal, residents, ground, market, income, commute, use, value
                ),
                mode,
            ),
        )
        after = CityState(
            planning=port.after(
                "planning",
                state.planning,
                lambda: planning.advance(
                    state.planning,
                    f.planning,
                    p,
                    ground,
                    market,
                    income,
                    use,
                    value,
                    fiscal,
                    shocks,
                ),
            ),
            industry=port.after(
                "industry",
                state.industry,
                lambda: industry.advance(
                    state.industry,
                    f.industry,
                    p,
                    market,
                    offers,
                    shopping,
                    fiscal,
                    settlement,
                    shocks,
                ),
            ),
            services=port.after(
                "services",
                state.services,
                lambda: services.advance(state.services, f.services, p, use, fiscal, settlement),
            ),
            infrastructure=port.after(
                "infrastructure",
                state.infrastructure,
                lambda: infrastructure.advance(
                    state.infrastructure, f.infrastructure, g, p, traffic, fiscal, settlement
                ),
            ),
            treasury=port.after(
                "treasury",
                state.treasury,
                lambda: treasury.advance(public, p, fiscal, settlement),
            ),
        )
        return after, Flows(**port.ports)

    def worth(self, ports: Mapping[str, Any], shocks: Shocks) -> Value:
        """Worth of every place, as people decide and as they experience it.

        A pure function of the ports written before it, so that it can be asked of any ports.
        """
        g, p, f = self.geography, self.parameters, self.fundamentals
        residents, fiscal = ports["residents"], ports["fiscal"]
        utility = planning.value(
            f.planning,
            g,
            p,
            residents,
            ports["land"],
            ports["commute"],
            ports["market"],
            ports["income"],
            ports["shopping"],
            ports["services"],
            ports["traffic"],
            ports["energy"],
            ports["roads"],
            fiscal,
            shocks,
        )
        owned = planning.appraise(residents, f.planning, p, ports["land"], fiscal.policy)
        return Value(
            utility=utility,
            welfare=households.experienced(
                p,
                ports["commute"],
                ports["income"],
                f.travel.value_of_time,
                f.travel.typical_value,
                utility,
                f.travel.participation,
            ),
            land_surplus=owned.surplus,
            profit_surplus=ports["market"].surplus,
            property_value=owned.value,
            land_value=owned.land,
        )


__all__ = ["City", "CityState", "Flows", "Fundamentals"]
