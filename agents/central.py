"""A trained policy with one governor who sees what all agents see and sets every lever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from agents.network import NetworkPolicy, RowPolicy, RowSettings, Width
from agents.policy import BasePolicy, GroupLike, Space, Tensors, spaces_of
from agents.recurrent import RecurrentPolicy
from agents.schema import Check, SettingsError, closest, read
from agents.squashed import SquashedPolicy
from agents.stochastic import Decision
from envs.adapters.joined import GOVERNOR, join, joined_group, split
from envs.groups import Group

CENTRAL: dict[str, type[RowPolicy]] = {
    kind.kind: kind for kind in (NetworkPolicy, SquashedPolicy, RecurrentPolicy)
}
"""What a governor's own policy may be."""


def _policy_fault(data: dict[str, Any]) -> str | None:
    try:
        _governor(data)
    except SettingsError as error:
        return "; ".join(error.problems)
    return None


def _governor(data: Mapping[str, Any]) -> tuple[type[RowPolicy], RowSettings]:
    """Kind and settings of a governor's policy; SettingsError where they are wrong."""
    name = str(data.get("kind"))
    if name not in CENTRAL:
        raise SettingsError([f"kind: unknown choice {name!r}; {closest(name, CENTRAL)}"])
    rest = {key: value for key, value in data.items() if key != "kind"}
    return CENTRAL[name], read(CENTRAL[name].Settings, rest, "")


class CentralPolicy(BasePolicy):
    """Joins observations, asks the governor's policy, splits its actions.

    Order: group after group, in a group agent after agent, as in `envs.adapters.joined`. Weights
    are those of the governor's policy.
    """

    kind = "central"

    @dataclass(frozen=True)
    class Settings:
        """sizes: group -> number of its agents; policy: `kind` and settings of the governor's."""

        sizes: dict[str, Width]
        policy: Annotated[dict[str, Any], Check(_policy_fault)]

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.sizes = settings.sizes
        self.groups = _groups(self.spaces, settings)
        kind, inner = _governor(settings.policy)
        self.governor = kind(spaces_of([joined_group(self.groups)]), inner, weights)

    @classmethod
    def space_problems(cls, spaces: Sequence[Space], settings: Settings) -> list[str]:
        names = {space.name for space in spaces}
        problems = [f"group {name!r} has no size" for name in names - set(settings.sizes)]
        problems += [f"size of an unknown group {name!r}" for name in set(settings.sizes) - names]
        if problems:
            return sorted(problems)
        kind, inner = _governor(settings.policy)
        return kind.space_problems(spaces_of([joined_group(_groups(spaces, settings))]), inner)

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: Settings
    ) -> dict[str, tuple[int, ...]]:
        kind, inner = _governor(settings.policy)
        return kind.weight_shapes(spaces_of([joined_group(_groups(spaces, settings))]), inner)

    def reset(self, num_envs: int) -> None:
        self.governor.reset(num_envs)

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        levers = self.governor.act(self._joined(observations), deterministic)
        return split(self.groups, levers[GOVERNOR])

    def decide(self, observations: Tensors, generator: torch.Generator) -> dict[str, Decision]:
        """See `agents.stochastic.Stochastic`; the governor's levers are drawn independently."""
        drawn, chances = self.governor.draw(self._joined(observations), generator)[GOVERNOR]
        shares = split(self.groups, chances)
        levers = split(self.groups, drawn)
        return {name: Decision(x, shares[name].sum(-1)) for name, x in levers.items()}

    def log_probability(self, observations: Tensors, drawn: Tensors) -> dict[str, Tensor]:
        """See `agents.stochastic.Stochastic`."""
        chances = self.governor.log_densities(self._joined(observations), self._joined(drawn))
        return {name: x.sum(-1) for name, x in split(self.groups, chances[GOVERNOR]).items()}

    def _joined(self, tables: Tensors) -> dict[str, Tensor]:
        return {GOVERNOR: join(tables, [space.name for space in self.spaces])}


def _groups(spaces: Sequence[Space], settings: CentralPolicy.Settings) -> tuple[Group, ...]:
    """The groups with agents numbered."""
    return tuple(
        Group(
            space.name,
            tuple(f"{space.name}_{i}" for i in range(settings.sizes[space.name])),
            space.observation_names,
            space.action_names,
        )
        for space in spaces
    )
