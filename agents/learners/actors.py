"""What learners train: for each section of agents a bank of policies, and a bank of values.

Shapes: N rows, a agents of the section, A levers, P inputs, S numbers of global state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agents.checkpoints import Part, Weights
from agents.learners.banks import Bank
from agents.learners.moments import CLIP, Moments
from agents.learners.sections import Section
from agents.learners.settings import Networks
from agents.network import NetworkPolicy
from agents.networks import NetworksPolicy
from agents.policy import BasePolicy
from agents.segments import with_prefix
from envs.groups import Group

#: Gain of the last layer of a policy: it starts close to today's settings.
LAST_GAIN = 0.01


class Actor(nn.Module):
    """Gaussian policies of a section, their means perceptrons of standardised observations."""

    def __init__(
        self,
        section: Section,
        settings: Networks,
        log_std: float,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.section = section
        widths = (section.inputs, *settings.hidden, section.actions)
        self.bank = Bank(section.networks, widths, settings.activation, LAST_GAIN, generator)
        self.log_std = nn.Parameter(torch.full((section.networks, section.actions), log_std))
        self.to(device)
        self.moments = Moments(section.moments_shape, settings.standardise, device)
        self.live = section.live(device)
        self.padded = not bool(self.live.all())

    def mean(self, rows: Tensor) -> Tensor:
        """Means `[N, a, A]` of standardised inputs `[N, a, P]`."""
        found: Tensor = self.bank(rows)
        return found

    def log_prob(self, surprise: Tensor) -> Tensor:
        """Log density `[N, a]` of actions that lie `surprise` deviations from the mean."""
        each = -0.5 * surprise.square() - self.log_std - 0.5 * math.log(2 * math.pi)
        return (each * self.live if self.padded else each).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy of each agent's actions `[a]`."""
        each = self.log_std + 0.5 * math.log(2 * math.pi * math.e)
        return (each * self.live if self.padded else each).sum(-1)


class Critic(nn.Module):
    """Values of a section's agents: of the reward, then of each constraint cost.

    A central critic knows the global state beside what the agent itself sees (the agent-specific
    global state of Yu et al. 2022).
    """

    def __init__(
        self,
        section: Section,
        settings: Networks,
        outputs: int,
        state_size: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        """Args: outputs: values of an agent; state_size: S, or 0 where it is not central."""
        super().__init__()
        widths = (section.inputs + state_size, *settings.hidden, outputs)
        self.bank = Bank(section.networks, widths, settings.activation, 1.0, generator)
        self.central = state_size > 0
        self.to(device)

    def forward(self, rows: Tensor, state: Tensor) -> Tensor:
        """Values `[N, a, outputs]` of standardised inputs `[N, a, P]` and states `[N, S]`."""
        if self.central:
            shared = state.unsqueeze(1).expand(-1, rows.shape[1], -1)
            rows = torch.cat([rows, shared], -1)
        found: Tensor = self.bank(rows)
        return found


def parts_of(actors: Sequence[Actor]) -> dict[str, Part]:
    """Weights and moments of actors for a checkpoint."""
    found: dict[str, Part] = {}
    for number, actor in enumerate(actors):
        found |= {f"actor.{number}": Weights(actor), f"moments.{number}": actor.moments}
    return found


def policy_of(actors: Sequence[Actor], groups: Sequence[Group], settings: Networks) -> BasePolicy:
    """The actors as a policy that needs no learner."""
    if settings.sharing == "all":
        return _one_network(actors[0], groups, settings)
    weights: dict[str, Tensor] = {}
    networks: dict[str, int] = {}
    for actor in actors:
        for group, place in actor.section.places():
            weights |= with_prefix(f"{group.name}.", _weights_of(actor, group, place, settings))
            networks[group.name] = group.size if actor.section.separate else 1
    options = NetworksPolicy.Settings(
        hidden=settings.hidden,
        activation=settings.activation,
        networks=networks,
        standardised=settings.standardise,
        clip=CLIP,
    )
    return NetworksPolicy(groups, options, weights)


def _one_network(actor: Actor, groups: Sequence[Group], settings: Networks) -> NetworkPolicy:
    weights = _weights(actor, settings)
    weights = {k: v if k.startswith("observation") else v[0] for k, v in weights.items()}
    options = NetworkPolicy.Settings(
        hidden=settings.hidden,
        activation=settings.activation,
        observation_size=actor.section.observation_width,
        action_size=actor.section.actions,
        identified=len(groups) > 1,
        standardised=settings.standardise,
        clip=CLIP,
    )
    return NetworkPolicy(groups, options, weights)


def _weights_of(actor: Actor, group: Group, place: slice, settings: Networks) -> dict[str, Tensor]:
    """Weights of the networks of a group, without what pads it."""
    seen, moved, last = len(group.observation_names), len(group.action_names), len(settings.hidden)
    found = _weights(actor, settings)
    for name, x in found.items():
        if name.startswith("observation"):
            found[name] = (x if x.dim() == 1 else x[place.start])[:seen]
        elif actor.section.separate:
            found[name] = x[place]
    found["layers.0.weight"] = found["layers.0.weight"][..., :seen]
    for name in ("log_std", f"layers.{last}.weight", f"layers.{last}.bias"):
        found[name] = found[name][:, :moved]
    return {name: x.contiguous() for name, x in found.items()}


def _weights(actor: Actor, settings: Networks) -> dict[str, Tensor]:
    weights = actor.bank.layers() | {"log_std": actor.log_std.detach().clone()}
    if settings.standardise:
        weights["observation.mean"] = actor.moments.mean.clone()
        weights["observation.variance"] = actor.moments.bounded_variance().clone()
    return {name: tensor.cpu() for name, tensor in weights.items()}
