"""Which cities there are, and what identifies their data."""

from __future__ import annotations

import hashlib
from pathlib import Path

SYNTHETIC = "synthetic"
#: Presets of synthetic cities (``envs.presets``), here by name so that no world is imported.
PRESETS = (SYNTHETIC, "study")


def city_fault(city: str) -> str | None:
    """Why a city cannot be used, or nothing."""
    if city in PRESETS:
        return None
    from envs.twin import posterior
    from envs.twin.packages import PackageError, find_city, read_package

    if posterior.is_twin(city):
        return posterior.fault(city)
    try:
        read_package(find_city(city))
    except PackageError as error:
        return "; ".join(problem.removeprefix("city: ") for problem in error.problems)
    return None


def content_hash(city: str) -> str:
    """Checksum over what a city is made from: its figures, its own parameters, its prior."""
    from envs import presets, priors
    from envs.loading import MODEL_FILE
    from envs.twin import posterior
    from envs.twin.packages import find_city, read_package

    digest, files = hashlib.sha256(), []
    if city in PRESETS:
        files = [presets.file(city)]
    elif posterior.is_twin(city):
        files = [Path(city) / posterior.DESCRIPTION, Path(city) / posterior.ENSEMBLE]
    else:
        folder = find_city(city)
        digest.update(read_package(folder).content_hash.encode())
        files = [folder / MODEL_FILE, folder / priors.FILE]
    for path in files:
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
