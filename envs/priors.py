"""The neutral prior of a city: solved once, stored with the city, read by everything else."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

import configs
from envs.city import neutrality
from envs.city.model import City
from envs.city.parameters import TABLE, Value, by_entry, parse_values

SYNTHETIC = configs.root() / "city" / "synthetic.yaml"
FILE = "neutral.yaml"
LOGGER = logging.getLogger("polislab")


def cache_folder() -> Path:
    """Where priors of the user's own cities are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "polislab" / "neutral"


def read(path: Path) -> dict[str, Value]:
    """Solved values of a prior file.

    Raises:
        ValueError: unknown parameters or entries, naming the file.
    """
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return parse_values(content["values"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write(path: Path, solution: neutrality.Neutral, note: str) -> None:
    """Store a solution, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {name: by_entry(name, value) for name, value in solution.values.items()}
    text = f"# {note}\n" + yaml.safe_dump(
        {"values": values, "residuals": solution.residuals}, sort_keys=False
    )
    draft = path.with_suffix(".tmp")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


def fingerprint(city: City) -> str:
    """Name of a calibration: a hash of what was observed and assumed."""
    digest = hashlib.sha256()
    digest.update(json.dumps(sorted(TABLE)).encode())
    for tensor in (city.start.planning.people, city.start.industry.employed, city.geography.xy):
        digest.update(tensor.to(torch.float64).numpy().tobytes())
    for name, value in sorted(city.parameters.values.items()):
        digest.update(name.encode() + value.to(torch.float64).numpy().tobytes())
    return digest.hexdigest()[:16]


def neutral_values(city: City, stored: Path | None) -> dict[str, Value]:
    """The neutral prior of a one-row calibration.

    Read from ``stored`` if it exists, else from the user's cache, else solved (a few minutes,
    starting from the prior of synthetic cities) and cached.
    """
    if stored is not None and stored.is_file():
        return read(stored)
    cached = cache_folder() / f"{fingerprint(city)}.yaml"
    if not cached.is_file():
        LOGGER.info("Solving the neutral prior of this city: once, a few minutes.")
        near = replace(city, parameters=city.parameters.replace(read(SYNTHETIC)))
        found = neutrality.solve(near, progress=_report)
        write(cached, found, "Neutral prior, solved once for this city.")
    return read(cached)


def _report(iteration: int, worst: float) -> None:
    LOGGER.info("  iteration %d: largest residual %.3f", iteration, worst)
