"""`polislab train`: learn a policy from a configuration."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, complain, emit, show

if TYPE_CHECKING:
    from experiments.config import Config
    from experiments.runs import Run
    from experiments.sweep import Outcome, Sweep


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
    resumes. With -m, Hydra's launchers run the jobs: one after the other, side by side with
    hydra/launcher=joblib, on a cluster with hydra/launcher=ray or submitit_slurm.

    Learners should beat the ladder of baselines, weakest first: agent=status_quo, random, uniform,
    proportional, pi, plan, open_loop, cem, mpc. All agents are the files of configs/agent.

    Example: polislab train scenario=city_v0 city=synthetic agent=ppo seed=0

    Example: polislab train -m agent=ppo,pi 'seed=range(0,3)'

    Example: polislab train -m 'seed=range(0,8)' hydra/launcher=joblib hydra.launcher.n_jobs=4
    """
    from experiments import config, sweep

    check_json(json)
    if multirun:
        planned = sweep.plan(overrides or [])
        jobs = list(planned.jobs)
    else:
        jobs = [config.load(overrides or [])]
    if dry:
        import yaml

        for job in jobs:
            typer.echo(yaml.safe_dump(job.resolved, sort_keys=False), nl=False)
        emit([job.resolved for job in jobs], json)
        return
    found = _sweep(planned) if multirun else [_run(jobs[0])]
    emit(found, json)
    if any("error" in entry for entry in found):
        raise typer.Exit(1)


def _run(job: Config) -> dict[str, Any]:
    """Train one configuration and show its evaluation."""
    from experiments.evaluate import table
    from experiments.learning import Interrupted
    from experiments.train import train as work

    try:
        run, worked = work(job, sys.argv)
    except Interrupted as stop:
        typer.echo(str(stop), err=True)
        raise typer.Exit(130) from None
    found = _result(run, skipped=not worked)
    result = found["evaluation"]
    show(f"{'Finished' if worked else 'Skipped (finished before)'}: {run.folder}")
    show(table(result["table"], "Welfare against today's policy on held-out cities"))
    show(table(result["differences"], "Trained policy minus others, city by city"))
    return found


def _sweep(planned: Sweep) -> list[dict[str, Any]]:
    """Run a sweep and list how each run ended; one that failed makes the exit code 1."""
    from experiments import sweep
    from experiments.sheets import Sheet, terminal

    try:
        outcomes = sweep.launch(planned, sys.argv)
    except KeyboardInterrupt as stop:
        typer.echo(f"{str(stop) or 'Interrupted.'}\nThe same command resumes the sweep.", err=True)
        raise typer.Exit(130) from None
    found = [_result(o.run, o.skipped) | ({"error": o.error} if o.error else {}) for o in outcomes]
    rows = [_row(outcome, result) for outcome, result in zip(outcomes, found, strict=True)]
    show(terminal(Sheet("Sweep", ("=run", "agent", ">seed", "ended", ">welfare %"), rows)))
    failed = [outcome for outcome in outcomes if outcome.error]
    complain([f"{outcome.name}: {outcome.error}" for outcome in failed])
    if failed:
        kept = len(outcomes) - len(failed)
        show(f"{kept} of {len(outcomes)} runs are finished and kept; logs: {planned.folder}")
    return found


def _row(outcome: Outcome, result: dict[str, Any]) -> tuple[str, ...]:
    ended = "failed" if outcome.error else "skipped" if outcome.skipped else "finished"
    rows = result["evaluation"].get("table", [])
    welfare = f"{100 * rows[0]['mean']:+.3f}" if rows else "-"
    return (
        str(outcome.run.folder),
        outcome.job.kind,
        str(outcome.job.settings.seed),
        ended,
        welfare,
    )


def _result(run: Run, skipped: bool) -> dict[str, Any]:
    from experiments.runs import read_json

    return {"run": str(run.folder), "skipped": skipped, "evaluation": read_json(run.evaluation)}


def register(app: typer.Typer) -> None:
    app.command("train")(train)
