"""Policies that are trained by back-propagation through the world.

Shapes: B rows of the environment, n agents of a group, O observations, A levers, T steps of an
episode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from agents.checkpoints import restore, tensors_of
from agents.feedback import AdaptiveFeedback, Feedback, period
from agents.learners.actors import Actor, parts_of, policy_of
from agents.learners.sections import sections
from agents.learners.settings import (
    ActorCriticSettings,
    AdaptiveFeedbackSettings,
    FeedbackSettings,
)
from agents.policy import BasePolicy
from agents.segments import with_prefix
from envs.groups import Group


class Law(Protocol):
    """What a pathwise learner trains."""

    def rates(self) -> list[dict[str, Any]]:
        """Parameters with their learning rates, as optimisers take them."""
        ...

    def act(
        self, step: int, observations: Mapping[str, Tensor], generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Differentiable actions by group `[B, n, A]` at a step of the episode."""
        ...

    def digest(self) -> None:
        """Learn the moments of what was seen since the last call."""
        ...

    def policy(self) -> BasePolicy: ...

    def tensors(self) -> dict[str, Tensor]: ...

    def restore(self, tensors: Mapping[str, Tensor]) -> None: ...


class _Bounded(torch.autograd.Function):
    """Keeps values in [-1, 1]; outside, only gradients that lead back inside pass.

    A plain clamp has no gradient outside: a lever once driven past its bound would stay there.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(-1.0, 1.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        (x,), (gradient,) = ctx.saved_tensors, gradients
        outward = ((x > 1) & (gradient < 0)) | ((x < -1) & (gradient > 0))
        return torch.where(outward, torch.zeros_like(gradient), gradient)


def bounded(x: Tensor) -> Tensor:
    """Actions in [-1, 1] whose descent never gets stuck beyond a bound."""
    found: Tensor = _Bounded.apply(x)  # type: ignore[no-untyped-call]
    return found


class NetworkLaw:
    """Perceptrons with a fixed noise around their means, which smooths what they learn from."""

    def __init__(
        self,
        settings: ActorCriticSettings,
        groups: Sequence[Group],
        device: torch.device,
        generator: torch.Generator,
    ) -> None:
        self.settings, self.groups = settings, groups
        log_std = torch.tensor(max(settings.noise, 1e-6)).log().item()
        self.actors = [
            Actor(section, settings, log_std, generator, device)
            for section in sections(groups, settings.sharing)
        ]
        self._seen: list[list[Tensor]] = [[] for _ in self.actors]

    def rates(self) -> list[dict[str, Any]]:
        weights = [parameter for actor in self.actors for parameter in actor.bank.parameters()]
        return [{"params": weights, "lr": self.settings.learning_rate}]

    def act(
        self, step: int, observations: Mapping[str, Tensor], generator: torch.Generator
    ) -> dict[str, Tensor]:
        actions: dict[str, Tensor] = {}
        for actor, seen in zip(self.actors, self._seen, strict=True):
            rows = actor.section.rows(observations)
            seen.append(rows.detach())
            mean = actor.mean(actor.moments(rows))
            drawn = torch.randn(mean.shape, generator=generator, device=mean.device)
            actions |= actor.section.spread(bounded(mean + self.settings.noise * drawn))
        return actions

    def digest(self) -> None:
        for actor, seen in zip(self.actors, self._seen, strict=True):
            actor.moments.update(torch.stack(seen))
            seen.clear()

    def policy(self) -> BasePolicy:
        return policy_of(self.actors, self.groups, self.settings)

    def tensors(self) -> dict[str, Tensor]:
        return tensors_of(parts_of(self.actors))

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        restore(parts_of(self.actors), tensors)


class LinearLaw:
    """Plan and gains of `agents.feedback.Feedback`.

    What is expected at each step, and how far it usually misses, follow the rows met so far as
    exponential means; the first episode sets them. A scale is at least one notable change: what
    hardly varies by itself, but answers to levers, is not blown up (as in `agents.plans`).
    """

    #: Tables by group that a checkpoint keeps.
    kept: tuple[str, ...] = ("plan", "gains", "reference", "spread")

    def __init__(
        self, settings: FeedbackSettings, groups: Sequence[Group], steps: int, device: torch.device
    ) -> None:
        self.settings, self.groups, self.steps = settings, groups, steps
        self.plan, self.gains = nn.ParameterDict(), nn.ParameterDict()
        self.reference: dict[str, Tensor] = {}
        self.spread: dict[str, Tensor] = {}
        self.known = torch.zeros(steps, device=device)
        self._misses: dict[str, list[Tensor]] = {group.name: [] for group in groups}
        for group in groups:
            seen, moved = len(group.observation_names), len(group.action_names)
            plan = torch.zeros(settings.periods, moved, device=device)
            self.plan[group.name] = nn.Parameter(plan)
            self.gains[group.name] = nn.Parameter(torch.zeros(moved, seen, device=device))
            self.reference[group.name] = torch.zeros(steps, seen, device=device)
            self.spread[group.name] = torch.zeros(seen, device=device)

    @torch.no_grad()
    def begin(self, course: Mapping[str, Tensor]) -> None:
        """Begin with a plan, group -> `[T, A]`: with its mean over each period that has steps."""
        periods = self.settings.periods
        each = torch.tensor([period(step, self.steps, periods) for step in range(self.steps)])
        for name, levers in course.items():
            for number in sorted(set(each.tolist())):
                self.plan[name][number] = levers[each == number].mean(0)

    def rates(self) -> list[dict[str, Any]]:
        return [
            {"params": list(self.plan.values()), "lr": self.settings.learning_rate},
            {"params": list(self.gains.values()), "lr": self.settings.gain_learning_rate},
        ]

    def act(
        self, step: int, observations: Mapping[str, Tensor], generator: torch.Generator
    ) -> dict[str, Tensor]:
        share = torch.where(self.known[step] > 0, self.settings.reference_rate, 1.0)
        self.known[step] = 1.0
        actions = {}
        for group in self.groups:
            observed = observations[group.name].to(torch.float32)
            seen, reference = observed.detach(), self.reference[group.name]
            reference[step] += share * (seen.mean((0, 1)) - reference[step])
            self._misses[group.name].append((seen - reference[step]).square().mean((0, 1)))
            surprise = (observed - reference[step].clone()) / self._scale(group.name)
            setting = self.plan[group.name][period(step, self.steps, self.settings.periods)]
            actions[group.name] = bounded(setting + self._answer(group.name, surprise))
        return actions

    def _answer(self, group: str, surprise: Tensor) -> Tensor:
        """What is done `[B, n, A]` beside the plan about a surprise `[B, n, O]`."""
        gains: Tensor = self.gains[group]
        return surprise @ gains.T

    def _scale(self, group: str) -> Tensor:
        return self.spread[group].clamp_min(1.0)

    def digest(self) -> None:
        for name, misses in self._misses.items():
            now = torch.stack(misses).mean(0).sqrt()
            rate = self.settings.reference_rate
            before = self.spread[name]
            self.spread[name] = torch.where(before > 0, before + rate * (now - before), now)
            misses.clear()

    def policy(self) -> Feedback:
        weights, steps, periods = self._weights(), self.steps, self.settings.periods
        if isinstance(self.settings, AdaptiveFeedbackSettings):
            adaptive = AdaptiveFeedback.Settings(steps, periods, self.settings.meta)
            return AdaptiveFeedback(self.groups, adaptive, weights)
        return Feedback(self.groups, Feedback.Settings(steps, periods), weights)

    def _weights(self) -> dict[str, Tensor]:
        """Of the policy (`agents.feedback.Feedback`)."""
        weights: dict[str, Tensor] = {}
        for group in self.groups:
            name = group.name
            parts = {
                "plan": self.plan[name],
                "gains": self.gains[name],
                "reference": self.reference[name],
                "scale": self._scale(name),
            }
            weights |= {f"{name}.{k}": v.detach().cpu().clone() for k, v in parts.items()}
        return weights

    def tensors(self) -> dict[str, Tensor]:
        found = {"known": self.known}
        for what in self.kept:
            found |= with_prefix(f"{what}.", dict(getattr(self, what).items()))
        return found

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.known.copy_(tensors["known"])
        for what in self.kept:
            for name, mine in getattr(self, what).items():
                mine.copy_(tensors[f"{what}.{name}"])
