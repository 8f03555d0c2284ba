"""Policies from the folders that people name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

import agents
from agents.policy import GroupLike, Planned, Policy, spaces_of
from experiments.errors import InputError


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


def load_course(folder: Path, groups: Sequence[GroupLike], steps: int) -> dict[str, Tensor]:
    """The plan of the policy in a run or policy folder, whatever it sees: group -> [steps, levers].

    Raises:
        InputError: a faulty folder, a policy without a plan, or one for other levers.
    """
    policy, _ = load_policy(folder)
    if not isinstance(policy, Planned):
        raise InputError(f"{folder}: a {policy.kind} has no plan; expected a plan or a law")
    wanted = {space.name: space.action_names for space in spaces_of(groups)}
    found = {space.name: space.action_names for space in policy.spaces}
    if found != wanted:
        raise InputError(f"{folder}: a plan of {_levers(found)}; expected {_levers(wanted)}")
    return policy.course(steps)


def _levers(names: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{group}: {', '.join(levers)}" for group, levers in names.items())
