"""The weather is learnt to be told from surprises: ridge regression on simulated episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.planning.model import Estimator, Model, Tracked, figures
from agents.planning.settings import EstimateSettings
from agents.policy import Policy
from agents.ppo_settings import training_seed
from agents.segments import Segments, part, read_checkpoint, write_checkpoint
from envs.curriculum import Curriculum

#: Penalties that are tried, as a share of the variance of a figure's surprises.
PENALTIES = tuple(10.0**power for power in range(-4, 4))
#: Share of the rows that choose the penalty, and say how much of the weather is told.
HELD_OUT = 0.25


class EstimatorFit:
    """Learns an estimator; a segment is one episode of all rows (`agents.segments.Learner`).

    Cities like those to be governed live through their weather under levers that change at random
    every ``hold`` steps, and the model follows them.

    Args:
        settings: of the estimate.
        truth: environment of the cities, with the weather, as they may turn out to be.
        make: rows -> a model. copies: model cities a row.
        seed: of the run.
        policy: the policy that uses an estimator.

    Raises:
        ValueError: episodes of one step, in which nothing can be followed.
    """

    def __init__(
        self,
        settings: EstimateSettings,
        truth: Any,
        make: Callable[[int], Model],
        copies: int,
        seed: int,
        policy: Callable[[Estimator], Policy],
    ) -> None:
        if truth.steps_per_episode < 2:
            raise ValueError("an episode of one step: nothing can be followed")
        self.settings, self.truth, self.seed = settings, truth, seed
        self._policy = policy
        seen = sum(group.size * figures(group.observation_names) for group in truth.groups)
        self.estimator = Estimator.none(truth.weather.shape[1], seen)
        self.tracked = Tracked(make, truth.num_envs, copies, self.estimator)
        steps, episodes = truth.steps_per_episode, settings.episodes
        self.segments = Segments(seed, truth.num_envs, steps, 1, episodes, Curriculum({}))
        self.seen: dict[str, Tensor] = {}

    @torch.no_grad()
    def train(self, segment: int, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """See `agents.segments.Learner`.

        `explained` is the share of the weather's variance that is told on rows held out, the mean
        over levels; `env_steps` counts steps of the cities and of both models that follow them.
        """
        for name, x in self._live(segment, tick).items():
            self.seen[name] = torch.cat([self.seen[name], x]) if name in self.seen else x
        self.estimator, explained = fit(self.seen["features"], self.seen["weather"])
        each = self.truth.num_envs * (1 + 2 * self.tracked.copies)
        done = (segment + 1) * self.truth.steps_per_episode * each
        yield {"episode": segment + 1.0, "env_steps": float(done), "explained": explained}

    def _live(self, segment: int, tick: Callable[[], None]) -> dict[str, Tensor]:
        """Features and the weather's distance from what was to be expected, row by row."""
        truth, tracked, s = self.truth, self.tracked, self.settings
        generator = torch.Generator().manual_seed(training_seed(self.seed, segment, 1))
        truth.reset(seed=self.segments.seed_of(segment))
        tracked.begin()
        features, weather = [], []
        actions: dict[str, Tensor] = {}
        for step in range(truth.steps_per_episode - 1):  # after the last, rows begin anew
            if step % s.hold == 0:
                actions = self._drawn(generator)
            result = truth.step(actions)
            tracked.follow(actions, result.observations)
            features.append(tracked.features)
            weather.append(tracked.spread(truth.weather) - tracked.reference.weather)
            tick()
        tick()
        found = {"features": torch.stack(features, 1), "weather": torch.stack(weather, 1)}
        return {name: x.double().cpu() for name, x in found.items()}

    def _drawn(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Levers around today's setting, uniform."""
        truth, actions = self.truth, {}
        for group in truth.groups:
            size = (truth.num_envs, group.size, len(group.action_names))
            drawn = torch.rand(size, generator=generator, dtype=torch.float64)
            actions[group.name] = ((2 * drawn - 1) * self.settings.spread).to(
                truth.device, truth.dtype
            )
        return actions

    def policy(self) -> Policy:
        """The policy with the estimator learnt."""
        return self._policy(self.estimator)

    def save(self, folder: Path, segment: int) -> None:
        """See `agents.segments.Learner`."""
        seen = {f"seen.{name}": x for name, x in self.seen.items()}
        estimator = {"gain": self.estimator.gain, "bound": self.estimator.bound}
        write_checkpoint(folder, segment, seen | estimator)

    def restore(self, folder: Path) -> int:
        """See `agents.segments.Learner`."""
        found = read_checkpoint(folder)
        if found is None:
            return 0
        segment, tensors = found
        self.seen = part(tensors, "seen.")
        self.estimator = Estimator(tensors["gain"], tensors["bound"])
        return segment


def fit(features: Tensor, weather: Tensor) -> tuple[Estimator, float]:
    """Ridge regression without intercept: no surprise, no weather.

    The penalty is the one that tells most on the last rows; where none tells anything there, the
    estimator sees no weather in anything.

    Args:
        features: ``[R, T, F]``. weather: ``[R, T, W]``.

    Returns:
        The estimator, fitted to all rows, and the share of variance told on rows held out.
    """
    held = max(1, int(HELD_OUT * len(features)))
    x, y = features[:-held].flatten(0, 1), weather[:-held].flatten(0, 1)
    tried, wanted = features[-held:].flatten(0, 1), weather[-held:].flatten(0, 1)
    shares = {p: _explained(tried @ _ridge(x, y, p).T, wanted) for p in PENALTIES}
    penalty = max(shares, key=lambda p: shares[p])
    estimator = Estimator.none(y.shape[1], x.shape[1] // 2)
    if shares[penalty] <= 0:
        return estimator, 0.0
    gain = _ridge(features.flatten(0, 1), weather.flatten(0, 1), penalty)
    bound = weather.flatten(0, 1).abs().amax(0)
    return Estimator(gain.float(), bound.float()), shares[penalty]


def _ridge(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """Coefficients ``[W, F]``; the penalty is on features in units of their root mean square."""
    scale = x.square().mean(0).sqrt()
    used = scale > 1e-9
    unit = torch.where(used, x / scale.clamp_min(1e-9), torch.zeros_like(x))
    inner = unit.T @ unit + penalty * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    found = torch.linalg.solve(inner, unit.T @ y)
    return torch.where(used, found.T / scale.clamp_min(1e-9), torch.zeros_like(found.T))


def _explained(told: Tensor, wanted: Tensor) -> float:
    """Share of variance around nothing that is told, mean over levels that vary."""
    total = wanted.square().mean(0)
    varies = total > 1e-12
    missed = (wanted - told).square().mean(0)
    return float((1 - missed[varies] / total[varies]).mean()) if bool(varies.any()) else 0.0
