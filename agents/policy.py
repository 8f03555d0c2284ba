"""What a policy is: a map from each group's observations to its levers.

Shapes: B environments (rows), n agents of a group, O observations, A levers.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from agents.schema import closest

Tensors = Mapping[str, Tensor]


class GroupLike(Protocol):
    """The part of `envs.groups.Group` that a policy needs."""

    @property
    def name(self) -> str: ...

    @property
    def observation_names(self) -> tuple[str, ...]: ...

    @property
    def action_names(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Space:
    """Names of what one group sees and of its levers; the number of agents is free."""

    name: str
    observation_names: tuple[str, ...]
    action_names: tuple[str, ...]


@runtime_checkable
class Policy(Protocol):
    """Chooses levers for every group of governors."""

    @property
    def kind(self) -> str:
        """Key of the policy's class in the registry of policy kinds."""
        ...

    @property
    def spaces(self) -> tuple[Space, ...]: ...

    def settings(self) -> dict[str, Any]:
        """Plain values that rebuild the policy together with `weights`."""
        ...

    def weights(self) -> dict[str, Tensor]: ...

    def reset(self, num_envs: int) -> None:
        """Forget everything remembered; called when all rows start new episodes."""
        ...

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        """Levers in [-1, 1], 0 = today's setting: group -> [B, n, A], from group -> [B, n, O]."""
        ...


@runtime_checkable
class Planned(Protocol):
    """A policy with a plan, whatever it does beside it."""

    def course(self, steps: int) -> dict[str, Tensor]:
        """The plan, step by step: group -> [steps, A]."""
        ...


class BasePolicy(ABC):
    """Shared parts of policies: spaces, settings as a dataclass, no weights, no memory.

    sizes: number of agents of the groups whose agents are told apart; it is free elsewhere.
    """

    kind: ClassVar[str]
    Settings: ClassVar[type]
    sizes: Mapping[str, int] = {}

    def __init__(
        self,
        spaces: Sequence[GroupLike],
        settings: Any,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.spaces = spaces_of(spaces)
        self.options = settings
        self.tensors = dict(weights or {})

    @classmethod
    def weight_shapes(cls, spaces: Sequence[Space], settings: Any) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors that the policy file must hold."""
        return {}

    @classmethod
    def space_problems(cls, spaces: Sequence[Space], settings: Any) -> list[str]:
        """What keeps the settings from governing the spaces; empty when they fit."""
        return []

    def settings(self) -> dict[str, Any]:
        return dataclasses.asdict(self.options)

    def weights(self) -> dict[str, Tensor]:
        return self.tensors

    def reset(self, num_envs: int) -> None:  # noqa: B027
        """Nothing is remembered, unless a policy says otherwise."""

    @abstractmethod
    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        """See `Policy.act`."""


def spaces_of(groups: Sequence[GroupLike]) -> tuple[Space, ...]:
    """Spaces of an environment's groups (or of anything with the same names)."""
    return tuple(Space(g.name, tuple(g.observation_names), tuple(g.action_names)) for g in groups)


def mismatches(policy: Policy, groups: Sequence[GroupLike]) -> list[str]:
    """What keeps a policy from governing these groups; empty when it fits."""
    found = {space.name: space for space in spaces_of(groups)}
    problems = [f"no space for group {name!r}" for name in found if name not in _names(policy)]
    for space in policy.spaces:
        if space.name not in found:
            problems.append(f"unknown group {space.name!r}; {closest(space.name, found)}")
            continue
        for what in ("observation_names", "action_names"):
            mine, theirs = getattr(space, what), getattr(found[space.name], what)
            if mine != theirs:
                problems.append(f"group {space.name!r}: {_difference(what, mine, theirs)}")
    sizes = getattr(policy, "sizes", {})
    for group in groups:
        wanted, there = sizes.get(group.name), getattr(group, "size", None)
        if wanted is not None and there is not None and wanted != there:
            problems.append(f"group {group.name!r}: networks for {wanted} agents, not {there}")
    return problems


def blank_actions(space: Space, observations: Tensors) -> Tensor:
    """Today's setting of every lever of a group: zeros [B, n, A]."""
    observed = observations[space.name]
    return torch.zeros(
        (*observed.shape[:2], len(space.action_names)), dtype=observed.dtype, device=observed.device
    )


def _names(policy: Policy) -> set[str]:
    return {space.name for space in policy.spaces}


def _difference(what: str, mine: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    label = what.replace("_names", "s")
    missing = [name for name in mine if name not in theirs]
    extra = [name for name in theirs if name not in mine]
    if not missing and not extra:
        return f"{label} come in another order"
    parts = [f"lacks {', '.join(missing)}"] if missing else []
    parts += [f"has also {', '.join(extra)}"] if extra else []
    return f"{label} differ: the environment " + " and ".join(parts)
