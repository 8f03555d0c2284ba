"""What an environment stands on between two changes of realism: its cities in their first month.

Rows are in the order governed, copies, twins: B governed rows, C counterfactual copies of each
(``envs.credit``), and B twins under the status quo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs import objectives, realism, stocks, studies
from envs import regime as breaks
from envs.city import tree, welfare
from envs.city.boundary import Boundary
from envs.city.indicators import first_values
from envs.city.model import City, CityState, Flows
from envs.city.shocks import no_shocks
from envs.city.valuation import discount_factor, shadow_prices
from envs.city.wiring import Supply
from envs.scenario import Scenario


@dataclass(frozen=True)
class Ground:
    """Cities of all rows, and the first month of each.

    rows: B. model, start, first, reference: of all ``(2 + C) B`` rows, or one that they share.
    governed, start_values, beta: of the governed rows. prices: of stocks. boundary: what is not
    live. regime: what cities become in mid-episode, if anything. told: what studies say of the
    governed rows ``[B, C]`` (``envs.studies``).
    """

    rows: int
    model: City
    governed: City
    start: CityState
    first: Flows
    reference: welfare.Reference
    start_values: dict[str, Tensor]
    beta: Tensor
    prices: stocks.PriceList
    boundary: Boundary
    regime: breaks.Regime | None
    told: Tensor

    def model_at(self, lived: Tensor) -> City:
        """The city of all rows in the month after ``lived`` months ``[B]``."""
        if self.regime is None:
            return self.model
        return self.regime.in_force(self.model, lived)

    def governed_at(self, lived: Tensor) -> City:
        """The same of the governed rows."""
        model = self.model_at(lived)
        if model is self.model:
            return self.governed
        rows = torch.arange(self.rows, device=lived.device)
        return replace(self.governed, parameters=model.parameters.rows(rows))

    def changed(self, change: Callable[[City], City]) -> Ground:
        """The same first months of cities that were changed."""
        return replace(
            self,
            model=change(self.model),
            governed=change(self.governed),
            regime=None if self.regime is None else self.regime.changed(change),
        )

    def supplies(self, last: Flows) -> Mapping[str, Supply]:
        """Ports that are held in a month; ``last``: those of the month before."""
        return self.boundary.held(self.first, last, self.rows)


def lay(
    city: City,
    options: Scenario,
    copies: int,
    seeds: Sequence[int],
    first_row: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Ground:
    """The ground of some rows.

    Args:
        seeds: one a governed row, for parameters that are drawn; first_row: row i is city
            ``(first_row + i) % cities``.

    Raises:
        ValueError: a city whose parameters cannot be drawn.
    """
    rows = len(seeds)
    known = realism.changed(city, options.evasion, options.delay)
    measure = objectives.objective(options).shadow
    by_costates = options.terminal == "costates"
    boundary = options.boundary()
    edge = boundary if boundary.block else None  # a live city prices the strengths of a curriculum
    prices = shadow_prices(known, boundary=edge, measure=measure) if by_costates else known.start
    prices = tree.to(prices, dtype, device)
    index = (torch.arange(rows) + first_row) % known.rows
    if known.rows > 1:
        prices = tree.take(prices, index)
    if options.uncertainty:
        chosen = city.select(index) if city.rows > 1 else city
        drawn = realism.drawn(chosen, seeds, options.uncertainty)
        told = studies.told(drawn, chosen.parameters, options.studies, options.uncertainty, seeds)
        cast = realism.settled(chosen, drawn, rows, options.evasion, options.delay)
        cast = cast.to(dtype, device)
    else:
        told = torch.zeros(rows, len(studies.names(options.studies)))
        cast = known.to(dtype, device)
        if known.rows > 1:
            cast = cast.select(index)
    every = torch.arange((2 + copies) * rows, device=device) % rows
    shared = cast.rows == 1
    model = cast if shared else cast.select(every)
    start = model.initial(len(every))
    like = start.planning.home_rent
    with torch.no_grad():
        _, flows = model.step(start, {}, no_shocks(like.shape[0], like.shape[1], like))
        first = tree.tree_map(
            lambda x: x if x.shape[0] == len(every) else x.expand(len(every), *x.shape[1:]), flows
        )
        return Ground(
            rows=rows,
            model=model,
            governed=cast if shared else cast.select(every[:rows]),
            start=start,
            first=first,
            reference=welfare.reference(model),
            start_values={name: x[:rows] for name, x in first_values(model, start, first).items()},
            beta=discount_factor(model)[:rows],
            prices=stocks.price_list(known.start, prices),
            boundary=boundary,
            regime=breaks.drawn(model, options, seeds, 2 + copies),
            told=told.to(device, dtype),
        )
