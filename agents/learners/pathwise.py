"""Learning by the gradient of the world: short-horizon actor-critic and feedback laws.

Gradients of rewards run through the differentiable model over windows of a few steps; a learned
value stands for what comes after a window (Xu et al. 2022; MODEL sections 17 and 22.8). Between
windows the graph is cut, which bounds memory and the growth of gradients. A window as long as
the episode needs no value.

Shapes: B rows, h steps of a window, F features of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from inspect import unwrap
from typing import cast

import torch
from torch import Tensor, nn

from agents.checkpoints import InParts, Memory, Part
from agents.learners.context import Remembering
from agents.learners.context_law import ContextLaw
from agents.learners.laws import Law, LinearLaw, NetworkLaw
from agents.learners.rollouts import Core, Differentiable, check_ends, mean_welfare
from agents.learners.settings import (
    ActorCriticSettings,
    ContextFeedbackSettings,
    FeedbackSettings,
    Pathwise,
)
from agents.learners.values import Value
from agents.policy import BasePolicy
from agents.segments import Segments
from envs.groups import StepResult


class PathwiseLearner(InParts):
    """Climbs the discounted reward, mean over agents and rows.

    Args:
        settings: of an actor-critic or of a feedback law.
        core: a differentiable batched environment whose rows end together.
        seed: of the run; every segment derives its own.
    """

    def __init__(self, settings: Pathwise, core: Core, seed: int) -> None:
        if isinstance(settings, ContextFeedbackSettings):
            core = Remembering(core, settings.half_lives)
        self.settings, self.core = settings, cast(Differentiable, core)
        self.segments = Segments.of(settings, core.steps_per_episode, seed)
        self.discount = settings.monthly_discount**core.months_per_step
        start = torch.Generator().manual_seed(self.segments.seed_of(0))
        self.law = _law(settings, core, start)
        self.value: Value | None = None
        if settings.window < core.steps_per_episode:
            self.value = Value(settings, core.groups, core.state_size, core.device, start)
        self.optimiser = torch.optim.Adam(self.law.rates(), fused=True)
        self._starts = [float(group["lr"]) for group in self.optimiser.param_groups]
        self._step = unwrap(type(self.core).step)  # environments may step without gradients

    def begin(self, course: Mapping[str, Tensor]) -> None:
        """Begin with a plan, group -> `[T, A]` (`agents.learners.laws.LinearLaw.begin`)."""
        assert isinstance(self.law, LinearLaw), "only laws have a plan"
        self.law.begin(course)

    def train(self, segment: int, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """See `agents.segments.Learner`."""
        met = self.segments.meet(self.core, segment)
        seed: int | None = self.segments.seed_of(segment)
        generator = torch.Generator(self.core.device).manual_seed(self.segments.seed_of(segment))
        for rollout in self.segments.rollouts_of(segment):
            fall = self._schedule(rollout)
            records = []
            for _ in range(self.settings.episodes_per_rollout):
                records.append(self._episode(seed, generator, tick))
                seed = None
            done = (rollout + 1) * self.segments.rollout_steps * self.segments.num_envs
            means = {
                name: sum(record[name] for record in records) / len(records) for name in records[0]
            }
            rate = self.settings.learning_rate * fall
            yield (
                {"rollout": rollout + 1.0, "env_steps": float(done)}
                | means
                | {"train/learning_rate": rate}
                | met
            )

    def _schedule(self, rollout: int) -> float:
        """Learning rates fall linearly and in step; share of the first that is left."""
        s = self.settings
        ends = s.learning_rate_end / s.learning_rate if s.learning_rate else 0.0
        fall = ends + (1 - ends) * (1 - rollout / self.segments.rollouts)
        for group, start in zip(self.optimiser.param_groups, self._starts, strict=True):
            group["lr"] = start * fall
        return fall

    def _episode(
        self, seed: int | None, generator: torch.Generator, tick: Callable[[], None]
    ) -> dict[str, float]:
        """Live through an episode and learn after every window; metrics."""
        self.core.detach()
        observations, info = self.core.reset(seed=seed)
        state, steps = info["state"], self.core.steps_per_episode
        rewards, results, norms, errors, features = [], [], [], [], []
        for first in range(0, steps, self.settings.window):
            span = range(first, min(first + self.settings.window, steps))
            window = _Window(self, observations, state, generator)
            for step in span:
                results.append(window.live(step))
                tick()
            norms.append(self._climb(window, len(span)))
            rewards.append(torch.stack(window.rewards).detach())
            if self.value is not None:
                seen = torch.stack(window.features).detach()
                features.append(seen[:-1])
                errors.append(
                    self.value.learn(seen, rewards[-1], window.alive(), self.discount, generator)
                )
            observations, state = window.observations, window.state
        check_ends(self.core, results)
        self.law.digest()
        if self.value is not None:
            self.value.moments.update(torch.cat(features))
        found = {
            "reward": float(torch.cat(rewards).mean()),
            "welfare": mean_welfare(results),
            "train/gradient": sum(norms) / len(norms),
        }
        return found | ({"train/value_loss": sum(errors) / len(errors)} if errors else {})

    def _climb(self, window: _Window, steps: int) -> float:
        """One gradient step on a window's return; the gradient's norm before it was bounded.

        A gradient that is not finite moves nothing.
        """
        loss = -window.total().mean() / steps
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.settings.max_gradient)
        if bool(norm.isfinite()):
            self.optimiser.step()
        return float(norm)

    def policy(self) -> BasePolicy:
        """The law as a policy that needs no learner."""
        return self.law.policy()

    def parts(self) -> dict[str, Part]:
        """See `InParts`."""
        found: dict[str, Part] = {"law": self.law, "optimiser": Memory(self.optimiser)}
        if self.value is not None:
            found["value"] = self.value
        return found


class _Window:
    """A few steps whose rewards keep their graph."""

    def __init__(
        self,
        learner: PathwiseLearner,
        observations: Mapping[str, Tensor],
        state: Tensor,
        generator: torch.Generator,
    ) -> None:
        self.learner, self.generator = learner, generator
        learner.core.detach()
        self.observations = {name: seen.detach() for name, seen in observations.items()}
        self.state = state.detach()
        self.rewards: list[Tensor] = []
        self.features: list[Tensor] = []
        self._terminated = torch.zeros_like(self.state[:, 0], dtype=torch.bool)
        self._keep(self.observations, self.state)

    def live(self, step: int) -> StepResult:
        """One step; what is returned has no graph."""
        learner = self.learner
        actions = learner.law.act(step, self.observations, self.generator)
        result: StepResult = learner._step(learner.core, actions)
        self.rewards.append(torch.cat(list(result.rewards.values()), 1).mean(1))
        self.observations, self.state = dict(result.observations), result.info["state"]
        self._keep(result.info["final_observations"], self.state)
        self._terminated = result.terminated
        welfare = {k: v.detach() for k, v in result.info.get("welfare", {}).items()}
        return replace(result, observations={}, rewards={}, costs={}, info={"welfare": welfare})

    def _keep(self, observations: Mapping[str, Tensor], state: Tensor) -> None:
        if self.learner.value is not None:
            self.features.append(self.learner.value.features(observations, state))

    def alive(self) -> Tensor:
        """`[B]` 0 where the last step ended the episode."""
        return (~self._terminated).to(torch.float32)

    def total(self) -> Tensor:
        """Discounted rewards and what comes after them `[B]`."""
        total, weight = torch.zeros_like(self.rewards[0]), 1.0
        for reward in self.rewards:
            total = total + weight * reward
            weight *= self.learner.discount
        if self.learner.value is not None:
            total = total + weight * self.alive() * self.learner.value(self.features[-1])
        return total


def _law(settings: Pathwise, core: Core, start: torch.Generator) -> Law:
    if isinstance(settings, ActorCriticSettings):
        return NetworkLaw(settings, core.groups, core.device, start)
    if isinstance(settings, ContextFeedbackSettings):
        return ContextLaw(settings, cast(Remembering, core), start)
    if isinstance(settings, FeedbackSettings):
        return LinearLaw(settings, core.groups, core.steps_per_episode, core.device)
    raise TypeError(f"{type(settings).__name__}: expected settings of an actor-critic or feedback")
