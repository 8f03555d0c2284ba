"""A fitted twin on disk: the posterior ensemble as numbers, never as code.

A folder with ``twin.json`` (what it is) and ``ensemble.safetensors`` (geography, parameters,
fundamentals, states and drifts of every member). Members are dealt out once: training sees
the even ones, the gate the odd ones.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from envs.city import tree
from envs.city.geography import Geography
from envs.city.model import City, CityState, Fundamentals
from envs.city.parameters import TABLE, Parameters

DESCRIPTION = "twin.json"
ENSEMBLE = "ensemble.safetensors"
TRAINING, GATE = "training", "gate"
_FORMAT = 1
_PARTS = {
    "geography": Geography,
    "fundamentals": Fundamentals,
    "start": CityState,
}


@dataclass(frozen=True)
class Posterior:
    """Every member of a twin as a calibrated city, and what the fit said of itself."""

    members: City
    description: dict[str, Any]

    def city(self, part: str) -> City:
        """Members of one part: ``TRAINING`` or ``GATE``."""
        first = (TRAINING, GATE).index(part)
        return self.members.select(torch.arange(first, self.members.rows, 2))


def is_twin(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a fitted twin."""
    return (Path(folder) / DESCRIPTION).is_file()


def save(city: City, description: dict[str, Any], folder: Path) -> None:
    """Write a posterior, atomically: the description comes last and makes the folder a twin."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for part in _PARTS:
        tensors |= dict(tree.leaves(getattr(city, part), part))
    tensors |= {f"parameters.{name}": value for name, value in city.parameters.values.items()}
    if city.drift is not None:
        tensors["drift"] = city.drift
    draft = folder / f"{ENSEMBLE}.tmp"
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, draft)
    os.replace(draft, folder / ENSEMBLE)
    text = json.dumps({"format": _FORMAT, **description}, indent=2)
    draft = folder / f"{DESCRIPTION}.tmp"
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, folder / DESCRIPTION)


def load(folder: str | os.PathLike[str]) -> Posterior:
    """Read a posterior.

    Raises:
        ValueError: not a twin, another format, or tensors that do not fit; says which file.
    """
    where = Path(folder)
    try:
        description = json.loads((where / DESCRIPTION).read_text(encoding="utf-8"))
        tensors = load_file(where / ENSEMBLE)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{where}: not a fitted twin ({error})") from None
    if not isinstance(description, dict):
        raise ValueError(f"{where}: not a fitted twin ({DESCRIPTION} holds no mapping)")
    if description.get("format") != _FORMAT:
        found = description.get("format")
        raise ValueError(f"{where / DESCRIPTION}: format {found!r}, expected {_FORMAT}")
    lacking = [name for name in TABLE if f"parameters.{name}" not in tensors]
    if lacking:
        raise ValueError(f"{where / ENSEMBLE}: no parameters {', '.join(lacking)}; fit it anew")
    try:
        parts: dict[str, Any] = {
            part: tree.restore(kind, tensors, part) for part, kind in _PARTS.items()
        }
    except ValueError as error:
        raise ValueError(f"{where / ENSEMBLE}: {error}") from None
    values = {name: tensors[f"parameters.{name}"] for name in TABLE}
    city = City(
        geography=parts["geography"],
        parameters=Parameters(values),
        fundamentals=parts["fundamentals"],
        start=parts["start"],
        drift=tensors.get("drift"),
    )
    return Posterior(city, description)


def fault(folder: str | os.PathLike[str]) -> str | None:
    """Why a twin cannot be used, or nothing."""
    try:
        load(folder)
    except ValueError as error:
        return str(error)
    return None
