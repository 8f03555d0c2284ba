"""The demonstration: the whole path on real figures, from data to verdict, in minutes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments import config
from experiments.runs import Run, run_of

SEEDS = (0, 1, 2)
ENV_STEPS = 64_000
PARALLEL = 2


@dataclass(frozen=True)
class Training:
    """One training run of the demonstration, and the words that start it."""

    run: Run
    words: tuple[str, ...]


def trainings(twin: Path, root: Path, env_steps: int = ENV_STEPS) -> list[Training]:
    """The runs of the demonstration, one a seed, on training draws of the fitted twin."""
    found = []
    for seed in SEEDS:
        words = (
            "scenario=city_v0",
            "agent=ppo",
            "experiment=demo",
            f"city={twin}",
            f"seed={seed}",
            f"runs={root}",
            "agent.num_envs=32",
            f"agent.env_steps={env_steps}",
        )
        found.append(Training(run_of(config.load(list(words))), words))
    return found


def train_all(work: Sequence[Training], finished: Callable[[], None]) -> None:
    """Run trainings, two at a time, each in a process of its own.

    Raises:
        RuntimeError: a run failed; its last words are in the message.
    """
    waiting = list(work)
    running: list[tuple[Training, subprocess.Popen[str]]] = []
    try:
        while waiting or running:
            while waiting and len(running) < PARALLEL:
                job = waiting.pop(0)
                command = [sys.executable, "-m", "experiments.cli", "train", *job.words]
                process = subprocess.Popen(
                    command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                )
                running.append((job, process))
            job, process = running.pop(0)
            _, errors = process.communicate()
            if process.returncode != 0:
                raise RuntimeError(f"training {' '.join(job.words)} failed: {errors[-2000:]}")
            finished()
    finally:
        for _, process in running:
            process.terminate()
