"""Frames a second of our MAPPO beside BenchMARL's, turn by turn: whole cycles of collection and
training at equal networks, episodes, minibatches, epochs and numbers of environments.

Both have a policy and a central value for each group, of the widths that our configuration gives
(our value also sees what the agent does). BenchMARL's action law is set to the normal law that ours
has, which is the faster of its two.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from benchmarl.algorithms import MappoConfig
from benchmarl.environments.common import TaskClass
from benchmarl.experiment import Callback, Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from tensordict import TensorDictBase
from torchrl.envs import EnvBase

import envs
from agents import learners
from agents.learners.settings import MAPPOSettings
from envs.adapters.benchmarl_task import GovernanceTask
from envs.adapters.null import NullCore
from envs.adapters.torchrl_env import GovernanceTorchRLEnv

#: Our frames a second over BenchMARL's that are asked for.
GOAL = 3.0


@dataclass(frozen=True)
class MarlSpeed:
    """Frames (steps of one environment) a second of both; ratios pair by pair."""

    world: str
    environments: int
    agents: int
    own: float
    benchmarl: float
    ratio: float
    lowest: float
    highest: float
    goal: float = GOAL

    @property
    def reached(self) -> bool:
        return self.ratio >= self.goal


class NullTask(GovernanceTask):
    """The shapes of a scenario with nothing behind them."""

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        """See `GovernanceTask`."""
        make = super().get_env_fun(num_envs, continuous_actions, seed, device)
        return lambda: GovernanceTorchRLEnv(NullCore.like(make().core), seed or 0)


class Turns(Callback):  # type: ignore[misc]
    """Lets us take a turn after each batch that BenchMARL collects.

    From the end of our turn to its next batch BenchMARL trains once and collects once. Times of
    the first turn of each are left out.
    """

    def __init__(self, ours: Iterator[object], tick: Callable[[], None]) -> None:
        super().__init__()
        self.ours, self.tick = ours, tick
        self.own: list[float] = []
        self.benchmarl: list[float] = []
        self._left: float | None = None

    def on_batch_collected(self, batch: TensorDictBase) -> None:
        start = time.perf_counter()
        next(self.ours)
        end = time.perf_counter()
        if self._left is not None:
            self.benchmarl.append(start - self._left)
            self.own.append(end - start)
            self.tick()
        self._left = time.perf_counter()


def marl_speed(
    scenario: str,
    null: bool,
    options: dict[str, Any],
    settings: MAPPOSettings,
    pairs: int,
    tick: Callable[[], None],
) -> MarlSpeed:
    """Time both learners on a scenario, or on a null environment of its shapes.

    Args:
        options: of `envs.make`, without the number of environments; settings: of both learners,
            with ``num_envs`` and one network for each group.
    """
    core = envs.make(scenario, num_envs=settings.num_envs, **options)
    world = NullCore.like(core) if null else core
    task = (NullTask if null else GovernanceTask)(scenario, options)
    frames = settings.num_envs * settings.episodes_per_rollout * world.steps_per_episode
    enough = replace(settings, env_steps=frames * (pairs + 1))
    turns = Turns(_rollouts(learners.make(enough, world, seed=0)), tick)
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        experiment = _experiment(task, settings, frames, pairs + 1, folder)
        experiment.callbacks.append(turns)  # later than the rest, which BenchMARL writes to a file
        experiment.run()
    named = f"{scenario}, compiled" if options.get("compiled") else scenario
    ratios = [theirs / ours for theirs, ours in zip(turns.benchmarl, turns.own, strict=True)]
    return MarlSpeed(
        world=f"null, shapes of {scenario}" if null else named,
        environments=settings.num_envs,
        agents=sum(group.size for group in core.groups),
        own=frames / median(turns.own),
        benchmarl=frames / median(turns.benchmarl),
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
    )


def _rollouts(learner: Any) -> Iterator[object]:
    """Our cycles of collection and training, one an item."""
    for segment in range(learner.segments.count):
        yield from learner.train(segment, lambda: None)


def _experiment(
    task: TaskClass, settings: MAPPOSettings, frames: int, cycles: int, folder: str
) -> Experiment:
    config = ExperimentConfig.get_from_yaml()
    config.loggers, config.create_json = [], False
    config.evaluation, config.render, config.evaluation_episodes = False, False, 1
    config.save_folder = folder
    config.max_n_frames, config.max_n_iters = None, cycles
    config.on_policy_n_envs_per_worker = settings.num_envs
    config.on_policy_collected_frames_per_batch = frames
    config.on_policy_minibatch_size = settings.batch_size
    config.on_policy_n_minibatch_iters = settings.epochs
    algorithm = MappoConfig.get_from_yaml()
    algorithm.use_tanh_normal = False
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[settings.activation]
    model = MlpConfig(
        num_cells=list(settings.hidden),
        layer_class=torch.nn.Linear,
        activation_class=activation,
    )
    return Experiment(
        task=task, algorithm_config=algorithm, model_config=model, seed=0, config=config
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without BenchMARL's own progress bar and TorchRL's notes."""
    notes = logging.getLogger("torchrl")
    level = notes.level
    notes.setLevel(logging.WARNING)
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
            yield
    finally:
        notes.setLevel(level)
