"""How each kind of agent comes to its policy inside a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from torch import Tensor

import envs
from agents.learners.settings import NATIVE
from agents.planner import Planner
from agents.planning.settings import SEARCHES
from agents.policy import Policy
from agents.ppo_settings import training_seed
from agents.sb3.settings import SB3
from agents.segments import Learner
from experiments.config import Config
from experiments.policies import load_course
from experiments.progress import progress
from experiments.runs import INTERRUPTED, Metrics, Run

WORLD = 2**32
"""Part of a run whose seed makes the environment; the parts from 0 upwards draw shocks."""


class Interrupted(KeyboardInterrupt):
    """Training was stopped by hand; the message says what the same command will do."""

    def __init__(self, run: Run, next_time: str) -> None:
        self.run = run
        run.mark(INTERRUPTED)
        super().__init__(f"Interrupted: {run.folder}. {next_time}")


class Log:
    """Metrics of a run in `metrics.csv` and for TensorBoard."""

    def __init__(self, run: Run, keep: int) -> None:
        """Continue after the first `keep` rows; who watches the run hears of them again."""
        from stable_baselines3.common.logger import TensorBoardOutputFormat

        self.metrics = Metrics(run.folder / "metrics.csv", keep)
        self.board = TensorBoardOutputFormat(str(run.folder / "tensorboard"))
        self.watch = run.watch
        for row in self.metrics.rows:
            self.watch(row)

    def add(self, row: Mapping[str, Any], step: float) -> None:
        self.metrics.add(row)
        self.board.write(dict(row), dict.fromkeys(row, ()), int(step))
        self.watch(row)

    def close(self) -> None:
        self.board.close()


def training_world(config: Config, rows: int, seed: int) -> Any:
    """The world that a learner is trained on; it is scored on one that is not compiled.

    Raises:
        ScenarioError: a step that cannot be compiled, where the configuration asks for it.
    """
    options = config.environment(rows, seed)
    return envs.make(config.scenario, **options, compiled=config.settings.compiled)


def learn_by_sb3(config: Config, run: Run) -> Policy:
    """A learner of Stable-Baselines3 or sb3-contrib."""
    from agents import sb3

    settings, rows = config.settings, config.agent.num_envs
    cities = training_seed(settings.seed, WORLD, rows)
    world = training_world(config, rows, cities)
    return in_segments(sb3.make(config.agent, world, settings.seed, settings.device), run)


def learn_natively(config: Config, run: Run) -> Policy:
    """A learner that stays in torch, on the batched environment itself."""
    from agents import learners

    settings, rows = config.settings, config.agent.num_envs
    cities = training_seed(settings.seed, WORLD, rows)
    world = training_world(config, rows, cities)
    learner: Any = learners.make(config.agent, world, settings.seed)
    course = first_plan(config, run, world)
    if course is not None:
        learner.begin(course)
    return in_segments(learner, run)


def first_plan(config: Config, run: Run, env: Any) -> dict[str, Tensor] | None:
    """The plan that a law begins with; None for today's settings, and where it goes on.

    Of a folder that holds one run a seed it is that of the same seed.

    Raises:
        InputError: no such plan, or one that means something else in the environment.
    """
    start = getattr(config.agent, "start", None)
    if start is None or run.checkpoint.exists():
        return None
    folder, settings = Path(start), config.settings
    if any(folder.glob("seed-*")):
        folder /= f"seed-{settings.seed}"
    return load_course(folder, env.groups, env.steps_per_episode, settings.scenario)


def in_segments(learner: Learner, run: Run) -> Policy:
    """Train segment by segment; a stopped run continues at its last one."""
    segments = learner.segments
    start = learner.restore(run.checkpoint)
    segment, done = start, segments.rollouts_of(start).start
    steps = segments.rollout_steps
    try:
        with (
            closing(Log(run, keep=done)) as log,
            progress("training", segments.rollouts * steps, "steps", done * steps) as tick,
        ):
            for segment in range(start, segments.count):
                for row in learner.train(segment, tick):
                    log.add(row, row["env_steps"])
                learner.save(run.checkpoint, segment + 1)
    except KeyboardInterrupt:
        kept = f"The same command resumes it at segment {segment + 1} of {segments.count}."
        raise Interrupted(run, kept) from None
    return learner.policy()


def search_plan(config: Config, run: Run) -> Policy:
    """The best constant plan by gradient."""
    agent, seed = config.agent, config.settings.seed
    rows, first = agent.starts * agent.cities, training_seed(seed, WORLD, agent.cities)
    options = config.environment(rows, first, cities=agent.cities)
    return in_segments(Planner(agent, envs.make(config.scenario, **options), seed), run)


def search_course(config: Config, run: Run) -> Policy:
    """The best plan that varies over time, with or without gradients."""
    from experiments import planning

    return in_segments(planning.search(config, WORLD), run)


def fit_model(config: Config, run: Run) -> Policy:
    """Control by plans on an estimated model: learns to estimate it."""
    from experiments import planning

    return in_segments(planning.estimator_fit(config, WORLD), run)


LEARNERS: dict[str, Callable[[Config, Run], Policy]] = {
    "plan": search_plan,
    **dict.fromkeys(SEARCHES, search_course),
    "mpc": fit_model,
    **dict.fromkeys(SB3, learn_by_sb3),
    **dict.fromkeys(NATIVE, learn_natively),
}
