"""One training run: learn, hand over the policy, compare it on held-out cities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

import agents
import envs
from agents.policy import Policy
from experiments.config import Config
from experiments.errors import InputError
from experiments.evaluate import evaluate
from experiments.progress import progress
from experiments.runs import FINISHED, INTERRUPTED, Metrics, Run, run_of, write_json


class Interrupted(KeyboardInterrupt):
    """Training was stopped by hand; the run resumes where its last checkpoint stands."""

    def __init__(self, run: Run, done: int, total: int) -> None:
        self.run = run
        super().__init__(
            f"Interrupted; segment {done} of {total} is kept in {run.folder}. "
            "The same command resumes it."
        )


def train(config: Config, command: Sequence[str]) -> tuple[Run, bool]:
    """Train (or resume) a run and evaluate it.

    Returns:
        The run, and False where it had been finished before and nothing was done.

    Raises:
        Interrupted: on Ctrl-C.
    """
    run = run_of(config)
    torch.set_num_threads(config.settings.threads)
    if run.finished:
        return run, False
    run.begin(config, command)
    policy = _learn(config, run) if config.kind == "ppo" else _rule(config)
    agents.save(policy, run.policy, _provenance(config, run))
    write_json(run.evaluation, compare(config, policy))
    run.mark(FINISHED)
    return run, True


def compare(config: Config, policy: Policy) -> dict[str, Any]:
    """Evaluate a policy and its rivals on the held-out cities of a configuration."""
    settings = config.settings.experiment.evaluation
    env = envs.make(
        config.settings.scenario.id, **config.environment(settings.cities, settings.first_seed)
    )
    if problems := agents.mismatches(policy, env.groups):
        raise InputError([f"the policy does not fit the scenario: {text}" for text in problems])
    policies = {"policy": policy} | {
        name: agents.rule(name, env.groups) for name in settings.rivals
    }
    with progress("evaluating", len(policies) * env.steps_per_episode, "steps") as tick:
        return evaluate(env, policies, settings.first_seed, tick).content()


def _rule(config: Config) -> Policy:
    env = envs.make(config.settings.scenario.id, **config.environment(1, config.settings.seed))
    return agents.rule(config.kind, env.groups, asdict(config.agent))


def _learn(config: Config, run: Run) -> Policy:
    from stable_baselines3.common.logger import TensorBoardOutputFormat

    from agents.ppo import PPOLearner

    settings = config.settings
    env = envs.sb3_vec_env(
        settings.scenario.id, **config.environment(config.agent.num_envs, settings.seed)
    )
    learner = PPOLearner(
        config.agent,
        env,
        env.core.groups,
        env.core.steps_per_episode,
        settings.seed,
        settings.device,
    )
    start = learner.restore(run.checkpoint)
    per_segment = config.agent.rollouts_per_segment
    metrics = Metrics(run.folder / "metrics.csv", keep=start * per_segment)
    board = TensorBoardOutputFormat(str(run.folder / "tensorboard"))
    steps = learner.rollout_steps
    segment = start
    try:
        with progress(
            "training", learner.rollouts * steps, "steps", start * per_segment * steps
        ) as tick:
            for segment in range(start, learner.segments):
                for row in learner.train(segment, tick):
                    metrics.add(row)
                    board.write(row, dict.fromkeys(row, ()), int(row["env_steps"]))
                learner.save(run.checkpoint, segment + 1)
    except KeyboardInterrupt:
        run.mark(INTERRUPTED, segments=segment)
        raise Interrupted(run, segment, learner.segments) from None
    finally:
        board.close()
    return learner.policy()


def _provenance(config: Config, run: Run) -> dict[str, Any]:
    manifest = run.manifest
    keys = ("hash", "experiment", "agent", "scenario", "city", "seed", "git", "versions", "data")
    return {key: manifest[key] for key in keys} | {"config": config.resolved}
