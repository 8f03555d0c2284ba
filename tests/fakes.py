"""A small batched core with a known best action, for tests of everything built on the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.groups import Group, StepResult

PLANNING = Group("planning", ("planner_0",), ("signal", "level", "clock"), ("toll", "grant"))
BOARDS = Group(
    "boards",
    ("board_0", "board_1", "board_2"),
    ("signal", "level", "clock", "district"),
    ("rate",),
    ("deficit", "churn"),
    (0.5, 0.2),
)
DISTRICTS = 3


class FakeCore:
    """Two unequal groups; each row draws signals in [-1, 1] from its own stream.

    The best action repeats the signal (observation 0): reward = 0.5 - mean square of the miss.
    truncate: episodes are cut instead of ended; stagger: row i starts i steps into its episode.
    """

    scenario = "fake_v0"
    groups = (PLANNING, BOARDS)
    state_size = 5

    def __init__(
        self,
        num_envs: int = 1,
        seed: int = 0,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        months_per_step: int = 3,
        horizon: int = 30,
        truncate: bool = False,
        stagger: bool = False,
        **city: Any,
    ) -> None:
        self.num_envs = num_envs
        self.device = torch.device(device)
        self.dtype = dtype
        self.months_per_step = months_per_step
        self.steps_per_episode = horizon // months_per_step
        self.local_weight = 0.2
        self._truncate = truncate
        self._stagger = stagger
        self._streams = [np.random.default_rng(seed + i) for i in range(num_envs)]
        self._signal = np.zeros(num_envs)
        self._level = np.zeros(num_envs)
        self._clock = np.zeros(num_envs, dtype=int)
        self.resets = 0

    def reset(
        self, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        if isinstance(seed, int):
            seed = [seed + i for i in range(self.num_envs)]
        if seed is not None:
            self._streams = [np.random.default_rng(s) for s in seed]
        self.resets += 1
        self._restart(np.arange(self.num_envs))
        if self._stagger:
            self._clock = np.arange(self.num_envs) % self.steps_per_episode
        return self._observations(), self._info()

    def restart(self, rows: Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        self._restart(np.asarray(rows, dtype=int))
        return self._observations(), self._info()

    def step(self, actions: Mapping[str, Tensor]) -> StepResult:
        wanted = {g.name: (self.num_envs, len(g.agents), len(g.action_names)) for g in self.groups}
        assert {name: tuple(a.shape) for name, a in actions.items()} == wanted
        signal = torch.as_tensor(self._signal, dtype=self.dtype)[:, None, None]
        rewards = {name: 0.5 - (a - signal).square().mean(-1) for name, a in actions.items()}
        costs = {
            "planning": torch.zeros(self.num_envs, 1, 0, dtype=self.dtype),
            "boards": torch.cat([actions["boards"].abs(), actions["boards"] ** 2], -1),
        }
        self._level += 0.1 * actions["planning"].detach().mean((1, 2)).numpy()
        self._signal = self._drawn(np.arange(self.num_envs))
        self._clock += 1
        done = self._clock >= self.steps_per_episode
        final = self._observations()
        goals = {name: reward / self.local_weight for name, reward in rewards.items()}
        info = {**self._info(), "final_observations": final}
        info |= {"whole": torch.zeros(self.num_envs, dtype=self.dtype), "goals": goals}
        self._restart(np.flatnonzero(done))
        ended, never = torch.as_tensor(done), torch.zeros(self.num_envs, dtype=torch.bool)
        terminated, truncated = (never, ended) if self._truncate else (ended, never)
        return StepResult(self._observations(), rewards, costs, terminated, truncated, info)

    def _drawn(self, rows: np.ndarray) -> np.ndarray:
        return np.array([self._streams[i].uniform(-1.0, 1.0) for i in rows])

    def _restart(self, rows: np.ndarray) -> None:
        self._signal[rows] = self._drawn(rows)
        self._level[rows] = 0.0
        self._clock[rows] = 0

    def _observations(self) -> dict[str, Tensor]:
        clock = self._clock / self.steps_per_episode
        rows = np.stack([self._signal, self._level, clock], -1)
        shared = torch.as_tensor(rows, dtype=self.dtype)[:, None]
        district = torch.arange(DISTRICTS, dtype=self.dtype)[None, :, None]
        boards = [shared.expand(-1, DISTRICTS, -1), district.expand(self.num_envs, -1, -1)]
        return {"planning": shared.clone(), "boards": torch.cat(boards, -1)}

    def _info(self) -> dict[str, Any]:
        level = torch.as_tensor(self._level, dtype=self.dtype)
        signal = torch.as_tensor(self._signal, dtype=self.dtype)
        by_district = level[:, None] * torch.linspace(-1.0, 1.0, DISTRICTS, dtype=self.dtype)
        return {
            "welfare": {"overall": 0.01 * level, "rawls": 0.005 * level},
            "welfare_by_type": level[:, None].expand(-1, 2).clone(),
            "welfare_by_district": by_district,
            "indicators": {"population": 1000.0 + 0.0 * level, "rent": 10.0 + level},
            "state": torch.stack([signal, level, level**2, signal**2, signal * level], -1),
        }
