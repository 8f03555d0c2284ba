"""Policies whose decisions have a probability: what off-policy evaluation and recordings need.

Levers live in [-1, 1], draws need not: the environment is given the draw clipped to the bounds,
and a probability is the density of the draw before clipping. That density exists everywhere (the
clipped action has point masses at the bounds), and ratios of it between two policies are unbiased
weights, because the world depends on the draw through its clipped value alone.

Shapes: B environments, n agents of a group, O observations, A levers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from agents.policy import Policy, Tensors

_LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Decision:
    """One draw of a group.

    drawn: [B, n, A] before clipping; log_probability: [B, n] float64, natural logarithm of the
    density of each agent's draw.
    """

    drawn: Tensor
    log_probability: Tensor

    @property
    def action(self) -> Tensor:
        """What the environment is given: the draw within [-1, 1]."""
        return self.drawn.clamp(-1.0, 1.0)


@runtime_checkable
class Stochastic(Protocol):
    """A policy that draws. For one with a memory both methods count as one step of the episode."""

    def reset(self, num_envs: int) -> None: ...

    def decide(self, observations: Tensors, generator: torch.Generator) -> dict[str, Decision]:
        """Draw levers with the caller's generator: group -> decision."""
        ...

    def log_probability(self, observations: Tensors, drawn: Tensors) -> dict[str, Tensor]:
        """Log-densities [B, n] of draws [B, n, A] by group, as `decide` gives them."""
        ...


class DeterministicError(ValueError):
    """A policy whose decisions have no density."""


class Explored:
    """Gaussian exploration around any policy: its own levers plus independent noise.

    The noise has one standard deviation, in units of an action, for all levers.
    """

    def __init__(self, policy: Policy, deviation: float) -> None:
        """Raises ValueError unless the deviation is a positive number."""
        if not (math.isfinite(deviation) and deviation > 0):
            raise ValueError(f"exploration={deviation}: expected a number above 0")
        self.policy = policy
        self.deviation = deviation

    def reset(self, num_envs: int) -> None:
        self.policy.reset(num_envs)

    def decide(self, observations: Tensors, generator: torch.Generator) -> dict[str, Decision]:
        means = self.policy.act(observations, deterministic=True)
        return {name: gaussian(mean, self._spread(mean), generator) for name, mean in means.items()}

    def log_probability(self, observations: Tensors, drawn: Tensors) -> dict[str, Tensor]:
        means = self.policy.act(observations, deterministic=True)
        return {
            name: gaussian_log_probability(drawn[name], mean, self._spread(mean))
            for name, mean in means.items()
        }

    def _spread(self, mean: Tensor) -> Tensor:
        return torch.full_like(mean[0, 0], self.deviation)


def behaviour(policy: Policy, exploration: float | None = None) -> Stochastic:
    """The policy as it draws, or with Gaussian exploration of that standard deviation around it.

    Raises:
        DeterministicError: it draws nothing and no exploration is asked for.
        ValueError: exploration that is not a positive number.
    """
    if exploration is not None:
        return Explored(policy, exploration)
    if not isinstance(policy, Stochastic) or not getattr(policy, "draws", True):
        raise DeterministicError(
            f"the policy ({policy.kind}) is deterministic, its actions have no probability: "
            "add Gaussian exploration (--exploration SD, for example 0.1)"
        )
    return policy


def gaussian(mean: Tensor, deviation: Tensor, generator: torch.Generator) -> Decision:
    """Draw around means [B, n, A] with deviations [A]."""
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype).to(mean.device)
    drawn = mean + noise * deviation
    return Decision(drawn, gaussian_log_probability(drawn, mean, deviation))


def gaussian_log_density(drawn: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Log-density of each lever's draw [B, n, A] under independent normal distributions."""
    wide = deviation.double()
    score = (drawn.double() - mean.double()) / wide
    return -0.5 * score.square() - wide.log() - _LOG_ROOT_TWO_PI


def gaussian_log_probability(drawn: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Log-density [B, n] of draws [B, n, A] under independent normal distributions."""
    return gaussian_log_density(drawn, mean, deviation).sum(-1)


def actions_of(decisions: Mapping[str, Decision]) -> dict[str, Tensor]:
    """Levers for the environment: group -> [B, n, A]."""
    return {name: decision.action for name, decision in decisions.items()}
