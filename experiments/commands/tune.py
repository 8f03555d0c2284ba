"""`polislab tune`: search the settings of an agent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show


def tune(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Overrides of configs/train.yaml."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials that the study shall hold.")] = 20,
    space: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Search space (configs/tune/AGENT.yaml)."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds after which no trial begins.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the study: its folder is RUNS/tune/NAME.")
    ] = None,
    storage: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="SQLite (.db) or journal (RUNS/tune/NAME/study.db)."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Training seeds of each trial.")] = 1,
    sampler_seed: Annotated[int, typer.Option(min=0, help="Of the search.")] = 0,
    json: JsonOption = None,
) -> None:
    """Tune an agent with Optuna on cities that neither evaluation nor the gate sees.

    The same command resumes a study, and asks the questions it would have asked. Its folder
    holds best.yaml, history.png and the runs of all trials; poor ones are stopped early.

    Example: polislab tune agent=ppo scenario=city_v0 --trials 20
    """
    from agents.files import write_atomic
    from experiments import config
    from experiments.learning import Interrupted
    from experiments.sheets import terminal
    from experiments.tune import Study, Trial, read_space, report
    from experiments.tune import tune as work

    check_json(json)
    words = tuple(overrides or [])
    loaded = config.load(words)
    label = name or f"{loaded.kind}-{loaded.scenario}"
    folder = Path(loaded.settings.runs) / "tune" / label
    study = Study(
        overrides=words,
        space=read_space(space, loaded.kind, words),
        folder=folder,
        storage=storage or folder / "study.db",
        seeds=seeds,
        cities=loaded.settings.experiment.evaluation.cities,
        seed=sampler_seed,
    )

    def told(trial: Trial) -> None:
        score = "" if trial.score is None else f" {100 * trial.score:+.3f} %"
        place = f"trial {trial.number} ({trial.number + 1} of {trials})"
        show(f"{place}: {trial.ended}{score} {trial.error}".rstrip())

    show(report.where(study))
    try:
        found = work(study, trials, timeout, sys.argv, told)
    except Interrupted:
        typer.echo(f"Interrupted; the same command resumes the study in {folder}.", err=True)
        raise typer.Exit(130) from None
    show(terminal(report.sheet(found)))
    for note in report.sheet(found).notes:
        show(note)
    write_atomic(folder / "history.png", report.history(found, f"Tuning {label}"))
    best = report.command(study, found)
    if best is not None:
        write_atomic(folder / "best.yaml", report.best_file(study, found).encode())
        show(f"Best: {best}")
    show(f"Folder: {folder}")
    emit(_content(study, found, best), json)


def _content(study: Any, found: Any, best: str | None) -> dict[str, Any]:
    from dataclasses import asdict

    from experiments.settings import TUNING_SEED

    return {
        "folder": str(study.folder),
        "cities": [TUNING_SEED, TUNING_SEED + study.cities - 1],
        "trials": [asdict(trial) for trial in found],
        "command": best,
    }


def register(app: typer.Typer) -> None:
    app.command("tune")(tune)
