"""The batched governance environment: groups of governors over many copies of a city.

Shapes: B environments (rows), n agents of a group, S numbers of global state, D districts,
K household types. One step is ``months_per_step`` months. Every governed row is paired with
a twin row under the status quo and the same shocks; welfare counts against the twin, and against
counterfactual copies of the row where credit asks for them (``envs.credit``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from envs import cost_sets, credit, ground, objectives, regime, report, stocks, studies
from envs.city import tree, welfare
from envs.city.dynamics import Dynamics
from envs.city.indicators import INDICATORS, change
from envs.city.levers import baseline_policy
from envs.city.model import City
from envs.city.shocks import Shocks, no_shocks
from envs.foresight import Foresight
from envs.groups import Group, StepResult
from envs.publication import Publication
from envs.scenario import Scenario
from envs.scene import Scene
from envs.variety import Variety

#: Observations are clipped to plus or minus this bound.
OBSERVATION_BOUND = 10.0


class GovernanceEnv(Foresight, Variety):
    """A scenario on one or more calibrated cities, ``num_envs`` rows at once.

    With several cities, row i is city ``(seed + i) % cities``, so that a row is the same
    city whatever batch it is part of.

    The reward of a governor mixes its credit (``Scenario.credit``) for the discounted flow of
    overall welfare (``Scenario.objective``) against the paired status-quo twin with its own
    indicator (weight ``local_weight``), less the price of what it moved. Stocks left at the end
    count too, by co-states or by a tail run (``Scenario.terminal``). The city may break in
    mid-episode, unannounced (``Scenario.regime``).

    Governors see figures as they were published (``Publication``) and what studies tell
    (``studies``); rewards, costs and the global state are of the city as it is.
    """

    _ground: ground.Ground
    _laid: list[int]

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
        self.groups: tuple[Group, ...] = tuple(
            objectives.with_parts(group, scenario)
            for group in studies.widened(scenario.groups(city), scenario.studies)
        )
        self.cost_sets = cost_sets.cost_sets(scenario, self.groups)
        self._credit = credit.scheme(scenario.credit, sum(group.size for group in self.groups))
        self._objective = objectives.objective(scenario)
        self._every = (2 + self._credit.copies) * num_envs
        self._status_quo = baseline_policy(self._every, city.districts, dtype, self.device)
        self._today = {name: x[:num_envs] for name, x in self._status_quo.items()}
        self._first_row, self._seeds = seed, [seed + row for row in range(num_envs)]
        self._next = scenario
        self._lived = torch.zeros(num_envs, dtype=torch.long, device=self.device)
        self._lay()
        like, drift = self._ground.start.planning.home_rent, self._ground.governed.drift
        self._dynamics = Dynamics(
            scenario.dynamics,
            num_envs,
            city.districts,
            scenario.horizon,
            like,
            None if drift is None else drift.expand(num_envs, -1),
            scenario.chance,
        )
        self._shocks = no_shocks(self._every, city.districts, like)
        self.reset(seed)

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
            self._seeds = seeds
        by_seed = self.options.uncertainty > 0 or regime.by_seed(self.options)
        moved = self.city.rows > 1 and self._first_row != self._stands
        if moved or (by_seed and self._seeds != self._laid) or self._next != self.options:
            self._lay()
        self._dynamics.strength = self.options.shocks
        if seed is not None:
            for row, value in enumerate(self._seeds):
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
        result = self._govern(self._within(actions))
        if not bool(result.terminated.any()):
            return result
        self._restart(torch.nonzero(result.terminated).flatten().tolist())
        return replace(result, observations=self._observations(self._scene()))

    def _govern(self, asked: Mapping[str, Tensor]) -> StepResult:
        """The step before any row that ends is reset; ``asked``: actions as they count."""
        n, on = self.num_envs, self._ground
        self._said = self.options.say(asked)
        requested = self._requested(asked)
        shocks = self._shocks
        flow = overall = torch.zeros(n, dtype=self.dtype, device=self.device)
        monthly: list[welfare.Welfare] = []
        for month in range(self.months_per_step):
            shocks = self._weather()
            model = on.model_at(self._lived)
            self._lived = self._lived + 1
            self._state, self._flows = model.step(
                self._state,
                requested,
                shocks,
                self.options.budget,
                self._every - n,
                on.supplies(self._flows),
            )
            self._publication.publish(model, self._state, self._flows)
            now = welfare.evaluate(model, on.reference, self._flows)
            values = self._objective(now, on.reference).reshape(-1, n)
            weight = on.beta**month
            flow = flow + self._credit.split(values) * weight
            overall = overall + (values[0] - values[-1]) * weight
            monthly.append(now)
        self._shocks = shocks
        terminated = self._lived >= self.options.horizon
        beta = on.beta**self.months_per_step
        stocks_left = beta * self._stocks_value(terminated)
        left = self._credit.split(stocks_left)
        ended = torch.where(terminated, left, torch.zeros_like(left))
        paid = ended
        if self.options.terminal == "costates":
            paid = left - self._potential.T
            self._potential = (left / beta).T
        scene = self._scene()
        costs = self.options.costs(scene)
        goals = self.options.goals(scene)
        earned = objectives.rewards(self.groups, self.options, scene, flow, paid, goals, costs)
        last = torch.where(terminated, stocks_left[0], torch.zeros_like(stocks_left[0]))
        info = self._report(scene, monthly, overall, last)
        info["reward_vector"] = earned.parts
        info["set_costs"] = cost_sets.joint_costs(self.cost_sets, self.groups, self.options, scene)
        observations = self._observations(scene)
        info["final_observations"] = observations
        return StepResult(
            observations, earned.total, costs, terminated, torch.zeros_like(terminated), info
        )

    def worth(self) -> Tensor:
        """What stocks are worth now against the twin's, ``[B]`` months of income.

        Exact: by years of today's policy in the city as it has become, under shocks as they last.
        """
        return self._tail_value()[: self.num_envs]

    def detach(self) -> None:
        """Cut the graph: gradients of what comes later stop at the present state."""
        self._state = tree.tree_map(Tensor.detach, self._state)
        self._flows = tree.tree_map(Tensor.detach, self._flows)
        self._potential = self._potential.detach()
        self._said = tree.tree_map(Tensor.detach, self._said)
        self._publication.detach()

    def _lay(self) -> None:
        """Put all rows on the cities that the options ask for now."""
        self.options, self._laid, self._stands = self._next, self._seeds, self._first_row
        self._ground = ground.lay(
            self.city,
            self.options,
            self._credit.copies,
            self._seeds,
            self._first_city(self._first_row),
            self.dtype,
            self.device,
        )
        self._state, self._flows = self._ground.start, self._ground.first
        self._lived = torch.zeros_like(self._lived)
        self._said = self.options.say(self._quiet_actions())
        scene = self._scene()
        self.state_size = self._global_state(scene).shape[-1]
        self._publication = Publication(self.options, scene)
        for row, seed in enumerate(self._seeds):
            self._publication.seed(row, seed)

    def _requested(self, actions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Levers that are not as they are today, of the governed rows and their copies.

        Args:
            actions: as they count, in [-1, 1].
        """
        today = {name: x[: self._every - self.num_envs] for name, x in self._status_quo.items()}
        settings = self.options.request(self._copied(actions), today)
        return {name: x for name, x in settings.items() if x is not today[name]}

    def _copied(self, actions: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Actions of the governed rows and, as far as they count, of their copies."""
        if not self._credit.copies:
            return actions
        first, copied = 0, {}
        for group in self.groups:
            raw = actions[group.name]
            degrees = self._credit.degrees[:, first : first + group.size].to(raw)
            counted = degrees.reshape(-1, 1, group.size, 1) * raw
            copied[group.name] = torch.cat([raw, counted.flatten(0, 1)])
            first += group.size
        return copied

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
            group.name: torch.zeros(
                (self.num_envs, group.size, len(group.action_names)),
                dtype=self.dtype,
                device=self.device,
            )
            for group in self.groups
        }

    def _first_city(self, seed: int) -> int:
        """Number of the first row's city; the others follow it, round and round."""
        return seed

    def _weather(self) -> Shocks:
        """What the world does in a month to the governed rows, and the same to copies and twins."""
        return self._repeated(self._dynamics.advance())

    def _repeated(self, shocks: Shocks) -> Shocks:
        """Shocks of the governed rows, and the same for copies and twins."""
        blocks = self._every // self.num_envs
        return tree.tree_map(lambda x: x.repeat(blocks, *(1,) * (x.dim() - 1)), shocks)

    def _restart(self, rows: list[int]) -> None:
        """Put rows and their twins back to the first state and draw new shocks."""
        self._dynamics.reset(rows)
        self._publication.restart(rows)
        on, n = self._ground, self.num_envs
        if len(rows) == n:
            self._state, self._flows = on.start, on.first
            self._lived = torch.zeros_like(self._lived)
            agents = 1 if self._credit.weights is None else len(self._credit.weights)
            self._potential = torch.zeros(n, agents, dtype=self.dtype, device=self.device)
            self._said = tree.tree_map(torch.zeros_like, self._said)
            return
        mask = torch.zeros(n, dtype=torch.bool, device=self.device)
        mask[rows] = True
        every = mask.repeat(self._every // n)
        self._state = tree.where(every, on.start, self._state)
        self._flows = tree.where(every, on.first, self._flows)
        self._lived = torch.where(mask, torch.zeros_like(self._lived), self._lived)
        self._potential = self._potential.masked_fill(mask.unsqueeze(-1), 0)
        silence = tree.tree_map(torch.zeros_like, self._said)
        self._said = tree.where(mask, silence, self._said)

    def _stocks_value(self, terminated: Tensor) -> Tensor:
        """Value of the stocks of rows, copies and twins ``[2 + C, B]``, months of income; where
        they count at the end only, zero while no row is ``terminated`` ``[B]``."""
        n, on = self.num_envs, self._ground
        none = torch.zeros(n, dtype=self.dtype, device=self.device)
        if self.options.terminal == "costates":
            value = on.prices.value(self._state, n)
        elif bool(terminated.any()):
            value = self._tail_value()
        else:
            value = none.repeat(self._every // n - 1)
        return torch.cat([value, none]).reshape(-1, n)

    def _tail_value(self) -> Tensor:
        """Exact value of the stocks of rows and copies against the twins' ``[(1 + C) B]``."""
        n, on = self.num_envs, self._ground
        value = stocks.tail_value(
            on.model_at(self._lived),
            self._state,
            on.reference,
            self._status_quo,
            self.options.budget,
            self._shocks,
            self._objective,
            self._flows,
            on.supplies,
        )
        return value[:-n] - value[-n:].repeat(self._every // n - 1)

    def _scene(self) -> Scene:
        n, on = self.num_envs, self._ground

        def governed(x: Tensor) -> Tensor:
            return x[:n]

        def twin(x: Tensor) -> Tensor:
            return x[-n:]

        return Scene(
            city=on.governed_at(self._lived - 1),
            state=tree.tree_map(governed, self._state),
            flows=tree.tree_map(governed, self._flows),
            twin_state=tree.tree_map(twin, self._state),
            twin_flows=tree.tree_map(twin, self._flows),
            start=on.start_values,
            elapsed=self._lived.to(self.dtype) / self.options.horizon,
            said=self._said,
        )

    def _observations(self, scene: Scene) -> dict[str, Tensor]:
        seen = self.options.observe(self._publication.view(scene))
        seen = studies.read(seen, self._ground.told)
        return {name: x.clamp(-OBSERVATION_BOUND, OBSERVATION_BOUND) for name, x in seen.items()}

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
        found = report.against_twin(monthly, self._ground.reference, self.num_envs)
        return {
            **found,
            "welfare": {"overall": flow, "terminal": ended, **found["welfare"]},
            "indicators": {name: scene.value(name) for name in INDICATORS},
            "measures": self.options.measures(scene, self._publication.view(scene)),
            "state": self._global_state(scene),
        }
