"""How far runs are: what their manifests say, corrected for processes that died."""

from __future__ import annotations

import csv
import os
import platform
from collections import Counter
from collections.abc import Sequence
from typing import Any

import yaml

from experiments.runs import FINISHED, RUNNING, STOPPED, Run, read_json

BUDGETS = {"env_steps": "env_steps", "iteration": "iterations"}
"""Columns of `metrics.csv` that count training, and the agent's setting that ends it."""
WAITING = "waiting"


def status(run: Run) -> str:
    """Status of a run: `waiting` before it starts, `stopped` where its process is gone."""
    manifest = run.manifest
    said = str(manifest.get("status", WAITING))
    process = manifest.get("process", {})
    here = process.get("host") == platform.node()
    if said == RUNNING and here and not _alive(int(process["pid"])):
        return STOPPED
    return said


def progress_of(run: Run) -> float | None:
    """Share of training that is done, from 0 to 1; None where a run logs none."""
    if run.finished:
        return 1.0
    rows, agent = _rows(run), _agent(run)
    for column, setting in BUDGETS.items():
        if rows and rows[-1].get(column) and agent.get(setting):
            return min(1.0, float(rows[-1][column]) / float(agent[setting]))
    return None


def record(run: Run) -> dict[str, Any]:
    """What a list of runs shows of one."""
    manifest, rows = run.manifest, read_json(run.evaluation).get("table", [])
    keys = ("experiment", "hash", "seed", "agent", "scenario", "city")
    return {
        "folder": str(run.folder),
        **{key: manifest.get(key) for key in keys},
        "status": status(run),
        "progress": progress_of(run),
        "welfare": rows[0]["mean"] if rows else None,
    }


def counts(runs: Sequence[Run]) -> dict[str, int]:
    """Number of runs of each status, finished ones first."""
    found = Counter(status(run) for run in runs)
    return {name: found[name] for name in sorted(found, key=lambda name: (name != FINISHED, name))}


def _rows(run: Run) -> list[dict[str, str]]:
    path = run.folder / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _agent(run: Run) -> dict[str, Any]:
    path = run.folder / "config.yaml"
    if not path.is_file():
        return {}
    agent: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")).get("agent", {})
    return agent


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
