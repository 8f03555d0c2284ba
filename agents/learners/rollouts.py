"""One episode of every row under stochastic actors, without leaving torch.

Shapes: T steps, B rows of the environment, a agents of a section, P inputs, A levers, C costs,
S numbers of global state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from agents.learners.actors import Actor
from envs.groups import Group, StepResult


class Core(Protocol):
    """The part of a batched environment that learners need (`envs.make` gives one)."""

    @property
    def num_envs(self) -> int: ...
    @property
    def groups(self) -> tuple[Group, ...]: ...
    @property
    def state_size(self) -> int: ...
    @property
    def steps_per_episode(self) -> int: ...
    @property
    def months_per_step(self) -> int: ...
    @property
    def device(self) -> torch.device: ...

    def reset(
        self, seed: int | Sequence[int] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Any]]: ...

    def step(self, actions: Mapping[str, Tensor]) -> StepResult: ...


class Differentiable(Core, Protocol):
    """A core whose rewards have gradients."""

    def detach(self) -> None:
        """Cut the graph: gradients of what comes later stop at the present state."""
        ...


@dataclass(frozen=True)
class Track:
    """What a section's agents lived through.

    rows: inputs as observed `[T + 1, B, a, P]`, the last ones of the final observation; noise:
    deviations of the actions from their means `[T, B, a, A]`; actions `[T, B, a, A]` before they
    are clipped; rewards `[T, B, a]`; costs `[T, B, a, C]`.
    """

    rows: Tensor
    noise: Tensor
    actions: Tensor
    rewards: Tensor
    costs: Tensor


@dataclass(frozen=True)
class Episode:
    """One episode: a track for each section.

    states `[T + 1, B, S]`, terminated `[B]` (false where the episode was cut); welfare: mean of
    "overall" over steps and rows, not a number where the world has none; costs: group -> means
    `[C]` over steps, rows and agents.
    """

    tracks: list[Track]
    states: Tensor
    terminated: Tensor
    welfare: float
    costs: dict[str, Tensor]


@torch.no_grad()
def live_through(
    core: Core,
    actors: Sequence[Actor],
    seed: int | None,
    generator: torch.Generator,
    tick: Callable[[], None],
) -> Episode:
    """Run one episode from its reset.

    Args:
        seed: of the first row; None continues the rows' streams.
        tick: called after every step.

    Raises:
        ValueError: rows that do not end together after `core.steps_per_episode` steps.
    """
    steps, rows = core.steps_per_episode, core.num_envs
    observations, info = core.reset(seed=seed)
    states, results = [info["state"]], []
    tracks = [_blank(actor, steps, rows, generator, core.device) for actor in actors]
    for step in range(steps):
        actions: dict[str, Tensor] = {}
        for actor, track in zip(actors, tracks, strict=True):
            track.rows[step] = actor.section.rows(observations)
            mean = actor.mean(actor.moments(track.rows[step]))
            track.actions[step] = mean + actor.log_std.exp() * track.noise[step]
            actions |= actor.section.spread(track.actions[step].clamp(-1.0, 1.0))
        result = core.step(actions)
        results.append(result)
        states.append(result.info["state"])
        observations = dict(result.observations)
        tick()
    check_ends(core, results)
    for actor, track in zip(actors, tracks, strict=True):
        section = actor.section
        track.rows[steps] = section.rows(results[-1].info["final_observations"])
        for step, result in enumerate(results):
            track.rewards[step] = section.joined(result.rewards)
            if section.costs:
                track.costs[step] = section.costs_of(result.costs)
    return Episode(
        tracks,
        torch.stack(states).to(torch.float32),
        results[-1].terminated,
        mean_welfare(results),
        _mean_costs(core.groups, results),
    )


def check_ends(core: Core, results: Sequence[StepResult]) -> None:
    """Learners train on whole episodes of all rows.

    Raises:
        ValueError: rows that do not end together after `core.steps_per_episode` steps.
    """
    ended = torch.stack([result.terminated | result.truncated for result in results])
    if bool(ended[:-1].any()) or not bool(ended[-1].all()):
        raise ValueError(
            f"{type(core).__name__}: rows must end together after {core.steps_per_episode} steps"
        )


def _blank(
    actor: Actor, steps: int, rows: int, generator: torch.Generator, device: torch.device
) -> Track:
    section = actor.section
    agents, levers = section.agents, section.actions
    shape = (steps, rows, agents, levers)
    return Track(
        rows=torch.empty(steps + 1, rows, agents, section.inputs, device=device),
        noise=torch.randn(shape, generator=generator, device=device),
        actions=torch.empty(shape, device=device),
        rewards=torch.empty(steps, rows, agents, device=device),
        costs=torch.zeros(steps, rows, agents, section.costs, device=device),
    )


def mean_welfare(results: Sequence[StepResult]) -> float:
    """Mean of "overall" over steps and rows; not a number where the world has none."""
    if "overall" not in results[0].info.get("welfare", {}):
        return math.nan
    return float(torch.stack([r.info["welfare"]["overall"] for r in results]).mean())


def _mean_costs(groups: Sequence[Group], results: Sequence[StepResult]) -> dict[str, Tensor]:
    return {
        group.name: torch.stack([r.costs[group.name] for r in results]).mean((0, 1, 2)).float()
        for group in groups
        if group.cost_names
    }
