"""TorchRL view: the whole batch as one `EnvBase`, groups of governors as nested tensordicts.

Shapes: B environments, n agents of a group, O observations, A levers, S numbers of global state,
K household types, D districts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import Bounded, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

from envs import registry
from envs.adapters.layout import OBSERVATION_BOUND, BatchedCore
from envs.groups import StepResult

#: What ends an episode, at the root and in each group.
ENDS = ("done", "terminated", "truncated")
#: Tables of the core's info that the root's "info" holds beside the welfare components.
TABLES = ("welfare_by_type", "welfare_by_district")


class GovernanceTorchRLEnv(EnvBase):  # type: ignore[misc]
    """A batch-locked TorchRL environment ``[B]`` on a batched core, without leaving torch.

    Entries::

        <group>.observation  [B, n, O]     <group>.action  [B, n, A], in [-1, 1]
        <group>.reward       [B, n, 1]     <group>.info.cost_<name>  [B, n, 1]
        <group>.done, terminated, truncated  [B, n, 1], the same for all agents
        done, terminated, truncated  [B, 1]         state  [B, S]
        info.welfare_<component>  [B, 1]            info.welfare_by_type  [B, K]
                                                    info.welfare_by_district  [B, D]

    "info" is of the step just made and zero after a reset. `group_map` names the agents of each
    group. Rows start anew where TorchRL asks for it (`_reset`), each from its own random stream;
    the core has already restarted a row that ended, so the numbers are those of the core.
    Rollouts are differentiable in the actions.

    `set_seed(s)` gives row i the seed s + i from the next full reset on.
    """

    def __init__(self, core: BatchedCore, seed: int = 0) -> None:
        super().__init__(device=core.device, batch_size=torch.Size([core.num_envs]))
        self.core = core
        self.group_map = {group.name: list(group.agents) for group in core.groups}
        self._seed: int | None = seed
        self._fresh = torch.ones(core.num_envs, dtype=torch.bool, device=core.device)
        self._blank_info = self._blank(self._trial_step())
        self._make_specs()

    def _trial_step(self) -> StepResult:
        """A step whose result shows which figures there are; the first reset undoes it."""
        core = self.core
        with torch.no_grad():
            return core.step(
                {
                    group.name: torch.zeros(
                        (core.num_envs, group.size, len(group.action_names)),
                        dtype=core.dtype,
                        device=core.device,
                    )
                    for group in core.groups
                }
            )

    def _make_specs(self) -> None:
        core, size = self.core, self.batch_size
        kind: dict[str, Any] = {"device": core.device, "dtype": core.dtype}
        observations: dict[str, Any] = {
            "state": Bounded(
                -OBSERVATION_BOUND, OBSERVATION_BOUND, (*size, core.state_size), **kind
            )
        }
        actions, rewards, ends = {}, {}, dict[str, Any](self._end_specs(size))
        for group in core.groups:
            shape = torch.Size((*size, group.size))
            observations[group.name] = Composite(
                observation=Bounded(
                    -OBSERVATION_BOUND,
                    OBSERVATION_BOUND,
                    (*shape, len(group.observation_names)),
                    **kind,
                ),
                shape=shape,
            )
            lever = Bounded(-1.0, 1.0, (*shape, len(group.action_names)), **kind)
            actions[group.name] = Composite(action=lever, shape=shape)
            rewards[group.name] = Composite(reward=Unbounded((*shape, 1), **kind), shape=shape)
            ends[group.name] = Composite(self._end_specs(shape), shape=shape)
        for place, values in self._blank_info.items():
            specs = {name: Unbounded(x.shape, **kind) for name, x in values.items()}
            where = observations[place] if place else observations
            shape = torch.Size((*size, len(self.group_map[place]))) if place else size
            where["info"] = Composite(specs, shape=shape)
        self.observation_spec = Composite(observations, shape=size)
        self.action_spec = Composite(actions, shape=size)
        self.reward_spec = Composite(rewards, shape=size)
        self.done_spec = Composite(ends, shape=size)

    def _end_specs(self, shape: torch.Size) -> dict[str, Categorical]:
        return {
            name: Categorical(2, (*shape, 1), dtype=torch.bool, device=self.core.device)
            for name in ENDS
        }

    def _set_seed(self, seed: int | None) -> None:
        self._seed = seed

    def _reset(self, tensordict: TensorDictBase | None = None, **kwargs: Any) -> TensorDictBase:
        mask = None if tensordict is None else tensordict.get("_reset", None)
        everything = torch.ones(self.batch_size, dtype=torch.bool, device=self.core.device)
        asked = everything if mask is None else mask.reshape(self.batch_size)
        if mask is None or (self._seed is not None and bool(asked.all())):
            observations, info = self.core.reset(seed=self._seed)
            self._seed = None
        else:
            stale = torch.nonzero(asked & ~self._fresh).flatten().tolist()
            observations, info = self.core.restart(stale)
        self._fresh = self._fresh | asked
        over = torch.zeros(self.batch_size, dtype=torch.bool, device=self.core.device)
        return self._packed(observations, info["state"], over, over, self._blank_info)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        actions = {name: tensordict.get((name, "action")) for name in self.group_map}
        result = self.core.step(actions)
        ended = result.terminated | result.truncated
        self._fresh = ended
        packed = self._packed(
            result.info["final_observations"],
            result.info["state"],
            result.terminated,
            result.truncated,
            self._info(result),
        )
        for name, reward in result.rewards.items():
            packed.set((name, "reward"), reward.unsqueeze(-1))
        return packed

    def _packed(
        self,
        observations: Mapping[str, Tensor],
        state: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        info: Mapping[str, dict[str, Tensor]],
    ) -> TensorDict:
        ends = dict(zip(ENDS, (terminated | truncated, terminated, truncated), strict=True))
        source: dict[str, Any] = {"state": state, "info": TensorDict(info[""], self.batch_size)}
        source |= {name: end.unsqueeze(-1) for name, end in ends.items()}
        for group in self.core.groups:
            shape = (*self.batch_size, group.size)
            entries: dict[str, Any] = {"observation": observations[group.name]}
            entries |= {name: end.reshape(-1, 1, 1).expand(*shape, 1) for name, end in ends.items()}
            if group.name in info:
                entries["info"] = TensorDict(info[group.name], shape)
            source[group.name] = TensorDict(entries, shape)
        return TensorDict(source, self.batch_size, device=self.device).clone()

    def _info(self, result: StepResult) -> dict[str, dict[str, Tensor]]:
        """What a step reports: place ("" is the root, or a group) -> name -> values."""
        root = {
            f"welfare_{name}": value.unsqueeze(-1) for name, value in result.info["welfare"].items()
        }
        report = {"": root | {name: result.info[name] for name in TABLES if name in result.info}}
        for group in self.core.groups:
            if group.cost_names:
                columns = [cost.unsqueeze(-1) for cost in result.costs[group.name].unbind(-1)]
                names = [f"cost_{name}" for name in group.cost_names]
                report[group.name] = dict(zip(names, columns, strict=True))
        return report

    def _blank(self, result: StepResult) -> dict[str, dict[str, Tensor]]:
        return {
            place: {name: torch.zeros_like(value) for name, value in values.items()}
            for place, values in self._info(result).items()
        }

    def to(self, device: Any) -> GovernanceTorchRLEnv:
        """The environment itself; ValueError for a device that the core is not on."""
        if torch.device(device).type != self.core.device.type:
            raise ValueError(
                f"this environment is on {self.core.device}: make it with device={str(device)!r}"
            )
        return self


def torchrl_env(
    scenario: str, num_envs: int = 64, seed: int = 0, **options: Any
) -> GovernanceTorchRLEnv:
    """TorchRL environment of a scenario, batch size [num_envs]; options as in `envs.make`."""
    return GovernanceTorchRLEnv(
        registry.make(scenario, num_envs=num_envs, seed=seed, **options), seed
    )
