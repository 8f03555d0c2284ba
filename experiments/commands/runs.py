"""`polislab runs`: what has been run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show

KEYS = ("experiment", "hash", "seed", "agent", "scenario", "city", "status")

app = typer.Typer(help="Run folders.", no_args_is_help=True)


@app.command("list")
def list_runs(
    root: Annotated[Path, typer.Option("--runs", help="Folder of the runs.")] = Path("runs"),
    json: JsonOption = None,
) -> None:
    """List runs with their status and the welfare of their policies.

    Example: polislab runs list --json runs.json
    """
    from rich.table import Table

    from experiments.runs import find_runs

    check_json(json)
    records = [_record(run) for run in find_runs(root)]
    shown = Table(title=f"Runs under {root}")
    for key in KEYS:
        shown.add_column(key)
    shown.add_column("welfare %", justify="right")
    for record in records:
        welfare = record["welfare"]
        percent = "" if welfare is None else f"{100 * welfare:+.3f}"
        shown.add_row(*[str(record[key]) for key in KEYS], percent)
    show(shown)
    emit(records, json)


def _record(run: Any) -> dict[str, Any]:
    from experiments.runs import read_json

    rows = read_json(run.evaluation).get("table", [])
    return {
        "folder": str(run.folder),
        **{key: run.manifest.get(key) for key in KEYS},
        "welfare": rows[0]["mean"] if rows else None,
    }


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="runs")
