"""Which policies meet a regime change: rules by name, runs and policy folders; seeds together."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import agents
from agents.policy import Policy
from agents.schema import closest
from experiments.errors import InputError
from experiments.policies import load_policy
from experiments.runs import Run


@dataclass(frozen=True)
class Entry:
    """A policy, or the policies of one configuration trained from several seeds.

    policies: one a seed; a name of a rule where the groups must be known first.
    """

    name: str
    policies: tuple[Policy | str, ...]

    def members(self, groups: Sequence[Any]) -> list[Policy]:
        """The policies for an environment's groups.

        Raises:
            InputError: policies that do not fit.
        """
        found = [agents.rule(p, groups) if isinstance(p, str) else p for p in self.policies]
        problems = [
            f"{self.name} does not fit the scenario: {text}"
            for policy in found
            for text in agents.mismatches(policy, groups)
        ]
        if problems:
            raise InputError(list(dict.fromkeys(problems)))
        return found


def gather(names: Sequence[str]) -> tuple[list[Entry], dict[str, Any] | None, list[str]]:
    """Entries in the order named, the configuration of the first run, and commands of all runs.

    Runs of one configuration are one entry, their seeds the unit.

    Raises:
        InputError: naming everything that is neither a rule nor a policy.
    """
    problems: list[str] = []
    found: dict[str, list[Policy | str]] = {}
    labels: dict[str, str] = {}
    base: dict[str, Any] | None = None
    commands: list[str] = []
    for name in names:
        key, label = name, name
        policy: Policy | str = name
        if name not in agents.RULES:
            if not Path(name).is_dir():
                hint = closest(name, agents.RULES)
                problems.append(f"{name}: neither a folder nor a rule; {hint}")
                continue
            try:
                policy, made = load_policy(Path(name))
            except InputError as error:
                problems += error.problems
                continue
            base = base or made.get("config")
            if command := Run(Path(name)).manifest.get("command"):
                commands.append(shlex.join(["polislab", *command[1:]]))
            key, label = str(made.get("hash", name)), str(made.get("agent", policy.kind))
        found.setdefault(key, []).append(policy)
        labels[key] = label
    if problems:
        raise InputError(problems)
    taken = list(labels.values())
    return (
        [
            Entry(label if taken.count(label) == 1 else f"{label} {key[:6]}", tuple(found[key]))
            for key, label in labels.items()
        ],
        base,
        list(dict.fromkeys(commands)),
    )
