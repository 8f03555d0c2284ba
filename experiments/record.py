"""Rollouts of a stochastic policy as a dataset for offline learning and off-policy evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import agents
import envs
from agents.policy import Policy
from agents.stochastic import Decision, Stochastic, actions_of
from envs.adapters.minari_layout import Episode, dataset_root, name_fault, write_dataset
from envs.registry import Environment
from experiments.cities import content_hash
from experiments.config import Config
from experiments.errors import InputError
from experiments.policies import load_policy
from experiments.runs import git_state, versions

#: Rows of one batch; the last batch may be smaller.
ROWS = 64


def chosen(policy: Path, groups: Any) -> Policy:
    """A policy or run folder, or a rule by name, for an environment's groups.

    Raises:
        InputError: no such policy, or one that does not fit the scenario.
    """
    if not policy.exists() and str(policy) in agents.RULES:
        return agents.rule(str(policy), groups)
    loaded, _ = load_policy(policy)
    if problems := agents.mismatches(loaded, groups):
        raise InputError([f"{policy} does not fit the scenario: {text}" for text in problems])
    return loaded


def record(
    config: Config,
    policy: Path,
    dataset: str,
    episodes: int,
    seed: int,
    exploration: float | None = None,
    root: Path | None = None,
    tick: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Write a dataset of episodes with seeds seed, seed + 1, ... and say what it is.

    Args:
        policy: a policy or run folder, or the name of a rule.
        exploration: standard deviation of Gaussian noise around the policy's own levers.
        root: folder of datasets, see `envs.adapters.minari_layout.dataset_root`.
        tick: called after each step of a batch.

    Raises:
        InputError: naming what cannot be recorded, and why.
    """
    home = dataset_root(root)
    if fault := name_fault(dataset) or _taken(home / dataset):
        raise InputError(f"--dataset: {fault}")
    torch.set_num_threads(config.settings.threads)
    first = _environment(config, min(episodes, ROWS), seed)
    mind = chosen(policy, first.groups)
    try:
        behaviour = agents.behaviour(mind, exploration)
    except ValueError as error:
        raise InputError(str(error)) from None
    facts = {
        "scenario": config.scenario,
        "options": _options(config),
        "city": {"name": config.settings.city, "content_hash": content_hash(config.settings.city)},
        "policy": {"kind": mind.kind, "fingerprint": agents.fingerprint(mind)},
        "exploration": exploration,
        "seeds": {"first": seed, "episodes": episodes, "noise": seed, "rows": min(episodes, ROWS)},
        "code": {"git": git_state(), "versions": versions()},
    }
    folder = write_dataset(
        dataset,
        first.groups,
        rollouts(config, first, behaviour, episodes, seed, tick),
        facts,
        root,
        algorithm_name=mind.kind,
        description=f"{config.scenario} on {config.settings.city}, with behaviour probabilities",
    )
    return {"dataset": dataset, "folder": str(folder), "root": str(home)} | facts


def batches(episodes: int) -> list[int]:
    """Sizes of the batches that play the episodes."""
    return [min(ROWS, episodes - start) for start in range(0, episodes, ROWS)]


def rollouts(
    config: Config,
    first: Environment,
    behaviour: Stochastic,
    episodes: int,
    seed: int,
    tick: Callable[[], None],
) -> Iterator[Episode]:
    """Episodes one by one, `first` playing the first batch.

    A batch's environment is made with its own first seed, so that an episode of seed s is in the
    same city as the single environment of `envs.make(..., seed=s)`.
    """
    noise = torch.Generator().manual_seed(seed)
    for number, rows in enumerate(batches(episodes)):
        env = _environment(config, rows, seed) if number else first
        yield from play(env, behaviour, seed, noise, tick)
        seed += rows


def play(
    env: Environment,
    behaviour: Stochastic,
    seed: int,
    noise: torch.Generator,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Episode]:
    """One episode of each row, drawing the policy's noise from a generator."""
    observations, info = env.reset(seed=seed)
    behaviour.reset(env.num_envs)
    seen, states = [observations], [info["state"]]
    decisions: list[dict[str, Decision]] = []
    results = []
    for _ in range(env.steps_per_episode):
        with torch.no_grad():
            decisions.append(behaviour.decide(observations, noise))
            result = env.step(actions_of(decisions[-1]))
        observations = dict(result.observations)
        seen.append(result.info["final_observations"])
        states.append(result.info["state"])
        results.append(result)
        tick()
    names = [group.name for group in env.groups]

    def by_group(tables: Sequence[Mapping[str, Tensor]]) -> dict[str, NDArray[Any]]:
        return {name: _stacked([table[name] for table in tables]) for name in names}

    observed, rewards = by_group(seen), by_group([r.rewards for r in results])
    costs = by_group([r.costs for r in results])
    drawn = by_group([{n: d.drawn for n, d in each.items()} for each in decisions])
    actions = by_group([{n: d.action for n, d in each.items()} for each in decisions])
    chances = by_group([{n: d.log_probability for n, d in each.items()} for each in decisions])
    welfare = {
        name: _stacked([r.info["welfare"][name] for r in results])
        for name in results[0].info["welfare"]
    }
    state = _stacked(states)
    terminated = _stacked([r.terminated for r in results])
    truncated = _stacked([r.truncated for r in results])
    for row in range(env.num_envs):

        def one(table: Mapping[str, NDArray[Any]], row: int = row) -> dict[str, NDArray[Any]]:
            return {name: values[row] for name, values in table.items()}

        yield Episode(
            seed=seed + row,
            observations=one(observed),
            actions=one(actions),
            drawn=one(drawn),
            log_probability=one(chances),
            rewards=one(rewards),
            costs=one(costs),
            welfare=one(welfare),
            state=state[row],
            terminated=terminated[row],
            truncated=truncated[row],
        )


def _stacked(steps: list[Tensor]) -> NDArray[Any]:
    """Tensors [B, ...] of T steps as an array [B, T, ...]."""
    return np.asarray(torch.stack(steps, 1).cpu().numpy())


def _environment(config: Config, rows: int, seed: int) -> Environment:
    env: Environment = envs.make(config.scenario, **config.environment(rows, seed))
    return env


def _options(config: Config) -> dict[str, Any]:
    """Keywords of `envs.make` that make the world again, beside rows, seed, city and device."""
    made = config.environment(1, 0)
    return {k: v for k, v in made.items() if k not in ("num_envs", "seed", "city", "device")}


def _taken(folder: Path) -> str | None:
    return f"{folder} is there already: choose another version" if folder.exists() else None
