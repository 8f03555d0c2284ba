"""Policies from the folders that people name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import agents
from agents.policy import Policy
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
