"""Tiny differentiable worlds with the batched contract and known best policies.

All rows of a world end together; each row draws from a stream of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.groups import Group, StepResult


class Toy:
    """A world with state `x` [B]; subclasses say what is drawn, seen, earned and paid."""

    scenario = "toy_v0"
    groups: tuple[Group, ...] = (Group("board", ("board_0",), ("x", "elapsed"), ("lever",)),)
    months_per_step = 1
    state_size = 2
    cut = False

    def __init__(self, num_envs: int, steps: int, seed: int = 0) -> None:
        self.num_envs, self.steps_per_episode = num_envs, steps
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self._streams = [np.random.default_rng(seed + row) for row in range(num_envs)]
        self.reset()

    def reset(
        self, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        if isinstance(seed, int):
            seed = [seed + row for row in range(self.num_envs)]
        if seed is not None:
            self._streams = [np.random.default_rng(one) for one in seed]
        drawn = [stream.standard_normal(self.steps_per_episode + 1) for stream in self._streams]
        self.noise = torch.tensor(np.array(drawn), dtype=self.dtype)
        self.clock = 0
        self.x = self.first()
        return self.observe(), {"state": self.state()}

    def detach(self) -> None:
        self.x = self.x.detach()

    def step(self, actions: Mapping[str, Tensor]) -> StepResult:
        moved = {name: a.clamp(-1, 1) for name, a in actions.items()}
        rewards, costs = self.live(moved)
        self.clock += 1
        seen, state = self.observe(), self.state()
        done = torch.full((self.num_envs,), self.clock == self.steps_per_episode)
        never = torch.zeros_like(done)
        info = {"final_observations": seen, "state": state}
        if bool(done[0]):
            seen, _ = self.reset()
        ends = (never, done) if self.cut else (done, never)
        return StepResult(seen, rewards, costs, *ends, info)

    def shock(self) -> Tensor:
        return self.noise[:, self.clock]

    def state(self) -> Tensor:
        return torch.stack([self.x, torch.full_like(self.x, self.elapsed())], -1)

    def elapsed(self) -> float:
        return self.clock / self.steps_per_episode

    def observe(self) -> dict[str, Tensor]:
        return {group.name: self.state().unsqueeze(1) for group in self.groups}

    def first(self) -> Tensor:
        raise NotImplementedError

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        raise NotImplementedError

    def nothing(self) -> dict[str, Tensor]:
        return {group.name: torch.zeros(self.num_envs, group.size, 0) for group in self.groups}


class Regulator(Toy):
    """Linear-quadratic: x' = 0.9 x + 0.5 u + 0.1 noise, reward -(x^2 + 0.1 u^2), two lever units.

    Episodes are cut, not ended, so that the best gain is that of the endless problem.
    """

    cut = True
    KEEP, PUSH, NOISE, EFFORT = 0.9, 0.5, 0.1, 0.1

    def first(self) -> Tensor:
        return self.noise[:, -1]

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        u = 2 * actions["board"][:, 0, 0]
        reward = -(self.x.square() + self.EFFORT * u.square())
        self.x = self.KEEP * self.x + self.PUSH * u + self.NOISE * self.shock()
        return {"board": reward.unsqueeze(-1)}, self.nothing()


class Barro(Toy):
    """Growth with productive public spending (Barro 1990): y = k g^elasticity with g = share y.

    x: log capital. Everybody consumes half of what is left after tax and the rest becomes
    capital; welfare is the sum of log consumption. The share that is best for growth and for
    welfare is the elasticity, whatever the productivity shocks.
    """

    ELASTICITY, LARGEST, PRODUCTIVITY = 0.25, 0.8, 0.3

    def first(self) -> Tensor:
        return 0.1 * self.noise[:, -1]

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        share = self.share(actions["board"][:, 0, 0])
        self.x, consumed = self.grow(self.x, share, 0.1 * self.shock())
        return {"board": consumed.unsqueeze(-1)}, self.nothing()

    def share(self, lever: Tensor) -> Tensor:
        return self.LARGEST * (0.501 + 0.499 * lever)

    def grow(self, x: Tensor, share: Tensor, shock: Tensor) -> tuple[Tensor, Tensor]:
        e = self.ELASTICITY
        output = self.PRODUCTIVITY * share ** (e / (1 - e)) * torch.exp(shock)
        left = output * (1 - share)
        return x + torch.log(0.95 + 0.5 * left), x + torch.log(0.5 * left)


class Pigou(Toy):
    """A road with elastic demand: drivers whose value is above minutes and toll use it.

    x: what the keenest driver would give, drawn anew in every step and seen. With value
    `x - slope flow` and minutes `FREE + DELAY flow` the best toll is `flow x delay` at the best
    flow `(x - FREE) / (slope + 2 DELAY)` (Pigou 1920); welfare is value less minutes.
    """

    FREE, DELAY, SLOPE, HIGHEST = 1.0, 1.0, 1.0, 3.0

    def first(self) -> Tensor:
        return self.demand()

    def demand(self) -> Tensor:
        return 4.0 + torch.tanh(self.shock())

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        toll = self.HIGHEST * 0.5 * (1 + actions["board"][:, 0, 0])
        reward = self.welfare(self.x, toll)
        self.clock += 1
        self.x = self.demand()
        self.clock -= 1
        return {"board": reward.unsqueeze(-1)}, self.nothing()

    def welfare(self, x: Tensor, toll: Tensor) -> Tensor:
        flow = ((x - self.FREE - toll) / (self.SLOPE + self.DELAY)).clamp_min(0)
        return x * flow - 0.5 * self.SLOPE * flow**2 - (self.FREE + self.DELAY * flow) * flow

    def best(self, x: Tensor) -> Tensor:
        return self.DELAY * (x - self.FREE) / (self.SLOPE + 2 * self.DELAY)


class Capped(Toy):
    """Two boards earn their lever's setting, which costs `((1 + lever) / 2)^2`, under a budget.

    The best policy sets every lever so that the cost equals the budget; the price of a budget's
    worth of cost is then the root of the budget.
    """

    BUDGET = 0.3
    groups = (
        Group("pair", ("a", "b"), ("x", "elapsed"), ("lever",), ("smoke",), (BUDGET,)),
        Group("free", ("c",), ("x", "elapsed"), ("lever", "other")),
    )

    def first(self) -> Tensor:
        return self.shock()

    def observe(self) -> dict[str, Tensor]:
        return {g.name: self.state().unsqueeze(1).expand(-1, g.size, -1) for g in self.groups}

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        self.x = self.shock()
        rewards = {"pair": actions["pair"][..., 0], "free": -actions["free"].square().sum(-1)}
        return rewards, self.nothing() | {"pair": ((1 + actions["pair"]) / 2).square()}
