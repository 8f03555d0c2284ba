"""One training run: learn, hand over the policy, compare it on held-out cities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

import agents
import envs
from agents.policy import Policy
from experiments.config import Config
from experiments.errors import InputError
from experiments.evaluate import evaluate
from experiments.learning import LEARNERS, follow_rule
from experiments.progress import progress
from experiments.runs import FINISHED, Run, run_of, write_json


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
    policy = LEARNERS.get(config.kind, follow_rule)(config, run)
    agents.save(policy, run.policy, _provenance(config, run))
    write_json(run.evaluation, compare(config, policy))
    run.mark(FINISHED)
    return run, True


def compare(
    config: Config, policy: Policy, others: Mapping[str, Policy] | None = None
) -> dict[str, Any]:
    """Evaluate a policy, its rivals and others on the held-out cities of a configuration.

    Raises:
        InputError: a policy that does not fit the scenario.
    """
    settings = config.settings.experiment.evaluation
    env = envs.make(config.scenario, **config.environment(settings.cities, settings.first_seed))
    policies = {"policy": policy} | dict(others or {})
    problems = [
        f"the {name} does not fit the scenario: {text}"
        for name, each in policies.items()
        for text in agents.mismatches(each, env.groups)
    ]
    if problems:
        raise InputError(problems)
    policies |= {name: agents.rule(name, env.groups) for name in settings.rivals}
    with progress("evaluating", len(policies) * env.steps_per_episode, "steps") as tick:
        return evaluate(env, policies, settings.first_seed, tick).content()


def _provenance(config: Config, run: Run) -> dict[str, Any]:
    manifest = run.manifest
    keys = ("hash", "experiment", "agent", "scenario", "city", "seed", "git", "versions", "data")
    return {key: manifest[key] for key in keys} | {"config": config.resolved}
