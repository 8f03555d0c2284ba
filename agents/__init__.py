"""Minds: rules, plans and learners that govern the worlds of `envs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

import configs
from agents.central import CentralPolicy
from agents.feedback import Feedback
from agents.files import KINDS, PolicyError, fingerprint, provenance, save
from agents.files import load_policy as load
from agents.network import NetworkPolicy
from agents.networks import NetworksPolicy
from agents.plan import Plan
from agents.planning import LADDER
from agents.policy import GroupLike, Policy, Space, mismatches, spaces_of
from agents.ppo_settings import TRAINING_SEEDS
from agents.predictive import ModelPredictive
from agents.recurrent import RecurrentPolicy
from agents.rules import RULES
from agents.schema import SettingsError, read
from agents.squashed import SquashedPolicy
from agents.stochastic import DeterministicError, Stochastic, behaviour

__all__ = [
    "KINDS",
    "LADDER",
    "RULES",
    "TRAINING_SEEDS",
    "CentralPolicy",
    "DeterministicError",
    "Feedback",
    "ModelPredictive",
    "NetworkPolicy",
    "NetworksPolicy",
    "Plan",
    "Policy",
    "PolicyError",
    "RecurrentPolicy",
    "SettingsError",
    "Space",
    "SquashedPolicy",
    "Stochastic",
    "behaviour",
    "fingerprint",
    "load",
    "mismatches",
    "provenance",
    "rule",
    "save",
    "spaces_of",
]


def rule(
    name: str, groups: Sequence[GroupLike], settings: Mapping[str, Any] | None = None
) -> Policy:
    """A rule for an environment's groups, with the settings of `configs/agent/<name>.yaml`.

    Args:
        name: a key of `RULES`.
        groups: the environment's `groups`.
        settings: replaces the file's settings.

    Raises:
        KeyError: unknown rule.
        SettingsError: settings that do not fit the rule.
    """
    if settings is None:
        text = (configs.root() / "agent" / f"{name}.yaml").read_text(encoding="utf-8")
        settings = {k: v for k, v in yaml.safe_load(text).items() if k != "kind"}
    kind = RULES[name]
    return kind(groups, read(kind.Settings, settings, f"rule {name}"))
