"""`polislab model`: the tables that the city model is built on, and what its levers are worth."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.output import JsonOption, check_json, emit, show

app = typer.Typer(help="The city model: levers, parameters, free lunches.", no_args_is_help=True)


@app.command("neutral")
def neutral(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ],
    districts: Annotated[
        int | None, typer.Option(min=3, max=400, help="Districts of a synthetic city (9).")
    ] = None,
    constant: Annotated[
        bool,
        typer.Option("--constant", help="Also each lever at its bounds and the best plan."),
    ] = False,
    starts: Annotated[int, typer.Option(min=1, max=1000, help="Searches for a plan.")] = 10,
    iterations: Annotated[int, typer.Option(min=1, help="Gradient steps of a search.")] = 25,
    horizon: Annotated[int, typer.Option(min=1, help="Months that a plan is held.")] = 120,
    months: Annotated[
        int, typer.Option(min=12, help="Months simulated before the perpetuity.")
    ] = 360,
    write: Annotated[
        bool, typer.Option("--write", help="Solve the neutral prior anew and keep it.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tables to FILE (Markdown).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Show what each lever is worth at today's policy: none may be a free lunch.

    Takes under a minute; with --constant some ten minutes more.

    Example: polislab model neutral london --json neutral.json
    """
    import torch

    from experiments import neutral as worker
    from experiments import neutral_report as reports
    from experiments.errors import InputError
    from experiments.progress import progress
    from experiments.sheets import markdown as as_markdown
    from experiments.sheets import terminal

    check_json(json)
    if markdown is not None and (markdown.is_dir() or not markdown.parent.is_dir()):
        raise InputError(f"--markdown {markdown}: not a file in an existing folder")
    torch.set_num_threads(1)
    home = worker.prior_file(city, districts) if write else None
    world = worker.calibrated(city, districts)
    if home is not None:
        with progress("solving", worker.NEWTON_STEPS, "steps") as tick:
            world = worker.solve_and_keep(world, home, tick)
        show(f"Neutral prior: {home}")
    with progress("valuing levers", 1, "passes") as tick:
        levers = worker.lever_values(world, months)
        tick()
    bounds, plan = [], None
    if constant:
        with progress("levers at their bounds", worker.steps(horizon), "steps") as tick:
            bounds = worker.bounds(world, horizon, tick)
        with progress("best constant plan", iterations + 1, "iterations") as tick:
            plan = worker.constant(world, starts, iterations, horizon, tick)
    report = reports.Report(
        city=city,
        districts=world.districts,
        months=months,
        horizon=horizon,
        levers=levers,
        solved=worker.solved_values(world),
        bounds=bounds,
        constant=plan,
    )
    found = reports.sheets(report)
    for sheet in found:
        show(terminal(sheet))
        for note in sheet.notes:
            show(note)
    if markdown is not None:
        from agents.files import write_atomic

        write_atomic(markdown, as_markdown(found).encode())
    emit(report.as_dict(), json)


PARTS = (
    "model_tables",
    "model_measures",
    "model_coupling",
    "model_information",
    "model_participation",
    "model_region",
    "model_credit",
    "model_gains",
    "model_taxation",
    "model_minutes",
    "model_accounts",
    "model_verify",
    "model_reference",
    "model_facts",
)
"""Modules of this package that add commands to `app`."""


def register(parent: typer.Typer) -> None:
    for part in PARTS:
        import_module(f"experiments.commands.{part}")
    parent.add_typer(app, name="model")
