"""`polislab results`: the page of baselines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.output import JsonOption, check_json, command_line, emit, show


def results(
    scenario: Annotated[
        list[str] | None, typer.Option(help="Only this scenario (may be repeated).")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small cities and short training: a rehearsal.")
    ] = False,
    runs: Annotated[str, typer.Option(help="Folder of the runs.")] = "runs",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The page (docs/results.md; RUNS/results-quick.md if quick)."
        ),
    ] = None,
    baselines: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Baselines (configs/baseline).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Write docs/results.md: command, learning curve and comparison of every baseline.

    Finished runs are taken from their folders, missing ones are trained; Ctrl-C leaves runs that
    the same command resumes.

    Example: polislab results --quick --out results.md
    """
    import torch

    from experiments import results as worker
    from experiments.learning import Interrupted

    check_json(json)
    torch.set_num_threads(1)
    known = [path.stem for path in sorted(baselines.glob("*.yaml"))] if baselines else None
    chosen = scenario or known or worker.names()
    sections = [worker.section(name, quick, runs, baselines) for name in chosen]
    try:
        worker.work(sections, sys.argv, show)
    except Interrupted as stop:
        typer.echo(str(stop), err=True)
        raise typer.Exit(130) from None
    default = Path(runs) / "results-quick.md" if quick else Path("docs/results.md")
    page = worker.write(sections, out or default, command_line())
    show(f"Page: {page}")
    emit({"page": str(page), "scenarios": chosen}, json)


def register(app: typer.Typer) -> None:
    app.command("results")(results)
