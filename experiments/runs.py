"""Run folders: `runs/<experiment>/<config-hash>/seed-<n>`, written atomically, never unpickled."""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from agents.files import write_atomic
from experiments.cities import content_hash
from experiments.config import Config

PACKAGES = (
    "polislab",
    "torch",
    "numpy",
    "stable-baselines3",
    "gymnasium",
    "pettingzoo",
    "hydra-core",
)
FINISHED, RUNNING, INTERRUPTED = "finished", "running", "interrupted"
FAILED, STOPPED = "failed", "stopped"


def _unwatched(row: Mapping[str, Any]) -> None:
    """Nobody follows the metrics of a run."""


@dataclass(frozen=True)
class Run:
    """The folder of one run; `watch` hears each row of metrics, and may stop it by raising."""

    folder: Path
    watch: Callable[[Mapping[str, Any]], None] = field(default=_unwatched, compare=False)

    @property
    def manifest(self) -> dict[str, Any]:
        """What the run is and how far it came; empty before it starts."""
        return read_json(self.folder / "manifest.json")

    @property
    def finished(self) -> bool:
        return self.manifest.get("status") == FINISHED

    @property
    def checkpoint(self) -> Path:
        """Folder of the learner's checkpoint."""
        return self.folder / "checkpoint"

    @property
    def policy(self) -> Path:
        """Folder of the policy file."""
        return self.folder / "policy"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation.json"

    def begin(self, config: Config, command: Sequence[str]) -> None:
        """Write the resolved configuration and the manifest of a run that starts or resumes."""
        started = self.manifest.get("started", now())
        text = yaml.safe_dump(config.resolved, sort_keys=False, allow_unicode=True)
        write_atomic(self.folder / "config.yaml", text.encode())
        city = config.settings.city
        write_json(
            self.folder / "manifest.json",
            {
                "status": RUNNING,
                "hash": config_hash(config),
                "experiment": config.settings.experiment.name,
                "agent": config.kind,
                "scenario": config.scenario,
                "city": city,
                "seed": config.settings.seed,
                "evaluation_seeds": evaluation_seeds(config),
                "device": config.settings.device,
                "command": list(command),
                "process": {"host": platform.node(), "pid": os.getpid()},
                "data": {city: content_hash(city)},
                "git": git_state(),
                "versions": versions(),
                "started": started,
            },
        )

    def mark(self, status: str, **facts: Any) -> None:
        """Set the status in the manifest and add facts."""
        changed = self.manifest | {"status": status, "updated": now()} | facts
        write_json(self.folder / "manifest.json", changed)


class Metrics:
    """`metrics.csv`: one row for each rollout, rewritten as a whole so that it is never torn."""

    def __init__(self, path: Path, keep: int) -> None:
        """Continue a table after its first `keep` rows."""
        self.path = path
        self.rows: list[Mapping[str, Any]] = []
        if path.is_file() and keep:
            with path.open(newline="", encoding="utf-8") as file:
                self.rows += list(csv.DictReader(file))[:keep]

    def add(self, row: Mapping[str, Any]) -> None:
        self.rows.append(row)
        names = list(dict.fromkeys(name for entry in self.rows for name in entry))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomic(self.path, text.getvalue().encode())


def run_of(config: Config) -> Run:
    """Folder of a configuration."""
    settings = config.settings
    experiment = Path(settings.runs) / settings.experiment.name
    return Run(experiment / config_hash(config) / f"seed-{settings.seed}")


def config_hash(config: Config) -> str:
    """Twelve hexadecimal digits over everything that decides the numbers, except the seed.

    A run that another starts from is told by its place among the runs, wherever they are kept.
    """
    decisive = {k: v for k, v in config.resolved.items() if k not in ("seed", "runs")}
    decisive["data"] = content_hash(config.settings.city)
    start = decisive["agent"].get("start")
    if start is not None and Path(start).is_relative_to(config.settings.runs):
        within = Path(start).relative_to(config.settings.runs).as_posix()
        decisive["agent"] = decisive["agent"] | {"start": within}
    text = json.dumps(decisive, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def evaluation_seeds(config: Config) -> list[int]:
    """First and last seed of the held-out cities."""
    evaluation = config.settings.experiment.evaluation
    return [evaluation.first_seed, evaluation.first_seed + evaluation.cities - 1]


def find_runs(root: str | Path) -> Iterator[Run]:
    """All runs under a folder, in the order of their paths."""
    for path in sorted(Path(root).glob("*/*/seed-*/manifest.json")):
        yield Run(path.parent)


def read_json(path: Path) -> dict[str, Any]:
    """Content of a JSON file; empty where there is none."""
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_json(path: Path, content: Any) -> None:
    write_atomic(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def now() -> str:
    """Time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers."""
    found = {"python": platform.python_version(), "platform": sys.platform}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


def git_state() -> dict[str, Any]:
    """Commit of the checkout that runs and whether it has changes; empty outside a checkout."""
    source = Path(__file__).resolve().parent

    def ask(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(source), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}
