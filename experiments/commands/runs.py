"""`polislab runs`: what has been run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_files, check_json, emit, show
from experiments.errors import InputError

KEYS = ("experiment", "hash", "seed", "agent", "scenario", "city", "status")

app = typer.Typer(help="Run folders.", no_args_is_help=True)


@app.command("list")
def list_runs(
    root: Annotated[Path, typer.Option("--runs", help="Folder of the runs.")] = Path("runs"),
    sweeps: Annotated[
        bool, typer.Option("--sweeps", help="List sweeps with their runs' statuses instead.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """List runs with their status, progress and the welfare of their policies.

    A run whose process died is `stopped`; the command that began it resumes it.

    Example: polislab runs list --json runs.json
    """
    from rich.table import Table

    from experiments.runs import find_runs
    from experiments.status import record

    check_json(json)
    if sweeps:
        emit(_sweeps(root), json)
        return
    records = [record(run) for run in find_runs(root)]
    shown = Table(title=f"Runs under {root}")
    for key in KEYS:
        shown.add_column(key)
    for heading in ("done", "welfare %"):
        shown.add_column(heading, justify="right")
    for entry in records:
        welfare, done = entry["welfare"], entry["progress"]
        shown.add_row(
            *[str(entry[key]) for key in KEYS],
            "" if done is None else f"{100 * done:.0f} %",
            "" if welfare is None else f"{100 * welfare:+.3f}",
        )
    show(shown)
    emit(records, json)


@app.command("show")
def show_run(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the learning curve to FILE (PNG).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Show one run: what it is, how far it came, what its policy is worth.

    Example: polislab runs show runs/train/0123456789ab/seed-0 --plot curve.png
    """
    from experiments.evaluate import table
    from experiments.runs import Run, read_json
    from experiments.sheets import Sheet, terminal
    from experiments.status import record

    check_json(json)
    check_files(plot=plot)
    run = Run(folder)
    if not run.manifest:
        raise InputError(f"{folder}: no run folder (manifest.json is missing)")
    facts = record(run) | {key: run.manifest.get(key) for key in ("started", "updated", "device")}
    facts["command"] = " ".join(run.manifest.get("command", []))
    rows = [(key, str(value)) for key, value in facts.items() if value is not None]
    show(terminal(Sheet(str(folder), ("key", "value"), rows)))
    evaluation = read_json(run.evaluation)
    if evaluation:
        show(table(evaluation["table"], "Welfare against today's policy on held-out cities"))
    if plot is not None:
        _plot(run, plot)
    emit(facts | {"evaluation": evaluation}, json)


def _plot(run: Any, file: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from agents.files import write_atomic
    from experiments.compare.chart import PALETTE, learning, png
    from experiments.compare.curves import curve

    label = f"{run.manifest['agent']}, seed {run.manifest['seed']}"
    found = curve(label, [run.folder])
    if found is None:
        raise InputError(f"{run.folder}: nothing was logged that a curve could show")
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    learning(figure.subplots(), [found], {label: PALETTE[0]})
    write_atomic(file, png(figure))
    show(f"Picture: {file}")


def _sweeps(root: Path) -> list[dict[str, Any]]:
    """Show sweeps with how many of their runs are finished, running, stopped ..."""
    from experiments.sheets import Sheet, terminal
    from experiments.status import counts
    from experiments.sweep import read_sweeps

    found, rows = [], []
    for name, runs in read_sweeps(root):
        statuses = counts(runs)
        found.append({"sweep": name, "runs": len(runs), "statuses": statuses})
        told = ", ".join(f"{number} {status}" for status, number in statuses.items())
        rows.append((name, str(len(runs)), told))
    show(terminal(Sheet(f"Sweeps under {root}", ("sweep", ">runs", "statuses"), rows)))
    return found


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="runs")
