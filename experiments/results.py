"""The page of results: baselines of each scenario, trained where they are missing, compared.

A baseline is a file `configs/baseline/<scenario>.yaml`, or `<scenario>-<case>.yaml`. What is
finished is taken from the run folders, what is not is trained, and the page says with which
commands anyone repeats it.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml

import configs
from agents.files import write_atomic
from agents.schema import Between, SettingsError, closest, read
from experiments import compare, config
from experiments.compare import report
from experiments.config import Config
from experiments.errors import InputError
from experiments.runs import run_of
from experiments.sheets import markdown
from experiments.train import train

Seeds = Annotated[int, Between(1, 1000)]
Steps = Annotated[int, Between(0, 10_000)]
#: Gradient steps of planners who know more than policies, in a rehearsal.
QUICK_STEPS = 2


@dataclass(frozen=True)
class Baseline:
    """What `configs/baseline/<scenario>.yaml` holds; meaning of each key: city_v0.yaml there."""

    title: str
    common: tuple[str, ...]
    seeds: Seeds
    clairvoyant: Steps
    informed: Steps
    runs: tuple[tuple[str, ...], ...]
    quick: tuple[str, ...]
    quick_agents: dict[str, tuple[str, ...]]
    quick_seeds: Seeds


@dataclass(frozen=True)
class Section:
    """One scenario of the page: its jobs, all checked, and the commands that run them.

    clairvoyant: gradient steps of the row that knows the future; informed: of each renewal of the
    row that knows all but the future; 0 leaves a row out.
    """

    name: str
    title: str
    jobs: tuple[Config, ...]
    commands: tuple[str, ...]
    clairvoyant: int
    informed: int


def names() -> list[str]:
    """Baselines, by the stems of their files."""
    return sorted(path.stem for path in (configs.root() / "baseline").glob("*.yaml"))


def section(
    name: str, quick: bool, runs: str, folder: Path | None = None, more: Sequence[str] = ()
) -> Section:
    """A scenario's baselines, every job composed and checked.

    Args:
        quick: small and fast. runs: folder of the runs. folder: of baseline files, by default
            `configs/baseline`. more: further overrides of all jobs.

    Raises:
        InputError: listing every fault of the file and of its jobs.
    """
    root = folder or configs.root() / "baseline"
    path = root / f"{name}.yaml"
    if not path.is_file():
        known = [file.stem for file in root.glob("*.yaml")]
        raise InputError(f"no baseline {name!r}; {closest(name, known)}")
    try:
        found = read(Baseline, yaml.safe_load(path.read_text(encoding="utf-8")), path.name)
    except SettingsError as error:
        raise InputError(error.problems) from None
    seeds = found.quick_seeds if quick else found.seeds
    jobs: list[Config] = []
    commands, problems = [], []
    folders: list[str] = []
    for line in found.runs:
        try:
            words = [*found.common, *(_filled(word, folders) for word in line), *more]
            if quick or not any(word.startswith("seed=") for word in line):
                words = [w for w in words if not w.startswith("seed=")] + [f"seed=range(0,{seeds})"]
            words += [f"runs={runs}"] if runs != "runs" else []
            if quick:
                kind = next((w.partition("=")[2] for w in line if w.startswith("agent=")), "ppo")
                words += [*found.quick, *found.quick_agents.get(kind, ())]
            made = config.sweep(words)
        except InputError as error:
            problems += [f"{path.name}: {text}" for text in error.problems]
            folders.append("")
            continue
        jobs += made
        commands.append(shlex.join(["polislab", "train", "-m", *words]))
        folders.append(str(run_of(made[0]).folder.parent))
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    clairvoyant, informed = found.clairvoyant, found.informed
    if quick:
        clairvoyant, informed = min(clairvoyant, QUICK_STEPS), min(informed, QUICK_STEPS)
    return Section(name, found.title, tuple(jobs), tuple(commands), clairvoyant, informed)


def _filled(word: str, folders: Sequence[str]) -> str:
    """An override in which ``<N>`` is the folder of the runs of line N, one of those before.

    Args:
        folders: of the first configuration of each line so far; it holds one run a seed.

    Raises:
        InputError: a line that is not before this one.
    """

    def folder(place: re.Match[str]) -> str:
        number = int(place[1])
        if not 1 <= number <= len(folders):
            raise InputError(
                f"line {len(folders) + 1} of runs, {word}: expected the number of a line before it"
            )
        return folders[number - 1]

    return re.sub(r"<(\d+)>", folder, word)


def work(sections: Sequence[Section], command: Sequence[str], told: Callable[[str], None]) -> None:
    """Train what is not finished, one run after the other.

    Raises:
        Interrupted: on Ctrl-C; the same command goes on.
    """
    missing = [job for part in sections for job in part.jobs if not run_of(job).finished]
    for number, job in enumerate(missing, 1):
        told(f"run {number} of {len(missing)}: {run_of(job).folder}")
        train(job, command)


def write(sections: Sequence[Section], page: Path, command: str) -> Path:
    """Compare the finished runs of each section and write the page with its pictures.

    Pictures go to the folder `images` beside the page.
    """
    parts = [
        "# Results",
        "Baselines of the scenarios, each trained from several seeds and scored on held-out cities "
        "that neither training nor tuning nor the choice of the best rule saw. Written by",
        f"```\n{command}\n```",
        "Finished runs are taken as they are, so that the page is written anew in minutes; the "
        "commands below train them one by one, or in parallel with "
        "`hydra/launcher=joblib`.",
    ]
    for part in sections:
        parts += _compared(part, page)
    write_atomic(page, ("\n\n".join(parts) + "\n").encode())
    return page


def _compared(part: Section, page: Path) -> list[str]:
    """Markdown of one section; writes its picture."""
    folders = [str(run_of(job).folder) for job in part.jobs]
    groups = compare.collect(folders)
    plan = compare.Plan(groups, clairvoyant=part.clairvoyant, informed=part.informed)
    found = compare.score(plan, lambda: None)
    picture = page.parent / "images" / f"results-{part.name}.png"
    compare.draw(found, plan.collection.groups, picture, None)
    link = Path(os.path.relpath(picture, page.parent)).as_posix()
    return [
        f"## {part.name}: {part.title}",
        "```sh\n" + "\n".join(part.commands) + "\n```",
        markdown(report.sheets(found), 3).rstrip(),
        "\n".join(f"- {line}" for line in report.readings(found)),
        *(f"Beware: {warning}" for warning in found.warnings),
        f"![{part.name}: intervals, profiles, who beats whom, learning curves]({link})",
    ]
