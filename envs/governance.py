"""The batched governance environment: groups of governors over many copies of a city.

Shapes: B environments (rows), n agents of a group, S numbers of global state, D districts,
K household types. One step is ``months_per_step`` months. Every governed row is paired with
a twin row under the status quo and the same shocks; welfare counts against the twin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from envs.city import tree, welfare
from envs.city.dynamics import Dynamics
from envs.city.indicators import INDICATORS, change, first_values
from envs.city.levers import baseline_policy
from envs.city.model import City, CityState, Flows
from envs.city.shocks import Shocks, lasting, no_shocks
from envs.city.valuation import discount_factor, present_value, shadow_prices
from envs.groups import Group, StepResult
from envs.publication import Publication
from envs.scenario import Scenario
from envs.scene import Scene

#: Reward per month of income (fixed, so that returns are of order one to ten).
REWARD_SCALE = 10.0
#: Largest value of stocks that co-states may claim, months of income.
STOCKS_BOUND = 3.0
#: Months of today's policy after the end of an episode that values its stocks exactly.
TAIL_MONTHS = 240
#: Observations are clipped to plus or minus this bound.
OBSERVATION_BOUND = 10.0
#: Stocks of any sign: zero in the first year up to rounding.
BALANCES = frozenset({"treasury.debt", "treasury.dividend"})
#: Positive stocks count as at least this share of the twin's: a lever may be set to nothing.
LEAST_RATIO = 1e-6


class GovernanceEnv:
    """A scenario on one or more calibrated cities, ``num_envs`` rows at once.

    With several cities, row i is city ``(seed + i) % cities``, so that a row is the same
    city whatever batch it is part of.

    The reward of a governor mixes the discounted flow of overall welfare against the paired
    status-quo twin with its own indicator (weight ``local_weight``). Stocks left at the end
    count too, by co-states or by a tail run (``Scenario.terminal``).

    Governors see figures as they were published (``Publication``); rewards, costs and the
    global state are of the city as it is.
    """

    def __init__(
        self,
        scenario_id: str,
        scenario: Scenario,
        city: City,
        num_envs: int,
        seed: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.scenario = scenario_id
        self.options = scenario
        self.num_envs = num_envs
        self.device = torch.device(device)
        self.dtype = dtype
        self.city = city
        self.months_per_step = scenario.months_per_step
        self.steps_per_episode = scenario.horizon // scenario.months_per_step
        self.groups: tuple[Group, ...] = scenario.groups(city)

        cast = city.to(dtype, device)
        by_costates = scenario.terminal == "costates"
        prices = tree.to(shadow_prices(city) if by_costates else city.start, dtype, device)
        if city.rows > 1:
            index = self._calibrations(seed) % city.rows
            cast, prices = cast.select(index), tree.take(prices, index)
        pairs = torch.arange(2 * num_envs, device=self.device) % num_envs
        shared = cast.rows == 1
        self._model = cast if shared else cast.select(pairs)
        self._governed = cast if shared else cast.select(pairs[:num_envs])
        self._start = self._model.initial(2 * num_envs)
        with torch.no_grad():
            self._reference = welfare.reference(self._model)
            like = self._start.planning.home_rent
            _, flows = self._model.step(
                self._start, {}, no_shocks(like.shape[0], like.shape[1], like)
            )
            self._first = self._quiet_flows(flows)
            self._start_values = {
                name: x[:num_envs]
                for name, x in first_values(self._model, self._start, self._first).items()
            }
            self._beta = discount_factor(self._model)
        self._status_quo = baseline_policy(2 * num_envs, city.districts, dtype, self.device)
        self._today = {name: x[:num_envs] for name, x in self._status_quo.items()}
        drift = cast.drift
        if drift is not None:
            drift = drift.expand(num_envs, -1)
        self._dynamics = Dynamics(
            scenario.dynamics,
            num_envs,
            city.districts,
            scenario.horizon,
            like,
            drift,
            scenario.chance,
        )
        self._priced, self._price = self._price_list(prices)
        self._shocks = no_shocks(2 * num_envs, city.districts, like)
        self._potential = torch.zeros(num_envs, dtype=dtype, device=self.device)
        self._clock = torch.zeros(num_envs, dtype=torch.long, device=self.device)
        self._state: CityState = self._start
        self._flows: Flows = self._first
        self._said: dict[str, Tensor] = {}
        self._said = scenario.say(self._quiet_actions())
        scene = self._scene()
        self.state_size = self._global_state(scene).shape[-1]
        self._publication = Publication(scenario, scene)
        self.reset(seed)

    @property
    def local_weight(self) -> float:
        """Weight of a governor's own goal in its reward."""
        return self.options.local_weight

    def reset(
        self, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Start new episodes in every row.

        Args:
            seed: row i uses ``seed + i`` (or ``seed[i]``); None continues the rows' streams.
            options: none are known; accepted because the views pass them on.

        Raises:
            ValueError: a number of seeds that is not the number of rows.
        """
        if seed is not None:
            if isinstance(seed, Iterable):
                seeds = [int(s) for s in seed]
            else:
                seeds = [int(seed) + row for row in range(self.num_envs)]
            if len(seeds) != self.num_envs:
                raise ValueError(f"{len(seeds)} seeds for {self.num_envs} environments")
            for row, value in enumerate(seeds):
                self._dynamics.seed(row, value)
                self._publication.seed(row, value)
        return self.restart(range(self.num_envs))

    def restart(self, rows: Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Start new episodes in some rows, from their own streams; the others go on as they are.

        Returns:
            What ``reset`` returns, of all rows; with no rows at all, how things stand now.
        """
        if rows:
            self._restart(list(rows))
        scene = self._scene()
        return self._observations(scene), {"state": self._global_state(scene)}

    def step(self, actions: Mapping[str, Tensor]) -> StepResult:
        """Govern all rows for one step with actions ``[B, n, act]`` in [-1, 1]."""
        today = self._today
        self._said = self.options.say(self._within(actions))
        requested = {k: x for k, x in self.physical(actions).items() if x is not today[k]}
        beta = self._beta
        shocks = self._shocks
        flow = torch.zeros(self.num_envs, dtype=self.dtype, device=self.device)
        monthly: list[welfare.Welfare] = []
        for month in range(self.months_per_step):
            shocks = self._weather()
            self._state, self._flows = self._model.step(
                self._state, requested, shocks, self.options.budget, self.num_envs
            )
            self._publication.publish(self._model, self._state, self._flows)
            now = welfare.evaluate(self._model, self._reference, self._flows)
            gain = now.total[: self.num_envs] - now.total[self.num_envs :]
            flow = flow + gain * (beta**month)[: self.num_envs]
            monthly.append(now)
        self._shocks = shocks
        self._clock = self._clock + 1
        terminated = self._clock >= self.steps_per_episode
        step_beta = (beta**self.months_per_step)[: self.num_envs]
        stocks = step_beta * self._stocks_value(bool(terminated.any()))
        ended = torch.where(terminated, stocks, torch.zeros_like(stocks))
        credit = ended
        if self.options.terminal == "costates":
            credit = stocks - self._potential
            self._potential = stocks / step_beta
        scene = self._scene()
        whole = REWARD_SCALE * (flow + credit)
        local = self.options.goals(scene)
        mix = self.options.local_weight
        rewards = {
            group.name: (1 - mix) * whole.unsqueeze(-1) + mix * local[group.name]
            for group in self.groups
        }
        costs = self.options.costs(scene)
        info = self._report(scene, monthly, flow, ended)
        info |= {"whole": whole, "goals": local}
        observations = self._observations(scene)
        info["final_observations"] = observations
        if bool(terminated.any()):
            self._restart(torch.nonzero(terminated).flatten().tolist())
            observations = self._observations(self._scene())
        return StepResult(
            observations, rewards, costs, terminated, torch.zeros_like(terminated), info
        )

    def physical(self, actions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lever settings in physical units that actions ask for, ``[B, *lever shape]``."""
        return self.options.request(self._within(actions), self._today)

    def _within(self, actions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Actions as they count, in [-1, 1]."""
        return {
            name: torch.as_tensor(a, dtype=self.dtype, device=self.device).clamp(-1, 1)
            for name, a in actions.items()
        }

    def _quiet_actions(self) -> dict[str, Tensor]:
        """Actions that leave everything as it is and say nothing."""
        return {
            group.name: self._potential.new_zeros(
                self.num_envs, group.size, len(group.action_names)
            )
            for group in self.groups
        }

    def _calibrations(self, seed: int) -> Tensor:
        """Which city each row is ``[B]``, counted from the block's first, round and round."""
        return torch.arange(self.num_envs) + seed

    def _weather(self) -> Shocks:
        """What the world does in a month to the governed rows, and the same to their twins."""
        return tree.tree_map(lambda x: torch.cat([x, x]), self._dynamics.advance())

    def _restart(self, rows: list[int]) -> None:
        """Put rows and their twins back to the first state and draw new shocks."""
        self._dynamics.reset(rows)
        self._publication.restart(rows)
        if len(rows) == self.num_envs:
            self._state, self._flows = self._start, self._first
            self._clock = torch.zeros_like(self._clock)
            self._potential = torch.zeros_like(self._potential)
            self._said = tree.tree_map(torch.zeros_like, self._said)
            return
        mask = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        mask[rows] = True
        both = torch.cat([mask, mask])
        self._state = tree.where(both, self._start, self._state)
        self._flows = tree.where(both, self._first, self._flows)
        self._clock = torch.where(mask, torch.zeros_like(self._clock), self._clock)
        self._potential = torch.where(mask, torch.zeros_like(self._potential), self._potential)
        silence = tree.tree_map(torch.zeros_like, self._said)
        self._said = tree.where(mask, silence, self._said)

    def _quiet_flows(self, flows: Flows) -> Flows:
        rows = 2 * self.num_envs
        return tree.tree_map(
            lambda x: x if x.shape[0] == rows else x.expand(rows, *x.shape[1:]), flows
        )

    def _price_list(self, prices: CityState) -> tuple[dict[bool, list[str]], dict[bool, Tensor]]:
        """Names of stocks that have a price, and their prices ``[b, X]``; the key says whether
        the stocks are positive."""
        start, price = dict(tree.leaves(self.city.start)), dict(tree.leaves(prices))
        named: dict[bool, list[str]] = {}
        for name, x in price.items():
            if bool((x != 0).any()):
                positive = bool((start[name] > 0).all()) and name not in BALANCES
                named.setdefault(positive, []).append(name)
        table = {
            key: torch.cat([price[name].reshape(price[name].shape[0], -1) for name in names], -1)
            for key, names in named.items()
        }
        return named, table

    def _stocks_value(self, last: bool) -> Tensor:
        """Value of the stocks beyond the twin's ``[B]``, months of income.

        Co-states price log changes of positive stocks, so that more of the same is worth
        less and less; a net gain saturates, since they are derivatives at the first year, but a
        net loss counts in full.
        """
        n = self.num_envs
        if self.options.terminal == "tail":
            if not last:
                return torch.zeros(n, dtype=self.dtype, device=self.device)
            value = (
                present_value(
                    self._model,
                    self._state,
                    self._reference,
                    self._status_quo,
                    TAIL_MONTHS,
                    self.options.budget,
                    lasting(self._shocks),
                    "total",
                ).welfare
                / self._reference.total
            )
            return value[:n] - value[n:]
        value = torch.zeros(n, dtype=self.dtype, device=self.device)
        stocks = dict(tree.leaves(self._state))
        for positive, names in self._priced.items():
            flat = torch.cat([stocks[name].reshape(2 * n, -1) for name in names], -1)
            now, twin = flat[:n], flat[n:]
            relative = (now / twin).clamp_min(LEAST_RATIO) if positive else None
            gap = now - twin if relative is None else twin * torch.log(relative)
            value = value + (gap * self._price[positive]).sum(-1)
        gains = STOCKS_BOUND * torch.tanh(value.clamp_min(0) / STOCKS_BOUND)
        return torch.where(value > 0, gains, value)

    def _scene(self) -> Scene:
        n = self.num_envs

        def governed(x: Tensor) -> Tensor:
            return x[:n]

        def twin(x: Tensor) -> Tensor:
            return x[n:]

        return Scene(
            city=self._governed,
            state=tree.tree_map(governed, self._state),
            flows=tree.tree_map(governed, self._flows),
            twin_state=tree.tree_map(twin, self._state),
            twin_flows=tree.tree_map(twin, self._flows),
            start=self._start_values,
            elapsed=self._clock.to(self.dtype) / self.steps_per_episode,
            said=self._said,
        )

    def _observations(self, scene: Scene) -> dict[str, Tensor]:
        raw = self.options.observe(self._publication.view(scene))
        return {name: x.clamp(-OBSERVATION_BOUND, OBSERVATION_BOUND) for name, x in raw.items()}

    def _global_state(self, scene: Scene) -> Tensor:
        """Normalised indicators and levers in force of the governed rows ``[B, S]``."""
        columns = [
            change(row, scene.value(name), scene.start[name]) for name, row in INDICATORS.items()
        ]
        state = torch.stack([*columns, scene.elapsed], -1)
        return state.clamp(-OBSERVATION_BOUND, OBSERVATION_BOUND)

    def _report(
        self,
        scene: Scene,
        monthly: list[welfare.Welfare],
        flow: Tensor,
        ended: Tensor,
    ) -> dict[str, Any]:
        """Un-aggregated welfare and indicators of the step, against the twin."""
        n = self.num_envs

        def gap(values: list[Tensor]) -> Tensor:
            mean = torch.stack(values).mean(0)
            return mean[:n] - mean[n:]

        parts: dict[str, Tensor] = {
            "overall": flow,
            "terminal": ended,
        }
        base = self._reference.total / self._reference.people.sum(-1)
        consumption = torch.stack([w.consumption for w in monthly])
        people = torch.stack([w.people for w in monthly])
        for name, aversion in welfare.ATKINSON.items():
            equal = welfare.equally_distributed(consumption, people, aversion)
            parts[name] = gap(list((equal / base).unbind(0)))
        for name in welfare.POPULATION:
            parts[name] = gap([getattr(w, name) for w in monthly])
        return {
            "welfare": parts,
            "welfare_by_type": gap([w.by_type for w in monthly]),
            "welfare_by_district": gap([w.by_district for w in monthly]),
            "indicators": {name: scene.value(name) for name in INDICATORS},
            "measures": self.options.measures(scene, self._publication.view(scene)),
            "state": self._global_state(scene),
        }
