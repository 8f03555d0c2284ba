"""Writing a dossier: dossier.html and dossier.json, each in one piece or not at all."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.dossier.content import Dossier
from experiments.dossier.page import render
from experiments.dossier.validity import scores, validity


@dataclass(frozen=True)
class DossierPaths:
    """Where the dossier lies."""

    html: Path
    json: Path


def write_dossier(folder: str | Path, dossier: Dossier) -> DossierPaths:
    """Write both files into a folder, which is made where it is missing."""
    target = Path(folder)
    page, data = render(dossier), json.dumps(to_json(dossier), indent=1, ensure_ascii=False)
    target.mkdir(parents=True, exist_ok=True)
    paths = DossierPaths(target / "dossier.html", target / "dossier.json")
    _write(paths.html, page)
    _write(paths.json, data + "\n")
    return paths


def to_json(dossier: Dossier) -> dict[str, Any]:
    """The keys of ``recommend --json`` (verdict, reasons, checks, ...) and everything else."""
    rest = {
        field.name: _plain(getattr(dossier, field.name))
        for field in dataclasses.fields(dossier)
        if field.name != "verdict"
    }
    return {
        **_plain(dossier.verdict.to_json()),
        "validity": validity(scores(dossier.scorecard)),
        **rest,
    }


def _plain(value: Any) -> Any:
    """Nothing but what JSON knows; figures that are not finite become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else None


def _write(path: Path, text: str) -> None:
    """Write beside the target, then move into place."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
