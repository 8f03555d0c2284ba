"""`polislab train`: learn a policy from a configuration."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from experiments.commands.output import JsonOption, check_json, emit, show


def train(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Overrides of configs/train.yaml."),
    ] = None,
    multirun: Annotated[
        bool, typer.Option("--multirun", "-m", help="Run every combination of listed values.")
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Check and print the configuration; run nothing.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Train a policy, then compare it with rules on held-out cities.

    The run folder is runs/NAME/HASH/seed-N; a finished run is skipped, an interrupted one
    resumes.

    Example: polislab train scenario=city_v0 city=synthetic agent=ppo seed=0

    Example: polislab train -m agent=ppo,pi 'seed=range(0,3)'
    """
    from experiments import config

    check_json(json)
    jobs = config.sweep(overrides or []) if multirun else [config.load(overrides or [])]
    if dry:
        import yaml

        for job in jobs:
            typer.echo(yaml.safe_dump(job.resolved, sort_keys=False), nl=False)
        emit([job.resolved for job in jobs], json)
        return
    emit([_run(job) for job in jobs], json)


def _run(job: object) -> dict[str, object]:
    """Train one configuration and show its evaluation."""
    from experiments.config import Config
    from experiments.evaluate import table
    from experiments.learning import Interrupted
    from experiments.runs import read_json
    from experiments.train import train as work

    assert isinstance(job, Config)
    try:
        run, worked = work(job, sys.argv)
    except Interrupted as stop:
        typer.echo(str(stop), err=True)
        raise typer.Exit(130) from None
    result = read_json(run.evaluation)
    show(f"{'Finished' if worked else 'Skipped (finished before)'}: {run.folder}")
    show(table(result["table"], "Welfare against today's policy on held-out cities"))
    show(table(result["differences"], "Trained policy minus others, city by city"))
    return {"run": str(run.folder), "skipped": not worked, "evaluation": result}


def register(app: typer.Typer) -> None:
    app.command("train")(train)
