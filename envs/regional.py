"""Regions: several governed cities that compete for people and learn from each other.

Shapes: B environments (regions), N members (cities) of each, R = B N rows, D districts.
A row of ``GovernanceEnv`` is one city; here a row of the environment is one region, whose members
are neighbouring rows of a batch of cities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs import studies
from envs.city import exchange
from envs.city.model import City
from envs.city.shocks import Shocks
from envs.cost_sets import CostSet
from envs.governance import GovernanceEnv
from envs.groups import Group, StepResult
from envs.scenario import Scenario

MAYORS = "mayors"
#: Parts of a mayor's reward that are earned; the costs follow, each with a minus.
EARNED = ("city", "region")
#: What a mayor reads of the other members' settings.
REGION, RIVALS, LOWEST = "region_", "rivals_", "lowest_"


@dataclass(frozen=True)
class RegionalScenario(Scenario):
    """Options of scenarios whose environments are regions.

    Attributes:
        members: cities of a region.
        mobility: how readily people move between members, over how readily they move between a
            city and the rest of the world.
        spill: share of what research adds elsewhere that reaches a city of the same tags.
        closed: nobody comes from the rest of the world or leaves for it, but those who make up
            for births, deaths and careers of the first year.
        local_weight: weight of a mayor's own city in its reward, the rest is the region.
    """

    members: int = 3
    mobility: float = 1.0
    spill: float = 0.5
    closed: bool = False
    local_weight: float = 0.5

    def problems(self) -> list[str]:
        found = super().problems()
        if not 1 <= self.members <= 100:
            found.append(f"members={self.members}: expected 1 to 100")
        if not 0 <= self.mobility <= 20:
            found.append(f"mobility={self.mobility}: expected 0 to 20")
        if not 0 <= self.spill <= 1:
            found.append(f"spill={self.spill}: expected 0 to 1")
        if self.credit != "shared":
            found.append(f"credit={self.credit!r}: members share it by local_weight alone")
        if self.cost_sets:
            found.append("cost_sets: members share no budget")
        return found

    def mayor(self) -> Scenario:
        """The scenario of one member: one group ``MAYORS`` of one agent."""
        raise TypeError("a regional scenario defines mayor, means and rivals")

    def means(self) -> tuple[str, ...]:
        """Observations of a mayor whose mean over the region all see."""
        raise TypeError("a regional scenario defines mayor, means and rivals")

    def rivals(self) -> tuple[str, ...]:
        """Observations of a mayor whose mean and minimum over the others it sees."""
        raise TypeError("a regional scenario defines mayor, means and rivals")

    def shared_options(self) -> dict[str, Any]:
        """Options that hold for a member as well."""
        return {field.name: getattr(self, field.name) for field in fields(Scenario)}

    def groups(self, city: City) -> tuple[Group, ...]:
        (one,) = studies.widened(self.mayor().groups(city), self.studies)
        names = (
            *one.observation_names,
            *(f"{REGION}{name}" for name in self.means()),
            *(f"{RIVALS}{name}" for name in self.rivals()),
            *(f"{LOWEST}{name}" for name in self.rivals()),
        )
        agents = tuple(f"mayor_{i:02d}" for i in range(self.members))
        mix = self.local_weight
        return (
            replace(
                one,
                agents=agents,
                observation_names=names,
                reward_names=(*EARNED, *(f"cost_{name}" for name in one.cost_names)),
                reward_weights=(mix, 1 - mix, *(0.0 for _ in one.cost_names)),
            ),
        )


class Members(GovernanceEnv):
    """The cities of all regions, N rows to a region, coupled month by month.

    Member m of region i is city ``((seed + i) N + m) % cities``. The rows of the status quo are
    coupled among themselves. Co-states and tail runs value what is left at the end city by
    city, as if each went on alone.
    """

    def __init__(
        self,
        scenario_id: str,
        region: RegionalScenario,
        city: City,
        rows: int,
        seed: int,
        dtype: torch.dtype,
        device: torch.device | str,
    ) -> None:
        self.region = region
        super().__init__(scenario_id, region.mayor(), city, rows, seed, dtype, device)

    @property
    def incomes(self) -> Tensor:
        """Income of every city in the first year ``[R]`` k$/month."""
        return self._ground.reference.total.expand(self._every)[: self.num_envs]

    def arriving(self) -> Tensor:
        """People that came from other members in a month like this ``[R]``, net."""
        moved = self._migration()[: self.num_envs]
        return (moved * self._state.planning.people[: self.num_envs].sum(1)).sum(-1)

    def _migration(self) -> Tensor:
        return exchange.migration(
            self._open.model_at(self._lived),
            self._state,
            self.region.members,
            self.region.mobility,
        )

    def _lay(self) -> None:
        super()._lay()
        self._open = self._ground
        if self.region.closed:
            self._ground = self._open.changed(exchange.closed)

    def _first_city(self, seed: int) -> int:
        return seed * self.region.members

    def _weather(self) -> Shocks:
        shocks = super()._weather()
        waves = 0 if self.region.closed else shocks["arrivals"]
        known, region = self._ground.model_at(self._lived), self.region
        reaching = exchange.spilled(known, self._state, self._flows, region.members, region.spill)
        return shocks | {
            "arrivals": waves + self._migration(),
            "productivity": shocks["productivity"] + reaching.unsqueeze(-1),
        }


class RegionalEnv:
    """A regional scenario on one or more calibrated cities, ``num_envs`` regions at once.

    The group ``mayors`` has one agent a member. A mayor's reward mixes the discounted flow of its
    own city's welfare against the status quo of the region with that of the region, members
    weighted by first-year income. Welfare in ``StepResult.info`` is the region's, indicators are
    means over the members, ``welfare_by_district`` has all districts member by member ``[B, N
    D]``, the global state all members' ``[B, N S]``, and "members" holds what each has ``[B, N]``.
    """

    def __init__(
        self,
        scenario_id: str,
        scenario: RegionalScenario,
        city: City,
        num_envs: int,
        seed: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.scenario = scenario_id
        self.options = scenario
        self.num_envs = num_envs
        self.members = scenario.members
        self.cities = Members(
            scenario_id, scenario, city, num_envs * self.members, seed, dtype, device
        )
        self.city = city
        self.device, self.dtype = self.cities.device, self.cities.dtype
        self.months_per_step = self.cities.months_per_step
        self.steps_per_episode = self.cities.steps_per_episode
        self.groups = scenario.groups(city)
        self.cost_sets: tuple[CostSet, ...] = ()
        self.state_size = self.members * self.cities.state_size
        names = self.cities.groups[0].observation_names
        self._means = [names.index(name) for name in scenario.means()]
        self._rivals = [names.index(name) for name in scenario.rivals()]
        income = self._split(self.cities.incomes)
        self._weight = income / income.sum(-1, keepdim=True)
        self.reset(seed)

    def reset(
        self, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Start new episodes in every region.

        Args:
            seed: region i uses ``seed + i`` (or ``seed[i]``), each member its own stream of it;
                None continues the streams. options: none are known.

        Raises:
            ValueError: a number of seeds that is not the number of regions.
        """
        seeds: list[int] | None = None
        if seed is not None:
            own = (
                [int(s) for s in seed]
                if isinstance(seed, Iterable)
                else [int(seed) + row for row in range(self.num_envs)]
            )
            if len(own) != self.num_envs:
                raise ValueError(f"{len(own)} seeds for {self.num_envs} environments")
            seeds = [_stream(s, member) for s in own for member in range(self.members)]
        seen, info = self.cities.reset(seeds, options)
        return self._observed(seen), {"state": self._split(info["state"]).flatten(1)}

    def step(self, actions: Mapping[str, Tensor]) -> StepResult:
        """Govern all regions for one step with actions ``{"mayors": [B, N, act]}`` in [-1, 1]."""
        result = self.cities.step(self._joined(actions))
        own = self._split(result.rewards[MAYORS].squeeze(-1))
        whole = (self._weight * own).sum(-1, keepdim=True)
        mix = self.options.local_weight
        costs = self._split(result.costs[MAYORS].squeeze(1))
        earned = torch.stack([own, whole.expand_as(own)], -1)
        return StepResult(
            self._observed(result.observations),
            {MAYORS: mix * own + (1 - mix) * whole},
            {MAYORS: costs},
            self._split(result.terminated)[:, 0],
            self._split(result.truncated)[:, 0],
            {
                **self._report(result.info),
                "reward_vector": {MAYORS: torch.cat([earned, -costs], -1)},
            },
        )

    @property
    def realism(self) -> dict[str, float]:
        """Switches of realism in force."""
        return self.cities.realism

    def set_realism(self, values: Mapping[str, float]) -> None:
        """Change switches of realism of all members, see ``GovernanceEnv.set_realism``."""
        self.cities.set_realism(values)

    def move(self, first_row: int) -> None:
        """Let regions stand on other cities, see ``GovernanceEnv.move``."""
        self.cities.move(first_row)

    def detach(self) -> None:
        """Cut the graph: gradients of what comes later stop at the present state."""
        self.cities.detach()

    def restart(self, rows: Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Start new episodes in some regions; the streams go on, and so do the others."""
        members = range(self.members)
        chosen = [row * self.members + member for row in rows for member in members]
        seen, info = self.cities.restart(chosen)
        return self._observed(seen), {"state": self._split(info["state"]).flatten(1)}

    def physical(self, actions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lever settings in physical units that actions ask for, ``[B, N, *lever shape]``."""
        found = self.cities.physical(self._joined(actions))
        return {name: self._split(value) for name, value in found.items()}

    def _split(self, rows: Tensor) -> Tensor:
        """``[R, ...]`` as ``[B, N, ...]``."""
        return rows.reshape(self.num_envs, self.members, *rows.shape[1:])

    def _joined(self, actions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: torch.as_tensor(a).flatten(0, 1).unsqueeze(1) for name, a in actions.items()}

    def _observed(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each mayor's own city, the region's means, and the others' settings."""
        own = self._split(seen[MAYORS].squeeze(1))
        means = own[..., self._means].mean(1, keepdim=True).expand(-1, self.members, -1)
        settings = own[..., self._rivals].unsqueeze(1).expand(-1, self.members, -1, -1)
        if self.members == 1:
            others = lowest = own[..., self._rivals]
        else:
            self_or_not = torch.eye(self.members, dtype=torch.bool, device=own.device)
            mine = self_or_not.reshape(1, self.members, self.members, 1)
            others = settings.masked_fill(mine, 0.0).sum(2) / (self.members - 1)
            lowest = settings.masked_fill(mine, torch.inf).amin(2)
        return {MAYORS: torch.cat([own, means, others, lowest], -1)}

    def _report(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """The region's figures from those of its members."""

        def region(value: Tensor) -> Tensor:
            rows = self._split(value)
            return (self._weight.reshape(*rows.shape[:2], *(1,) * (rows.dim() - 2)) * rows).sum(1)

        people = self._split(info["indicators"]["population"])
        arrived = self._split(self.cities.arriving())
        welfare = self._split(info["welfare"]["overall"])
        return {
            "welfare": {name: region(value) for name, value in info["welfare"].items()},
            "welfare_by_type": region(info["welfare_by_type"]),
            "welfare_by_district": self._split(info["welfare_by_district"]).flatten(1),
            "indicators": {
                name: self._split(value).mean(1) for name, value in info["indicators"].items()
            },
            "measures": {
                "movers": arrived.abs().sum(-1) / 2 / people.sum(-1),
                "welfare_gap": welfare.amax(-1) - welfare.amin(-1),
                "largest_share": people.amax(-1) / people.sum(-1),
            },
            "members": {"overall": welfare, "population": people, "arrived": arrived},
            "state": self._split(info["state"]).flatten(1),
            "final_observations": self._observed(info["final_observations"]),
        }


def _stream(seed: int, member: int) -> int:
    """The seed of a member: of its own for each region's seed."""
    return int(np.random.SeedSequence([seed, member]).generate_state(1, np.uint64)[0])
