"""One training run: learn, hand over the policy, compare it on held-out cities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

import agents
import envs
from agents.policy import GroupLike, Policy
from experiments.config import Config
from experiments.errors import InputError
from experiments.evaluate import evaluate
from experiments.learning import LEARNERS, Interrupted, first_plan, training_world
from experiments.progress import progress
from experiments.runs import FAILED, FINISHED, Run, run_of, write_json


def train(config: Config, command: Sequence[str]) -> tuple[Run, bool]:
    """Train (or resume) a run and evaluate it.

    Returns:
        The run, and False where it had been finished before and nothing was done.

    Raises:
        Interrupted: on Ctrl-C.
        ScenarioError: options that the agents of this city do not allow, or that cannot be
            compiled; nothing is written.
        InputError: a law without the plan that it is to start from; nothing is written.
    """
    run = run_of(config)
    torch.set_num_threads(config.settings.threads)
    if run.finished:
        return run, False
    env = held_out(config)
    # refused before anything is written
    first_plan(config, run, env)
    if config.settings.compiled:
        training_world(config, 1, 0)
    run.begin(config, command)
    try:
        _work(config, run, env)
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted(run, "The same command goes on from there.") from None
    except Exception:
        run.mark(FAILED)
        raise
    run.mark(FINISHED)
    return run, True


def _work(config: Config, run: Run, env: Any) -> None:
    policy = learn(config, run, env.groups)
    agents.save(policy, run.policy, _provenance(config, run))
    write_json(run.evaluation, compare(config, env, policy))


def learn(config: Config, run: Run, groups: Sequence[GroupLike]) -> Policy:
    """The policy of a configuration: learnt in its run folder, or a rule for these groups.

    Raises:
        Interrupted: on Ctrl-C.
    """
    learner = LEARNERS.get(config.kind)
    if learner is not None:
        return learner(config, run)
    return agents.rule(config.kind, groups, asdict(config.agent))


def held_out(config: Config) -> Any:
    """The environment whose rows are the held-out cities of a configuration.

    Stocks left at the end are valued by a tail run, whatever the learner was paid.
    """
    evaluation = config.settings.experiment.evaluation
    rows = evaluation.cities
    options = config.environment(rows, evaluation.first_seed, cities=rows)
    return envs.make(config.scenario, **(options | {"terminal": "tail"}))


def compare(
    config: Config, env: Any, policy: Policy, others: Mapping[str, Policy] | None = None
) -> dict[str, Any]:
    """Evaluate a policy, its rivals and others on the cities of `held_out(config)`.

    Raises:
        InputError: a policy that does not fit the scenario.
    """
    settings = config.settings.experiment.evaluation
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
