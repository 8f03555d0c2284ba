"""Policy files: a folder with `policy.json` and `weights.safetensors`; nothing is unpickled."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from safetensors.torch import save as pack
from torch import Tensor

from agents.central import CENTRAL, CentralPolicy
from agents.context import ContextPolicy
from agents.context_feedback import ContextFeedback
from agents.feedback import AdaptiveFeedback, Feedback
from agents.networks import NetworksPolicy
from agents.plan import Plan
from agents.policy import BasePolicy, Policy, Space
from agents.predictive import ModelPredictive
from agents.rules import RULES
from agents.schema import OneOf, SettingsError, closest, read

FORMAT = "polislab-policy-1"
_KINDS = (
    CentralPolicy,
    NetworksPolicy,
    ContextPolicy,
    Feedback,
    ContextFeedback,
    AdaptiveFeedback,
    Plan,
    ModelPredictive,
)
KINDS: dict[str, type[BasePolicy]] = {
    **RULES,
    **CENTRAL,
    **{kind.kind: kind for kind in _KINDS},
}


class PolicyError(ValueError):
    """A folder that holds no valid policy; `problems` names every fault."""

    def __init__(self, folder: Path, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{folder} is not a valid policy:\n" + "\n".join(problems))


@dataclass(frozen=True)
class Card:
    """What `policy.json` holds."""

    format: Annotated[str, OneOf((FORMAT,))]
    kind: str
    spaces: tuple[Space, ...]
    settings: dict[str, Any]
    provenance: dict[str, Any]
    weights_sha256: str


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file that readers see whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    os.replace(part, path)


def save(policy: Policy, folder: str | Path, provenance: Mapping[str, Any] | None = None) -> Path:
    """Write a policy file; `provenance` says how the policy came to be (JSON values)."""
    folder = Path(folder)
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in policy.weights().items()
    }
    packed = pack(weights)
    card = {
        "format": FORMAT,
        "kind": policy.kind,
        "spaces": [
            {
                "name": space.name,
                "observation_names": list(space.observation_names),
                "action_names": list(space.action_names),
            }
            for space in policy.spaces
        ],
        "settings": policy.settings(),
        "provenance": dict(provenance or {}),
        "weights_sha256": hashlib.sha256(packed).hexdigest(),
    }
    write_atomic(folder / "weights.safetensors", packed)
    write_atomic(folder / "policy.json", (json.dumps(card, indent=2) + "\n").encode())
    return folder


def fingerprint(policy: Policy) -> str:
    """SHA-256 over everything that decides what a policy does: kind, spaces, settings, weights."""
    plain = {"kind": policy.kind, "settings": policy.settings()}
    spaces = [dataclasses.asdict(space) for space in policy.spaces]
    text = json.dumps(plain | {"spaces": spaces}, sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(policy.weights().items()):
        digest.update(name.encode())
        digest.update(pack({name: tensor.detach().cpu().contiguous()}))
    return digest.hexdigest()


def load_policy(folder: str | Path) -> Policy:
    """Read and check a policy file.

    Raises:
        PolicyError: naming every missing file, wrong key, wrong value and wrong tensor.
    """
    folder = Path(folder)
    card = _card(folder)
    weights, problems = _weights(folder, card.weights_sha256)
    if card.kind not in KINDS:
        problems.append(f"policy.json: kind: unknown {card.kind!r}; {closest(card.kind, KINDS)}")
        raise PolicyError(folder, problems)
    kind = KINDS[card.kind]
    try:
        settings: Any = read(kind.Settings, card.settings, "policy.json: settings")
    except SettingsError as error:
        raise PolicyError(folder, problems + error.problems) from None
    problems += _space_problems(card)
    if not problems:
        unfit = kind.space_problems(card.spaces, settings)
        problems = [f"policy.json: spaces: {problem}" for problem in unfit]
    if not problems:
        problems = _shape_problems(kind.weight_shapes(card.spaces, settings), weights)
    if problems:
        raise PolicyError(folder, problems)
    return kind(card.spaces, settings, weights)


def provenance(folder: str | Path) -> dict[str, Any]:
    """How the policy in a folder came to be."""
    return _card(Path(folder)).provenance


def _card(folder: Path) -> Card:
    path = folder / "policy.json"
    if not path.is_file():
        raise PolicyError(folder, ["policy.json: no such file"])
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PolicyError(folder, [f"policy.json: not valid JSON: {error}"]) from None
    try:
        return read(Card, content, "policy.json")
    except SettingsError as error:
        raise PolicyError(folder, error.problems) from None


def _weights(folder: Path, digest: str) -> tuple[dict[str, Tensor], list[str]]:
    path = folder / "weights.safetensors"
    if not path.is_file():
        return {}, ["weights.safetensors: no such file"]
    packed = path.read_bytes()
    try:
        tensors = load(packed)
    except SafetensorError as error:
        return {}, [f"weights.safetensors: not a safetensors file: {error}"]
    if hashlib.sha256(packed).hexdigest() != digest:
        return tensors, ["weights.safetensors: does not belong to this policy.json (checksum)"]
    return tensors, []


def _space_problems(card: Card) -> list[str]:
    names = [space.name for space in card.spaces]
    problems = [] if names else ["policy.json: spaces: empty"]
    if len(set(names)) != len(names):
        problems.append("policy.json: spaces: two groups share a name")
    return problems


def _shape_problems(
    expected: Mapping[str, tuple[int, ...]], weights: Mapping[str, Tensor]
) -> list[str]:
    file = "weights.safetensors"
    problems = [f"{file}: unexpected tensor {name!r}" for name in weights if name not in expected]
    for name, shape in expected.items():
        if name not in weights:
            problems.append(f"{file}: missing tensor {name!r}")
        elif tuple(weights[name].shape) != shape:
            found = list(weights[name].shape)
            problems.append(f"{file}: {name!r} has shape {found}, expected {list(shape)}")
        elif not bool(torch.isfinite(weights[name]).all()):
            problems.append(f"{file}: {name!r} holds values that are not finite")
    return problems
