"""Which agents share parameters, and how their observations become rows of networks.

Shapes: B rows of the environment, n agents of a group, a agents of a section, K networks of a
section (1, or one for each agent), P inputs, A outputs. Leading dimensions are free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from envs.groups import Group

SHARING = ("all", "group", "none")


@dataclass(frozen=True)
class Section:
    """Agents that one bank of networks governs, all by one network or each by its own.

    Several groups are padded with zeros to common widths. Where they share a network they are told
    apart by a one-hot number of the group behind the observation, as `agents.network.NetworkPolicy`
    lays them out.
    """

    groups: tuple[Group, ...]
    separate: bool

    @property
    def agents(self) -> int:
        return sum(group.size for group in self.groups)

    @property
    def networks(self) -> int:
        """Number K of networks."""
        return self.agents if self.separate else 1

    @property
    def observation_width(self) -> int:
        """Widest observation, without the number of the group."""
        return max(len(group.observation_names) for group in self.groups)

    @property
    def identified(self) -> bool:
        """Whether the number of the group is behind the observation."""
        return len(self.groups) > 1 and not self.separate

    @property
    def inputs(self) -> int:
        """Length P of an agent's row."""
        return self.observation_width + (len(self.groups) if self.identified else 0)

    @property
    def moments_shape(self) -> tuple[int, ...]:
        """Shape of the moments that standardise rows: agents of a network, and of a group, have
        them in common."""
        apart = self.separate and len(self.groups) > 1
        return (self.agents, self.inputs) if apart else (self.inputs,)

    @property
    def actions(self) -> int:
        """Widest action A."""
        return max(len(group.action_names) for group in self.groups)

    @property
    def costs(self) -> int:
        """Most constraint costs of a group."""
        return max(len(group.cost_names) for group in self.groups)

    def places(self) -> list[tuple[Group, slice]]:
        """Each group's agents among those of the section."""
        found, start = [], 0
        for group in self.groups:
            found.append((group, slice(start, start + group.size)))
            start += group.size
        return found

    def rows(self, observations: Mapping[str, Tensor]) -> Tensor:
        """Inputs `[..., a, P]` in float32 from observations by group `[..., n, O]`."""
        if len(self.groups) == 1:
            return observations[self.groups[0].name].to(torch.float32)
        parts = []
        for number, group in enumerate(self.groups):
            seen = observations[group.name].to(torch.float32)
            tail = seen.new_zeros(self.inputs - seen.shape[-1])
            if self.identified:
                tail[self.observation_width - seen.shape[-1] + number] = 1.0
            parts.append(torch.cat([seen, tail.expand(*seen.shape[:-1], -1)], -1))
        return torch.cat(parts, -2)

    def spread(self, actions: Tensor) -> dict[str, Tensor]:
        """Actions by group `[..., n, A of the group]` from rows `[..., a, A]`."""
        return {
            group.name: actions[..., place, : len(group.action_names)]
            for group, place in self.places()
        }

    def joined(self, values: Mapping[str, Tensor]) -> Tensor:
        """One value for each agent `[..., a]` from values by group `[..., n]`."""
        return torch.cat([values[group.name].to(torch.float32) for group in self.groups], -1)

    def costs_of(self, costs: Mapping[str, Tensor]) -> Tensor:
        """Costs `[..., a, C]`, padded with zeros, from costs by group `[..., n, C]`."""
        parts = [
            functional.pad(costs[g.name].to(torch.float32), (0, self.costs - len(g.cost_names)))
            for g in self.groups
        ]
        return torch.cat(parts, -2)

    def live(self, device: torch.device) -> Tensor:
        """1 where an agent has the lever, 0 where it is padding `[a, A]`."""
        mask = torch.zeros(self.agents, self.actions, device=device)
        for group, place in self.places():
            mask[place, : len(group.action_names)] = 1.0
        return mask


def sections(groups: Sequence[Group], sharing: str) -> list[Section]:
    """Agents by shared parameters.

    Args:
        sharing: "all" agents share one network; each "group" has one; "none" is shared and
            every agent has its own. Agents alone in their groups then lie side by side in one
            bank, which costs far less than as many small ones.
    """
    if sharing == "all":
        return [Section(tuple(groups), separate=False)]
    alone = tuple(group for group in groups if group.size == 1)
    found = [Section((group,), separate=sharing == "none") for group in groups if group.size > 1]
    if alone:
        found.append(Section(alone, separate=len(alone) > 1))
    return sorted(found, key=lambda section: groups.index(section.groups[0]))
