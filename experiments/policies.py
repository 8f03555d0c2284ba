"""Policies from the folders that people name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

import agents
from agents.policy import GroupLike, Planned, Policy, spaces_of
from experiments.errors import InputError

#: Options that say how long a step of a plan is, and what its settings come to.
MEANING = ("months_per_step", "reach")


def load_policy(folder: Path) -> tuple[Policy, dict[str, Any]]:
    """The policy in a run folder or a policy folder, and how it came to be.

    Raises:
        InputError: naming every fault of the folder.
    """
    inside = folder / "policy"
    folder = inside if (inside / "policy.json").is_file() else folder
    try:
        return agents.load(folder), agents.provenance(folder)
    except agents.PolicyError as error:
        raise InputError([f"{folder}: {problem}" for problem in error.problems]) from None


def load_course(
    folder: Path, groups: Sequence[GroupLike], steps: int, scenario: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The plan of the policy in a run or policy folder, whatever it sees: group -> [steps, levers].

    Args:
        groups: whose levers it is for. scenario: options of the world that it is to be used in.

    Raises:
        InputError: a faulty folder, a policy without a plan, one for other levers, or one whose
            steps or settings mean something else there.
    """
    policy, made = load_policy(folder)
    if not isinstance(policy, Planned):
        raise InputError(f"{folder}: a {policy.kind} has no plan; expected a plan or a law")
    problems = []
    wanted = {space.name: space.action_names for space in spaces_of(groups)}
    found = {space.name: space.action_names for space in policy.spaces}
    if found != wanted:
        problems.append(f"{folder}: a plan of {_levers(found)}; expected {_levers(wanted)}")
    before = made.get("config", {}).get("scenario", {})
    problems += [
        f"{folder}: made with scenario.{key}={before[key]}; expected {scenario[key]}"
        for key in MEANING
        if key in before and key in scenario and before[key] != scenario[key]
    ]
    if problems:
        raise InputError(problems)
    return policy.course(steps)


def _levers(names: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{group}: {', '.join(levers)}" for group, levers in names.items())
